"""`diagnose`: say which slice fails, with which codes, and whose side that points to. It changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from payops.domain.decline import CATEGORIES, NOT_TOLD, Category, Tally, by_category, lookup
from payops.domain.payments import Provider
from payops.domain.plans import Plan, Refusal
from payops.signals.onset import onset
from payops.signals.success import baseline
from payops.signals.words import per_cent, plural
from payops.text import safe_line

from .journal import Journal
from .results import Checked, Context, Ended, Result

LOOK_BACK = timedelta(hours=1)
Column = Literal["card_brand", "country", "method", "currency"]
COLUMNS: tuple[Column, ...] = get_args(Column)
LEAST = 5
"""A slice with fewer payments says nothing."""
SIDES: dict[str, tuple[Category, ...]] = {
    "the issuers": ("soft", "hard", "do_not_retry"),
    "the customers, or what the checkout asks of them": ("needs_customer",),
    "a rule, a setting or our requests": ("merchant_rule",),
    "the provider or the card network": ("network",),
}
"""Whose side a category of declines points to; what payops cannot place points nowhere."""
_PLURAL = re.compile(r"\b(refusal|payment|failure)s\b")
SHOWN = 2
"""How many categories of declines are named before the rest is summed, and codes of each."""


@dataclass(frozen=True, slots=True)
class Guilty:
    """One value of a column: its first attempts and those of all the others."""

    column: str
    value: str
    n: int
    failed: int
    others: int
    others_failed: int

    @property
    def excess(self) -> float:
        """Failures beyond what the others' share would give."""
        return self.failed - self.n * (self.others_failed / self.others if self.others else 0.0)


class Diagnose:
    """Level 1 of a drop in acceptance: the cure is a human's, the reading is ours."""

    id = "diagnose"
    action = "payments.diagnose"

    def plan(self, context: Context) -> Plan | Refusal:
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="read",
            steps=(
                f"read the first attempts of {context.account.name} since {_since(context):%H:%M} UTC by card brand, "
                "country, method and currency, and their decline codes",
            ),
            targets=0,
            undo="nothing to undo: it only reads",
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        return Ended("succeeded", diagnosis(context))

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return True

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        return Checked(False, "a diagnosis fixes nothing")


def diagnosis(context: Context) -> str:
    """Rate, guilty slice, codes and side, as sentences; what is not clear is called so."""
    since, now, account = _since(context), context.now, context.account.name
    seen = context.store.facts.window(account, since, now)
    n, failed = seen.n, seen.n - seen.succeeded
    if not n:
        return f"No first attempt since {since:%H:%M} UTC: the traffic stopped, or payops does not see it."
    parts = [
        f"{failed} of {plural(n, 'first attempt')} failed since {since:%H:%M} UTC ({per_cent(failed / n)})."
    ]
    parts.append(_slice_sentence(_guilty(context, since)))
    provider = context.account.provider
    codes = context.store.facts.decline_codes(account, since)
    tallies = by_category(provider, codes)
    parts += [_kind_sentence(tallies), _top_sentence(provider, codes), _side_sentence(tallies)]
    return " ".join(part for part in parts if part)


def _since(context: Context) -> datetime:
    """From when on to look: the onset, or the hour before the opening while there is too little history for one."""
    opened, account = context.incident.opened_at, context.account.name
    usual = baseline(context.store, account, opened)
    if usual is None:
        return opened - LOOK_BACK
    return onset(context.store, account, 1 - usual.share, opened)


def _guilty(context: Context, since: datetime) -> Guilty | None:
    """The slice that holds most of the failures beyond the others' share; None when none stands out."""
    found: list[Guilty] = []
    for column in COLUMNS:
        rows = [
            row
            for row in context.store.facts.slices(context.account.name, since, context.now, column)
            if row.value is not None
        ]
        n, failed = sum(row.n for row in rows), sum(row.failed for row in rows)
        found += [
            Guilty(column, row.value, row.n, row.failed, n - row.n, failed - row.failed)
            for row in rows
            if row.value is not None and LEAST <= row.n < n
        ]
    found.sort(key=lambda each: (-each.excess, each.column, each.value))
    if not found or found[0].excess < max(2.0, 0.25 * found[0].failed):
        return None
    return found[0]


def _slice_sentence(guilty: Guilty | None) -> str:
    if guilty is None:
        return "No card brand, country, method or currency stands out."
    share = per_cent(guilty.failed / guilty.n)
    others = f"{guilty.others_failed} of {guilty.others} ({per_cent(guilty.others_failed / guilty.others)})"
    name = guilty.column.replace("_", " ")
    return (
        f"It is {name} {safe_line(guilty.value, limit=40)}: {guilty.failed} of {guilty.n} failed ({share}), "
        f"of all others {others}."
    )


def _kind_sentence(tallies: tuple[Tally, ...]) -> str:
    """Of what kind the declines are, in words, the codes beside them; empty when there are none."""
    total = sum(tally.n for tally in tallies)
    if not total:
        return ""
    kinds = "; ".join(f"{tally.n} {_kind(tally)} ({_codes(tally)})" for tally in tallies[:SHOWN])
    rest = total - sum(tally.n for tally in tallies[:SHOWN])
    return (
        f"Of {plural(total, 'decline')}: {kinds}; {plural(rest, 'other')}."
        if rest
        else f"Of {plural(total, 'decline')}: {kinds}."
    )


def _kind(tally: Tally) -> str:
    words = CATEGORIES[tally.category]
    return words if tally.n != 1 else _PLURAL.sub(r"\1", words, count=1)


def _codes(tally: Tally) -> str:
    named = [f"{_shown(code)} {count}" for code, count in tally.codes[:SHOWN]]
    return ", ".join(named + ["…"] * (len(tally.codes) > SHOWN))


def _shown(code: str) -> str:
    return "no code" if code == NOT_TOLD else safe_line(code, limit=40)


def _top_sentence(provider: Provider, codes: list[tuple[str, int]]) -> str:
    """What the most frequent code means; empty when there is none."""
    if not codes:
        return ""
    code = codes[0][0]
    return f"{_shown(code)}: {lookup(provider, code).sentence}"


def _side_sentence(tallies: tuple[Tally, ...]) -> str:
    counts = {tally.category: tally.n for tally in tallies}
    total = sum(counts.values())
    if not total:
        return "Whose side it is on is unknown: no first attempt failed with a reason."
    sides = {side: sum(counts.get(each, 0) for each in listed) for side, listed in SIDES.items()}
    side, most = max(sides.items(), key=lambda item: item[1])
    if most >= 0.6 * total:
        return f"{most} of {total} point to {side}."
    if unplaced := counts.get("unknown", 0):
        return f"Whose side it is on is unknown: {unplaced} of {total} point nowhere."
    return "Whose side it is on is unknown: they point to different sides."
