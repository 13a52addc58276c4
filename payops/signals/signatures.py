"""Webhooks that reached our receiver and did not prove their origin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings, EndpointSettings
from payops.domain.events import WRONG_PATH
from payops.domain.feeds import EVENT_LIST
from payops.domain.incidents import Value
from payops.domain.refusals import fix_of
from payops.store import Store

from .mode import next_minute
from .rows import age_s, endpoint_labels
from .schema import SOURCES, SignalRow
from .slots import webhook_slot
from .webhooks import missing

RECENT = timedelta(minutes=15)
LOOK_BACK = timedelta(hours=6)
"""A refused webhook is sent again within hours; where events are rare they are what there is to count."""
_MOST_NAMED = 2
KINDS = ("signature", "timestamp", "header", "body", "mode")


def row(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> SignalRow:
    """The `webhook_signatures` signal of one configured endpoint.

    Refusals are counted per account: endpoints of ours on one account share them.
    """
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["webhook_signatures"].fields)
    slot = webhook_slot(store, account)
    others = [each for each in range(account.slots) if each != slot and account.verifies(each)]
    values["fallbacks"] = len(others)
    values["listed"] = EVENT_LIST[account.provider] is not None
    if account.receives(endpoint) and account.verifies(slot):
        refused = store.inbox.refusals(account.name, now - RECENT)
        live = account.mode == "live"
        ours, other = store.inbox.verified_since(account.name, now - RECENT, live=live)
        good = last_good(store, account)
        after = max(now - LOOK_BACK, good + timedelta(seconds=1)) if good else now - LOOK_BACK
        total = sum(count for kind, count in refused.items() if kind != WRONG_PATH)
        deliveries = total + ours + other
        gap = missing(store, account, endpoint, now)
        values |= {f"{kind}_15m": refused.get(kind, 0) for kind in KINDS}
        values |= {
            "refused_15m": total,
            "share_15m": total / deliveries if deliveries else None,
            "since_good": since_good(store, account, now),
            "last_good_s": age_s(good, now),
            # What only claims to be of the other mode says which rule speaks of it; a rule needs failures besides.
            "other_mode_15m": refused.get("mode", 0) + refused.get("claim", 0) + other,
            "causes": "; ".join(str(each) for each in explained(store, account.name, now)[:_MOST_NAMED]),
            "other_since_good": store.inbox.verified_since(account.name, after, live=live)[1],
            "missing": gap.count if gap else None,
        }
    return SignalRow(endpoint_labels(account, endpoint), values, now)


@dataclass(frozen=True, slots=True)
class Explained:
    """Refusals for one reason, and what to do about it where that is known."""

    reason: str
    count: int
    fix: str | None

    def __str__(self) -> str:
        return f"{self.count} × {self.reason}" + (f": {self.fix}" if self.fix else "")


def explained(store: Store, account: str, now: datetime) -> list[Explained]:
    """Why webhooks were refused in the last 15 minutes, most first."""
    return [
        Explained(reason, count, fix_of(reason))
        for _, reason, count in store.inbox.refused_since(account, now - RECENT)
    ]


def last_good(store: Store, account: AccountSettings) -> datetime | None:
    """When the newest event that verified and is not of the other mode was received."""
    return store.inbox.last_verified_at(account.name, live=account.mode == "live")


def since_good(store: Store, account: AccountSettings, now: datetime) -> int:
    """Deliveries whose signature failed since then, in the last 6 hours at most.

    They are counted by the minute: those of the minute of the good one are left out.
    """
    good, since = last_good(store, account), now - LOOK_BACK
    if good is not None:
        since = max(since, next_minute(good))
    return store.inbox.refusals(account.name, since).get("signature", 0)
