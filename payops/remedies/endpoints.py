"""Finding the endpoint an incident speaks of, at the provider."""

from __future__ import annotations

from urllib.parse import urlsplit

from payops.domain.events import Endpoint
from payops.domain.plans import Refusal

from .results import Context


def same_target(one: str, other: str) -> bool:
    """Whether two URLs reach the same application: host, port and path agree."""
    try:
        a, b = urlsplit(one), urlsplit(other)
        return (a.hostname, a.port, a.path.rstrip("/")) == (b.hostname, b.port, b.path.rstrip("/"))
    except ValueError:  # one of them is no URL: a provider's word, not ours
        return one == other


def at_provider(context: Context) -> tuple[Endpoint, tuple[Endpoint, ...]] | Refusal:
    """The provider's endpoint with the configured URL, and the other ones that reach the same application."""
    configured = context.endpoint
    account = context.account.name
    if configured is None:
        return Refusal(f"{account}: the incident names no endpoint of the configuration; a person must look")
    known = [each for each in context.store.facts.endpoints(account) if same_target(each.url, configured.url)]
    if not known:
        return Refusal(
            f"the provider knows no endpoint with the URL {configured.url}: correct the URL at one of the two"
        )
    known.sort(key=lambda each: (each.url != configured.url, each.status != "disabled", each.endpoint_id))
    return known[0], tuple(known[1:])


def reachable(context: Context, url: str) -> Refusal | None:
    """A refusal that waits when nothing answers at the URL: an event sent there would be lost again."""
    ok, seen = context.probe.answers(url)
    return None if ok else Refusal(f"{url} does not answer ({seen})", waits=True)
