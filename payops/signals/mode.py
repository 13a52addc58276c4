"""What arrived or was found of the other mode, and what proves it. Kept apart, it never enters a live rate."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from payops.clock import from_epoch
from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.domain.payments import OTHER_MODE
from payops.store import Store

from .rows import account_labels
from .schema import SignalRow
from .webhooks import at_provider
from .words import be, plural

RECENT = timedelta(minutes=15)
HOUR = timedelta(hours=1)
RESENT_FOR = timedelta(hours=24)
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Apart:
    """What is kept apart and nobody has confirmed yet: ids of quarantined events, and webhooks refused as such."""

    events: tuple[str, ...]
    refused: int

    @property
    def count(self) -> int:
        return len(self.events) + self.refused


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `mode` signal of one account."""
    name, live = account.name, account.mode == "live"
    ours, other = store.inbox.verified_since(name, now - RECENT, live=live)
    values: dict[str, Value | None] = {
        "wrong_mode_events_1h": store.facts.wrong_mode_count(name, now - HOUR),
        "unconfirmed_1h": unconfirmed(store, name, now).count,
        "refused_mode_15m": store.inbox.refusals(name, now - RECENT).get("mode", 0),
        "refused_mode_1h": store.inbox.refusals(name, now - HOUR).get("mode", 0),
        "other_verified_15m": other,
        "ours_verified_15m": ours,
        "endpoint_mismatch": _endpoint_mismatch(store, account),
        "webhook_id_absent": _webhook_id_absent(store, account),
    }
    values["evidence"] = "; ".join(_evidence(account, values))
    return SignalRow(account_labels(account), values, now)


def unconfirmed(store: Store, account: str, now: datetime) -> Apart:
    """What came of the other mode in the last hour since somebody or something last confirmed it as kept apart."""
    confirmed_at, known = _confirmed(store, account)
    since = now - HOUR
    events = [event for event in store.facts.quarantined(account, MOST) if event.created_at >= since]
    # A refused webhook is sent again for days, and has no name: one confirmation covers a day of them.
    covered = confirmed_at is not None and now - confirmed_at < RESENT_FOR
    return Apart(
        tuple(event.event_id for event in events if short_hash(event.event_id) not in known),
        0 if covered else store.inbox.refusals(account, since).get("mode", 0),
    )


def confirmation(account: str) -> str:
    """The name under which the store keeps what was confirmed."""
    return f"other mode confirmed of {account}"


def stored_webhook(account: str) -> str:
    """The name under which the store keeps which webhook the configuration means, hashed."""
    return f"webhook meant by {account}"


def short_hash(text: str) -> str:
    """48 bits that say whether two ids are the same, and no more."""
    return sha256(text.encode()).hexdigest()[:12]


def next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _confirmed(store: Store, account: str) -> tuple[datetime | None, Collection[str]]:
    kept = store.switches.meta_get(confirmation(account))
    if kept is None:
        return None, ()
    document = json.loads(kept)
    return from_epoch(document["at"]), frozenset(document["ids"])


def _endpoint_mismatch(store: Store, account: AccountSettings) -> bool | None:
    """None where no listed endpoint of ours tells its mode."""
    found = [at_provider(store, account, each) for each in account.endpoints if account.receives(each)]
    told = [each.livemode for each in found if each is not None and each.livemode is not None]
    return any(live != (account.mode == "live") for live in told) if told else None


def _webhook_id_absent(store: Store, account: AccountSettings) -> bool | None:
    meant = store.switches.meta_get(stored_webhook(account.name))
    if meant is None or store.facts.endpoints_seen_at(account.name) is None:
        return None
    return meant not in {short_hash(each.endpoint_id) for each in store.facts.endpoints(account.name)}


def _evidence(account: AccountSettings, values: dict[str, Value | None]) -> list[str]:
    other = OTHER_MODE[account.mode]
    told = []
    for name, noun, said in (
        ("wrong_mode_events_1h", f"{other} event", "in quarantine"),
        ("refused_mode_1h", "webhook", f"refused as {other}"),
    ):
        count = values[name]
        if isinstance(count, int) and count:
            told.append(f"{plural(count, noun)} {be(count)} {said}")
    if values["endpoint_mismatch"]:
        told.append(f"the endpoint with our URL is a {other} endpoint")
    if values["webhook_id_absent"]:
        told.append(f"the stored webhook id is in no list of {account.mode} mode")
    return told
