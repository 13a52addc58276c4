"""Whose side a drop is on: ours, the provider's, the issuers' or the traffic's; with its evidence, or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from payops.domain.changes import KINDS
from payops.domain.decline import Category, lookup
from payops.domain.feeds import SIGHT
from payops.domain.payments import PROVIDER_NAMES, Provider
from payops.store import Store
from payops.text import safe_line

from .drop import Drop
from .slices import said
from .standing import standing
from .timeline import Suspected, suspects
from .words import plural

Side = Literal["us", "provider", "issuer", "traffic", "unknown"]
SIDES: tuple[Side, ...] = get_args(Side)
_OF: dict[Category, Side] = {
    "soft": "issuer",
    "hard": "issuer",
    "do_not_retry": "issuer",
    "needs_customer": "unknown",
    "merchant_rule": "us",
    "network": "provider",
    "unknown": "unknown",
}
"""Whose refusals the declines of a category are; what only the customer can clear points nowhere by itself."""
MOST = 0.6
"""The share of the extra failures that must point to one side."""
NEAR = 0.5
"""A change of ours counts from this weight on: a deploy within twenty minutes before the onset."""
FAILING = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """One side and what speaks for it, the strongest first; `change` is the one most likely behind it."""

    side: Side
    because: tuple[str, ...]
    change: Suspected | None = None

    @property
    def sentence(self) -> str:
        names = {
            "us": "ours",
            "provider": "the provider's",
            "issuer": "the issuers'",
            "traffic": "the traffic's",
            "unknown": "unknown",
        }
        return f"Whose side: {names[self.side]}: {'; '.join(self.because)}."


def verdict(store: Store, account: str, provider: Provider, drop: Drop, now: datetime) -> Verdict:
    """The side of a drop: what the traffic and the provider's answers show, then our changes, then the declines."""
    near = next(iter(suspects(store, account, drop.since)), None)
    if standing(store, account, "testing").alarm is not None:
        return Verdict("traffic", ("somebody tries stolen cards: card-testing says more",), near)
    failing = _calls(store, account, provider, drop, now)
    if failing is not None:
        return Verdict("provider", (failing,), near)
    elsewhere = _elsewhere(store, account)
    side, told = _declines(provider, drop)
    where = said(drop.slice)
    placed = f"{where} stands out" if where else "no slice stands out"
    some_issuers = side == "issuer" and _of_issuers(drop)
    if near is not None and near.weight >= NEAR and KINDS[near.change.kind].ours and not some_issuers:
        return Verdict("us", (_changed(near, drop), *told, placed), near)
    if elsewhere:
        return Verdict("us", (f"acceptance fell at {elsewhere} as well", *told), near)
    if side == "issuer" and not some_issuers:
        # Issuers of every brand and country at once: more likely what all of them were sent.
        return Verdict("unknown", (*told, f"but {placed}: issuers rarely refuse all at once"), near)
    if side != "unknown":
        return Verdict(side, (*told, placed, *_nothing(near)), near)
    return Verdict("unknown", (*(told or ("too few failures carry a reason",)), placed), near)


def _calls(store: Store, account: str, provider: Provider, drop: Drop, now: datetime) -> str | None:
    stats = store.facts.call_stats(account, drop.since, now)
    failed = stats.outage + stats.network
    if stats.n >= 5 and failed >= FAILING * stats.n:
        return f"{failed} of {plural(stats.n, 'call')} of payops's own failed at {PROVIDER_NAMES[provider]} since then"
    if standing(store, account, "calls").alarm is not None:
        return f"{PROVIDER_NAMES[provider]} answers slower than it usually does"
    return None


def _elsewhere(store: Store, account: str) -> str:
    """Another account whose acceptance fell at the same time: what they share is us."""
    found = {
        row.account for row in store.streams.rows_alarmed("acceptance") if row.account not in ("", account)
    }
    return safe_line(", ".join(sorted(found)), limit=80)


def _declines(provider: Provider, drop: Drop) -> tuple[Side, tuple[str, ...]]:
    """The side most of the extra failures point to by their codes."""
    extra: dict[Side, float] = {}
    codes: dict[Side, list[str]] = {}
    for found in drop.codes:
        side = _OF[lookup(provider, found.code).category]
        extra[side] = extra.get(side, 0.0) + found.excess
        codes.setdefault(side, []).append(safe_line(found.code, limit=40))
    total = sum(extra.values())
    if not total or not SIGHT[provider].all_declines:
        return "unknown", ()
    side = max(extra, key=lambda each: extra[each])
    names = ", ".join(codes[side][:2])
    told = f"{min(round(extra[side]), drop.extra)} of the {drop.extra} extra failures are {_WHAT[side]} ({names})"
    return (side if extra[side] >= MOST * total else "unknown"), (told,)


_WHAT: dict[Side, str] = {
    "us": "refusals of our requests or rules",
    "provider": "failures of the provider or the network",
    "issuer": "refusals by issuers",
    "traffic": "of unknown buyers",
    "unknown": "of a kind that points nowhere",
}


def _of_issuers(drop: Drop) -> bool:
    """A brand or a country is refused: issuers are behind such a slice, not behind all of them."""
    return any(column in ("card_brand", "country", "currency") for column, _ in drop.slice)


def _changed(near: Suspected, drop: Drop) -> str:
    change = near.change
    minutes = round((drop.since - change.at).total_seconds() / 60)
    ago = f"{plural(minutes, 'minute')} before" if minutes > 0 else "at the same time"
    return f"{KINDS[change.kind].said} {ago} ({safe_line(change.text, limit=80)})"


def _nothing(near: Suspected | None) -> tuple[str, ...]:
    return () if near is not None else ("nothing of ours is known to have changed in the two hours before",)
