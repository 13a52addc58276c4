"""The endpoint board: for each configured endpoint what is known of it, and None for all that is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.abilities import CANNOT
from payops.domain.deadlines import DISABLES_AFTER
from payops.domain.events import Topology
from payops.domain.payments import Mode, Provider
from payops.store import Store

from . import webhooks
from .inboxes import Inbox, inbox_of

SHARE_OVER = timedelta(hours=24)
"""The success share is of the events made in this long."""


@dataclass(frozen=True, slots=True)
class EndpointCard:
    """One configured endpoint.

    `present`, `status`, `mode`, `api_version` and `subscribed` (`*` = all) are the provider's words as of `seen_at`.
    `types_missing` are the event types payops reads and an endpoint of ours does not get.
    `share` is the part of the events made for it in the last 24 hours that are in its inbox, of `share_of` events;
    `unprocessed` and `dead` are of that inbox, too (of a relay: what its application has not answered 2xx). Where the
    inbox is not known here, all of them are unknown. `undelivered` is of the whole account (events not delivered to at
    least one of its endpoints). `failing_days` counts whole days since the first of the events that were made for it
    after the last one that came; `disabled_at` is when the provider may disable it for that, an estimate by
    `disable_rule`. `unknown` says why the provider's words are missing.
    """

    account: str
    provider: Provider
    endpoint: str
    url: str
    topology: Topology
    ours: bool
    seen_at: datetime | None
    present: bool | None
    status: str | None
    mode: Mode | None
    api_version: str | None
    subscribed: tuple[str, ...] | None
    types_missing: tuple[str, ...] | None
    last_received_at: datetime | None
    share: float | None
    share_of: int | None
    unprocessed: int | None
    dead: int | None
    undelivered: int | None
    failing_days: int | None
    disabled_at: datetime | None
    disable_rule: str | None
    unknown: str | None


def read(store: Store, settings: Settings, now: datetime) -> tuple[EndpointCard, ...]:
    """A card for each configured endpoint, in the order of the configuration."""
    return tuple(card(store, each, known, now) for each in settings.accounts for known in each.endpoints)


def card(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> EndpointCard:
    """What is known of one configured endpoint. It reads much: for who asks, not for every tick."""
    ours = account.receives(endpoint)
    seen_at = store.facts.endpoints_seen_at(account.name)
    known = webhooks.at_provider(store, account, endpoint)
    told = store.facts.undelivered_seen_at(account.name) is not None
    inbox = inbox_of(store, account, endpoint)
    last = None if inbox is None else inbox.last_received_at()
    undone = None if inbox is None else inbox.undone(now)
    window = webhooks.window(store, account, endpoint, now)
    share, share_of = None, None
    failing_days, failing_since = None, None
    if inbox is not None and window is not None:
        share, share_of = _share(store, account, inbox, window)
    if inbox is not None and window is not None and last is not None:
        failing_since = _failing_since(inbox, window, last)
        failing_days = 0 if failing_since is None else (now - failing_since).days
    rule = DISABLES_AFTER[account.provider]
    may_be_disabled = known is not None and known.status == "enabled" and failing_since is not None
    live = None if known is None else known.livemode
    return EndpointCard(
        account=account.name,
        provider=account.provider,
        endpoint=endpoint.name,
        url=endpoint.url,
        topology=endpoint.topology,
        ours=ours,
        seen_at=seen_at,
        present=None if seen_at is None else known is not None,
        status=None if known is None else known.status,
        mode=None if live is None else "live" if live else "test",
        api_version=None if known is None else known.api_version,
        subscribed=None if known is None else known.event_types or None,
        types_missing=webhooks.unsubscribed(account.provider, known) if ours else None,
        last_received_at=last,
        share=share,
        share_of=share_of,
        unprocessed=None if undone is None else undone.unprocessed,
        dead=None if undone is None else undone.dead,
        undelivered=store.facts.undelivered_count(account.name)[0] if told else None,
        failing_days=failing_days,
        disabled_at=rule.ends_at(failing_since) if rule and failing_since and may_be_disabled else None,
        disable_rule=rule.source if rule else None,
        unknown=CANNOT[account.provider].get("list_endpoints"),
    )


def _share(
    store: Store, account: AccountSettings, inbox: Inbox, window: webhooks.Window
) -> tuple[float | None, int | None]:
    """The part of the last day's listed events that came, and how many were listed."""
    types, since, until = window
    start = max(since, until - SHARE_OVER)
    listed = store.facts.count_listed(account.name, types, start, until)
    if not listed:
        return None, 0
    missing, _ = inbox.count_missing(types, start, until, limit=listed)
    return 1 - missing / listed, listed


def _failing_since(inbox: Inbox, window: webhooks.Window, last: datetime) -> datetime | None:
    """When the first event was made that did not come after the last that did; None where none was."""
    types, since, until = window
    return inbox.count_missing(types, max(since, last), until, limit=1)[1]
