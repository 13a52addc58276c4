"""Replay: from our own inbox once more, or to an application.

The internal one needs nothing of the provider: an event is put back, and processed like one that just came. Facts
are idempotent, so what it states twice is stored once. For an application our redacted copy is useless: its provider
is asked to send the event to the application's endpoint again, and for one behind a relay it is fetched by its id and
forwarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from payops.clock import to_epoch
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.abilities import CANNOT, Ability, can
from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.events import Endpoint, Facts
from payops.domain.gaps import worth
from payops.domain.money import Money, totals
from payops.domain.payments import PROVIDER_NAMES
from payops.providers import open_provider
from payops.providers.port import Provider, WebhookVerifier
from payops.receiver.processing import process_inbox
from payops.signals.webhooks import at_provider
from payops.signals.words import plural
from payops.store import Store
from payops.store.inbox import InboxRow
from payops.text import did_you_mean, safe_line

from .forwarding import fetch_from, open_forwarder, open_relay
from .outside import Outside, real_world
from .wiring import open_verifiers

if TYPE_CHECKING:
    from .commands import Hands, Request

BATCH = 500
"""Events one command puts back: the engine does nothing else meanwhile."""
RESENT_TOGETHER = 10
"""Events one command asks a provider to send: each is a call that may take its whole time limit."""
MOST = 10_000
"""Events one replay takes; beyond that a narrower filter is the better tool."""
_NAMED = 3
_OVERTAKEN = "overtaken: a later state of its object is known"


@dataclass(frozen=True, slots=True)
class Skipped:
    """One event a replay leaves alone, and why."""

    row: InboxRow
    why: str


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay would do: `rows` oldest object first, and what it leaves alone."""

    rows: tuple[InboxRow, ...]
    skipped: tuple[Skipped, ...]
    money: tuple[Money, ...]
    """What the paid purchases among `rows` are worth, per currency."""

    @classmethod
    def of(cls, rows: Sequence[InboxRow]) -> ReplayPlan:
        """All of them, in order."""
        taken = sorted(rows, key=_place)
        return cls(tuple(taken), (), _worth(taken))

    @property
    def oldest_at(self) -> datetime | None:
        return self.rows[0].event.created_at if self.rows else None

    @property
    def newest_at(self) -> datetime | None:
        return self.rows[-1].event.created_at if self.rows else None


def plan_to_application(
    store: Store, verifiers: Mapping[str, WebhookVerifier], rows: Sequence[InboxRow]
) -> ReplayPlan:
    """What an application is to get again. Reads only.

    Left out is what a later state of its object has overtaken: acting on it late could undo what followed.
    """
    taken: list[InboxRow] = []
    skipped: list[Skipped] = []
    for row in sorted(rows, key=_place):
        verifier = verifiers.get(row.account)
        facts = _facts(verifier, row) if verifier is not None and row.body else None
        if facts is not None and store.inbox.overtaken(row.account, facts):
            skipped.append(Skipped(row, _OVERTAKEN))
        else:
            taken.append(row)
    return ReplayPlan(tuple(taken), tuple(skipped), _worth(taken))


def plan(store: Store, verifiers: Mapping[str, WebhookVerifier], rows: Sequence[InboxRow]) -> ReplayPlan:
    """Judge what was selected. Reads only.

    A processed event whose objects are all known in a later state is overtaken: processing it again could change
    nothing. One that never was processed is taken all the same, for it is settled by that.
    """
    taken: list[InboxRow] = []
    skipped: list[Skipped] = []
    for row in sorted(rows, key=_place):
        why = _why_not(store, verifiers, row)
        if why:
            skipped.append(Skipped(row, why))
        else:
            taken.append(row)
    return ReplayPlan(tuple(taken), tuple(skipped), _worth(taken))


def batches(rows: Sequence[InboxRow], together: int = BATCH) -> list[list[InboxRow]]:
    """A canary of one, then the rest."""
    rest = list(rows[1:])
    parts = [rest[start : start + together] for start in range(0, len(rest), together)]
    return [list(rows[:1]), *parts] if rows else []


def fields(rows: Sequence[InboxRow], reason: str) -> dict[str, str]:
    """The words of the command that replays these rows."""
    # A letter before each number: a list of bare numbers can look like a card number, and would be masked.
    return {"rows": ",".join(f"n{row.id}" for row in rows), "reason": reason}


def resend_fields(
    account: str, endpoint: str, event_ids: Sequence[str], reason: str, sender: str = ""
) -> dict[str, str]:
    """The words of the command that brings these events to an application again.

    `sender`: `provider` where the provider is to send them to a relay, rather than payops to fetch and forward them.
    """
    words = {"account": account, "endpoint": endpoint, "events": ",".join(event_ids), "reason": reason}
    return {**words, "sender": sender} if sender else words


def replay(hands: Hands, request: Request) -> str:
    """Carry out one command of either kind; what was done, as a sentence."""
    if request.fields.get("endpoint", "").strip():
        return _resend(hands, request)
    return _process_again(hands, request)


def application(
    settings: Settings, account: str, name: str, rows: Sequence[InboxRow] = (), sender: str = ""
) -> tuple[AccountSettings, EndpointSettings]:
    """The configured endpoint of an application: one that its provider can be asked to send to again, or a relay's.

    Where it cannot, the refusal lists the objects of `rows`: what is to be looked at by hand.
    """
    owner = settings.account(account)
    known = {endpoint.name: endpoint for endpoint in owner.endpoints}
    if name not in known:
        raise UsageError(
            f"no endpoint {safe_line(name)!r} of {owner.name}{did_you_mean(name, known)}; "
            f"known: {', '.join(known) or 'none'}"
        )
    relay = known[name].topology == "relay"
    if owner.receives(known[name]) and not relay:
        raise UsageError(f"{name} is payops's own endpoint: replay from the inbox, without --to")
    if sender and not relay:
        raise UsageError(f"{name} is not relayed: its provider sends to it anyway, without --resend")
    needed: Ability = "list_events" if relay and not sender else "resend_event"
    if not can(owner.provider, needed):
        objects = ", ".join(dict.fromkeys(row.event.object_id for row in rows if row.event.object_id))
        raise NotPossible(
            CANNOT[owner.provider][needed] + (f"; the objects are {objects}" if objects else "")
        )
    return owner, known[name]


def _place(row: InboxRow) -> tuple[datetime, int]:
    return row.event.created_at, row.id


def _why_not(store: Store, verifiers: Mapping[str, WebhookVerifier], row: InboxRow) -> str:
    if not row.body:
        return (
            "known from the provider's list only, it was never delivered here"
            if row.verdict == "imported"
            else "its body is not kept any more"
        )
    verifier = verifiers.get(row.account)
    if verifier is None:
        return f"{row.account} has no webhook secrets in the configuration"
    if row.state != "processed":
        return ""
    facts = _facts(verifier, row)
    if facts is not None and store.inbox.overtaken(row.account, facts):
        return _OVERTAKEN
    return ""


def _facts(verifier: WebhookVerifier, row: InboxRow) -> Facts | None:
    try:
        payload = msgspec.json.decode(row.body)
        return verifier.facts(payload) if isinstance(payload, dict) else None
    except Exception:
        return None  # the replay itself will say what is wrong with it


def _worth(rows: Sequence[InboxRow]) -> tuple[Money, ...]:
    accounts = dict.fromkeys(row.account for row in rows)
    return totals(
        money for account in accounts for money in worth(row.event for row in rows if row.account == account)
    )


class _Alone:
    """The turn of a process that receives nothing itself, or is about to answer for it."""

    def processing(self) -> nullcontext[None]:
        return nullcontext()


def _process_again(hands: Hands, request: Request) -> str:
    store, now = hands.store, request.now
    _needed(request, "reason")
    ids = _row_ids(_needed(request, "rows"))
    verifiers = open_verifiers(hands.settings, _outside(hands), store)
    back = store.inbox.put_back(ids)
    process_inbox(store, verifiers, now, _Alone())
    rows = store.inbox.rows(ids)
    if not back or not rows:
        raise NotPossible("replay: none of these events can be processed again: their bodies are not kept")
    failed = [row for row in rows if row.body and row.state != "processed"]
    said = f"{plural(back - len(failed), 'event')} processed again ({_span(rows)})"
    if failed:
        said += f"; {len(failed)} failed: {', '.join(_failure(row) for row in failed[:_NAMED])}"
        said += "…" if len(failed) > _NAMED else ""
    return said


def _resend(hands: Hands, request: Request) -> str:
    _needed(request, "reason")
    sender = request.fields.get("sender", "").strip()
    if sender not in ("", "provider"):
        raise UsageError(f"replay: sender must be provider or left out, got {safe_line(sender)!r}")
    account, endpoint = application(
        hands.settings, _needed(request, "account"), _needed(request, "endpoint"), sender=sender
    )
    event_ids = [part for part in _needed(request, "events").split(",") if part]
    if endpoint.topology == "relay" and not sender:
        return _forward(hands, account, endpoint, event_ids, request.now)
    target = _target(hands.store, account, endpoint)
    sent: list[str] = []
    with _provider(hands, account, request.now) as provider:
        for event_id in event_ids:
            key = f"payops-replay-{to_epoch(request.now)}-{event_id}"
            if sender:
                hands.store.forwards.expect(account.name, endpoint.name, event_id, request.now)
            try:
                provider.resend_event(event_id, target.endpoint_id, key, request.now)
            except ProviderError as error:
                raise NotPossible(_not_sent(event_id, endpoint, sent, error)) from error
            sent.append(event_id)
    follows = (
        "each is forwarded when it comes" if sender else "whether the application took them is not seen here"
    )
    return (
        f"{PROVIDER_NAMES[account.provider]} was asked to send {plural(len(sent), 'event')} to {endpoint.name} "
        f"again; {follows}"
    )


def _forward(
    hands: Hands,
    account: AccountSettings,
    endpoint: EndpointSettings,
    event_ids: Sequence[str],
    now: datetime,
) -> str:
    """Fetch each event and forward it to the application behind a relay, one try each; later ones follow by themselves."""
    _running(hands.store)
    forwards, outside = hands.store.forwards, _outside(hands)
    holder = f"replay {to_epoch(now)} {event_ids[0]}"
    forwards.owe_again(account.name, endpoint.name, event_ids, holder, now)
    relay = open_relay(hands.settings, outside, holder, lambda: None)
    with _provider(hands, account, now) as provider:
        fetch = fetch_from({account.name: provider})
        forwarder = open_forwarder(hands.store, hands.settings, outside, fetch, relay)
        try:
            for event_id in event_ids:
                row = forwards.get(account.name, endpoint.name, event_id)
                if row is not None and row.state == "waiting":
                    forwarder.forward(row, now)
        finally:
            forwarder.close()
    rows = [forwards.get(account.name, endpoint.name, event_id) for event_id in event_ids]
    failed = [row for row in rows if row is not None and row.state != "delivered"]
    said = f"{plural(len(rows) - len(failed), 'event')} fetched and taken by {endpoint.name}"
    if failed:
        shown = ", ".join(f"{row.event_id}: {row.last_error}" for row in failed[:_NAMED])
        said += f"; {len(failed)} not taken: {shown}{'…' if len(failed) > _NAMED else ''}"
    return said


@contextmanager
def _provider(hands: Hands, account: AccountSettings, now: datetime) -> Iterator[Provider]:
    """The account's adapter with the credential in use, for one command; its calls are counted."""
    outside = _outside(hands)
    provider = open_provider(account, outside.secrets, outside.patience)
    try:
        slot = hands.store.facts.active_slot(account.name)
        if slot < account.slots:
            provider.use_slot(slot)
        yield provider
    finally:
        hands.store.facts.record_calls(account.name, provider.calls(), now)
        provider.close()


def _outside(hands: Hands) -> Outside:
    return hands.outside or real_world(hands.settings)


def _running(store: Store) -> None:
    stopped = store.switches.stopped()
    if stopped is not None:
        raise NotPossible(f"everything is stopped by {stopped.who}: nothing is sent until `payops resume`")


def _target(store: Store, account: AccountSettings, endpoint: EndpointSettings) -> Endpoint:
    """The application's endpoint as the provider knows it, when a write to it may go out now."""
    _running(store)
    proof = store.facts.proof(account.name)
    if proof is None or not proof.ok or proof.mode != account.mode:
        raise NotPossible(
            f"{account.name}: the credential is not proven to be of the mode {account.mode}; see `payops doctor`"
        )
    found = at_provider(store, account, endpoint)
    if found is None:
        raise NotPossible(
            f"the provider lists no endpoint with the URL {endpoint.url}; see `payops webhooks endpoints`"
        )
    if found.status == "disabled":
        raise NotPossible(f"{found.endpoint_id} is disabled: enable it first, a resend would not be sent")
    return found


def _not_sent(event_id: str, endpoint: EndpointSettings, sent: Sequence[str], error: ProviderError) -> str:
    known = error.bucket in ("network", "outage", "conflict")
    what = "not known whether it was sent" if known else "not resendable here"
    before = f"{plural(len(sent), 'event')} sent to {endpoint.name} before it; " if sent else ""
    return f"{event_id}: {what}: {error.bucket}, {error.message}; {before}send the rest from the provider's dashboard"


def _needed(request: Request, name: str) -> str:
    value = request.fields.get(name, "").strip()
    if not value:
        raise UsageError(f"replay: {name} is empty")
    return value


def _row_ids(text: str) -> list[int]:
    ids = [part.removeprefix("n") for part in text.replace(",", " ").split()]
    if len(ids) > BATCH or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in ids):
        raise UsageError(f"replay: rows must be at most {BATCH} row numbers such as n12,n13")
    return [int(part) for part in ids]


def _span(rows: Sequence[InboxRow]) -> str:
    first, last = rows[0].event.event_id, rows[-1].event.event_id
    return first if len(rows) == 1 else f"{first} to {last}"


def _failure(row: InboxRow) -> str:
    return f"{row.event.event_id}: {safe_line(row.error or row.state)}"
