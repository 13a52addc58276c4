"""Forwarding to the applications behind relays: one try at a time for each event, its outcome on disk.

The first tries carry the request byte for byte, from memory. What is in no memory any more, after a restart, is fetched
from the provider by its id, where the provider lists its events: the same event as it is shown now, but not the same
bytes, and without the provider's signature. It can be signed only with the application's own secret, where that is
configured, and only for Stripe. What can neither be held nor fetched is a dead letter, and says so.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from payops.clock import to_epoch
from payops.config import Settings
from payops.domain.abilities import CANNOT, can
from payops.domain.errors import PayopsError, ProviderError
from payops.domain.events import Delivery, Owed
from payops.domain.forwarding import HOLD, Content, Forwarding
from payops.domain.payments import Provider
from payops.providers.port import Patience
from payops.store import Store
from payops.store.forwards import NO_RELAY

from .held import Held, Raw

log = logging.getLogger(__name__)

Fetch = Callable[[str, str, datetime], bytes]
"""Account, event id, now → the event as its provider shows it; raises what the port raises."""
Headers = tuple[tuple[str, str], ...]

FRESH = timedelta(seconds=240)
"""Stripe's signature is good for 5 minutes from its sending: an older one is made anew where that can be done."""
BATCH = 50


@dataclass(frozen=True, slots=True)
class Target:
    """One application behind a relay: where it really is, and what it verifies events with, where that is known."""

    account: str
    endpoint: str
    provider: Provider
    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


Targets = Mapping[tuple[str, str], Target]


def targets(settings: Settings, secrets: Callable[[str], str], routes: Mapping[str, str]) -> Targets:
    """(account, endpoint) → the application, of each relay of the configuration. `UsageError`: a secret is missing."""
    return {
        (account.name, endpoint.name): Target(
            account.name,
            endpoint.name,
            account.provider,
            _reached_at(endpoint.forward_to, routes),
            None if endpoint.resign_secret is None else secrets(endpoint.resign_secret),
        )
        for account in settings.accounts
        for endpoint in account.endpoints
        if endpoint.topology == "relay" and endpoint.forward_to is not None
    }


def _reached_at(url: str, routes: Mapping[str, str]) -> str:
    for public, real in routes.items():
        if url.startswith(public.rstrip("/") + "/"):
            return real.rstrip("/") + url[len(public.rstrip("/")) :]
    return url


class Relay:
    """What the receiver needs to know: to whom an event is owed, and where its bytes wait meanwhile."""

    def __init__(self, applications: Targets, holder: str, wake: Callable[[], None] = lambda: None) -> None:
        self.holder = holder
        self.held = Held()
        self._wake = wake
        self._endpoints: dict[str, tuple[str, ...]] = {}
        for account, endpoint in applications:
            self._endpoints[account] = (*self._endpoints.get(account, ()), endpoint)

    def owed(self, account: str, now: datetime) -> Owed | None:
        """To whom an event of the account is owed; None = to nobody."""
        endpoints = self._endpoints.get(account)
        return None if endpoints is None else Owed(endpoints, self.holder, now + HOLD)

    def keep(self, delivery: Delivery, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Hold the bytes of a delivery that is on disk, and have it forwarded."""
        self.held.keep(delivery.account, delivery.event.event_id, body, headers, delivery.received_at)
        self._wake()


@dataclass(frozen=True, slots=True)
class _Letter:
    """What one try carries."""

    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    content: Content


@dataclass(frozen=True, slots=True)
class _Without:
    """There is nothing to carry; `final`: nor will there be."""

    why: str
    final: bool


class Forwarder:
    """Makes the tries that are due. `fetch` None: this process forwards only what it has received itself.

    Any number of processes may; the store lets one of them make each try. Threads may share one.
    """

    def __init__(
        self,
        store: Store,
        applications: Targets,
        relay: Relay,
        fetch: Fetch | None,
        patience: Patience | None = None,
    ) -> None:
        from payops.providers.web import Web

        self._store = store
        self._targets = applications
        self._relay = relay
        self._fetch = fetch
        self._web = Web(patience or Patience(), use_environment=False)

    @property
    def applications(self) -> tuple[tuple[str, str], ...]:
        """(account, endpoint) of each relay."""
        return tuple(self._targets)

    def due(
        self,
        now: datetime,
        *,
        others: bool,
        only: tuple[str, str] | None = None,
        but: frozenset[str] = frozenset(),
    ) -> list[Forwarding]:
        """What this process may try now; `others`: also what no living process holds the bytes of.

        `only` and `but`: of one application, without its events under way.
        """
        fetches = others and self._fetch is not None
        found = self._store.forwards.due(
            now, self._relay.holder, others=fetches, limit=BATCH, only=only, but=but
        )
        return [row for row in found if self._mine(row)]

    def forward_due(self, now: datetime) -> int:
        """Make every try that is due, one after the other; how many were made. For stepped time."""
        made = 0
        while rows := self.due(now, others=True):
            made += sum(self.forward(row, now) is not None for row in rows)
        return made

    def forward(self, row: Forwarding, now: datetime) -> Forwarding | None:
        """Make one try; the row as it is afterwards, None where another process made it."""
        claimed = self._store.forwards.claim(row, now, self._relay.holder)
        if claimed is None:
            return None
        target = self._targets.get((row.account, row.endpoint))
        if target is None:
            self._store.forwards.failed(claimed, None, NO_RELAY, None, final=True)
        else:
            self._try(claimed, target, now)
        return self._store.forwards.get(row.account, row.endpoint, row.event_id)

    def close(self) -> None:
        self._web.close()

    def _mine(self, row: Forwarding) -> bool:
        """Without its bytes, and without a way to fetch them, a row is let go for who can."""
        if self._fetch is not None or self._relay.held.get(row.account, row.event_id) is not None:
            return True
        self._store.forwards.let_go(row)
        return False

    def _try(self, row: Forwarding, target: Target, now: datetime) -> None:
        letter = self._letter(row, target, now)
        forwards = self._store.forwards
        if isinstance(letter, _Without):
            self._failed(row, None, letter.why, None, final=letter.final)
            return
        status, error = self._post(row, target, letter)
        if status is not None and 200 <= status < 300:
            forwards.delivered(row, status, letter.content, now)
            if all(each.state == "delivered" for each in forwards.of_event(row.account, row.event_id)):
                self._relay.held.drop(row.account, row.event_id)
            return
        self._failed(row, status, error, letter.content, final=False)

    def _letter(self, row: Forwarding, target: Target, now: datetime) -> _Letter | _Without:
        raw = self._relay.held.get(row.account, row.event_id)
        if raw is not None:
            return _as_received(raw, target, now)
        if not can(target.provider, "list_events"):
            named = self._store.inbox.row(row.account, row.event_id)
            about = f"; its object is {named.event.object_id}" if named and named.event.object_id else ""
            why = "its bytes were held in memory only and are gone"
            return _Without(f"{why}: {CANNOT[target.provider]['list_events']}{about}", True)
        if self._fetch is None:
            return _Without("its bytes are not in this process's memory", False)
        try:
            body = self._fetch(row.account, row.event_id, now)
        except ProviderError as error:
            gone = error.bucket == "invalid_request"
            return _Without(f"not fetched: {error.bucket}: {error.message}", gone)
        except PayopsError as error:
            return _Without(f"not fetched: {error}", False)
        headers: Headers = (("Content-Type", "application/json; charset=utf-8"),)
        if target.secret is None:
            return _Letter(body, headers, "fetched")
        return _Letter(body, (*headers, _signature(body, target.secret, now)), "fetched and signed")

    def _post(self, row: Forwarding, target: Target, letter: _Letter) -> tuple[int | None, str]:
        """The status of the answer, None where there was none, and what is wrong with it."""
        from payops.providers.web import NoAnswer

        headers = {
            **dict(letter.headers),
            "Payops-Event": row.event_id,
            "Payops-Try": str(row.tries),
            "Payops-Content": letter.content.replace(" ", "-"),
        }
        try:
            status = self._web.send("forward", "POST", target.url, headers=headers, data=letter.body).status
        except NoAnswer as error:
            return None, str(error)
        except Exception as error:  # what a library says of a header may quote it
            return None, f"it could not be sent ({type(error).__name__})"
        finally:
            self._web.drain()
        unsigned = letter.content == "fetched" and status in (400, 401, 403)
        why = ": it was fetched from the provider, whose signature it cannot carry" if unsigned else ""
        return status, f"the application answered {status}{why}"

    def _failed(
        self, row: Forwarding, status: int | None, error: str, content: Content | None, *, final: bool
    ) -> None:
        dead = self._store.forwards.failed(row, status, error, content, final=final)
        log.log(
            logging.WARNING if dead else logging.INFO,
            "%s %s: %s to %s: %s",
            row.account,
            row.event_id,
            "given up forwarding" if dead else "not forwarded",
            row.endpoint,
            error,
        )


def _as_received(raw: Raw, target: Target, now: datetime) -> _Letter:
    """Byte for byte; with a signature of now where the provider's has grown too old and ours is allowed."""
    if target.secret is None or now - raw.received_at <= FRESH:
        return _Letter(raw.body, raw.headers, "received")
    kept = tuple(each for each in raw.headers if each[0].lower() != "stripe-signature")
    return _Letter(raw.body, (*kept, _signature(raw.body, target.secret, now)), "signed again")


def _signature(body: bytes, secret: str, now: datetime) -> tuple[str, str]:
    """As Stripe signs: facts/providers.md A4."""
    second = to_epoch(now)
    mac = hmac.new(secret.encode(), f"{second}.".encode() + body, sha256).hexdigest()
    return "Stripe-Signature", f"t={second},v1={mac}"
