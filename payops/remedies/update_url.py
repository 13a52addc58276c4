"""`update-url`: let the provider send to the URL the configuration states, where it is known which endpoint had it."""

from __future__ import annotations

from payops.config import AccountSettings
from payops.domain.events import Endpoint
from payops.domain.plans import Refusal
from payops.signals.mode import short_hash
from payops.signals.slots import webhook_slot
from payops.store import Store

from .endpoints import same_target
from .mend_endpoint import Change, MendEndpoint
from .results import Context


class UpdateUrl(MendEndpoint):
    """Only the endpoint that had the URL before, or the one whose id verifies our webhooks, is touched."""

    id = "update-url"
    action = "webhooks.update_url"
    done = "has the configured URL"

    def change(self, context: Context) -> Change | Refusal:
        configured, account = context.endpoint, context.account
        if configured is None:
            return Refusal(
                f"{account.name}: the incident names no endpoint of the configuration; a person must look"
            )
        known = context.store.facts.endpoints(account.name)
        there = next((each for each in known if same_target(each.url, configured.url)), None)
        if there is not None:
            return Refusal(f"{there.endpoint_id} has the URL {configured.url}: there is nothing to do")
        ours = _ours(context, known, configured.name)
        if ours is None:
            return Refusal(
                f"which of the provider's endpoints had the URL {configured.url} is not known, or it is gone: correct it "
                "there; payops never makes an endpoint, its secret would be a new one"
            )
        other = next((each for each in account.endpoints if same_target(each.url, ours.url)), None)
        if other is not None:
            return Refusal(f"{ours.endpoint_id} serves the endpoint {other.name} of the configuration now")
        return Change(
            ours,
            f"set the URL of {ours.endpoint_id} to {configured.url}; it is {ours.url}",
            f"set the URL of {ours.endpoint_id} to {ours.url} again",
            url=configured.url,
        )


def remember_endpoints(store: Store, account: AccountSettings) -> None:
    """Keep which endpoint of the provider's has each configured URL, so that it is known again when it has not."""
    at = {each.url: each.endpoint_id for each in store.facts.endpoints(account.name)}
    for endpoint in account.endpoints:
        found = at.get(endpoint.url)
        name = _remembered(account.name, endpoint.name)
        if found is not None and store.switches.meta_get(name) != found:
            store.switches.meta_set(name, found)


def _ours(context: Context, known: list[Endpoint], endpoint: str) -> Endpoint | None:
    account, store = context.account, context.store
    remembered = store.switches.meta_get(_remembered(account.name, endpoint))
    if remembered is None:
        reference = account.credential(webhook_slot(store, account)).webhook_id
        stored = None if reference is None else short_hash(context.secrets(reference))
        return next((each for each in known if short_hash(each.endpoint_id) == stored), None)
    return next((each for each in known if each.endpoint_id == remembered), None)


def _remembered(account: str, endpoint: str) -> str:
    """The name under which the store keeps the provider's id of a configured endpoint."""
    return f"endpoint {endpoint} of {account}"
