"""`diagnose`: say which slice fails, with which codes, and whose side that points to. It changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal, get_args

from payops.domain.plans import Plan, Refusal
from payops.signals.onset import onset
from payops.signals.success import baseline
from payops.text import safe_line

from .journal import Journal
from .results import Checked, Context, Ended, Result

LOOK_BACK = timedelta(hours=1)
Column = Literal["card_brand", "country", "method", "currency"]
COLUMNS: tuple[Column, ...] = get_args(Column)
LEAST = 5
"""A slice with fewer payments says nothing."""
SIDES: dict[str, tuple[str, ...]] = {
    "the issuers": (
        "do_not_honor",
        "insufficient_funds",
        "generic_decline",
        "card_declined",
        "expired_card",
        "lost_card",
        "stolen_card",
        "pickup_card",
        "restricted_card",
        "transaction_not_allowed",
        "issuer_not_available",
        "try_again_later",
        "withdrawal_count_limit_exceeded",
        "card_velocity_exceeded",
        "not_permitted",
        "authentication_required",
    ),
    "the provider": ("processing_error", "reenter_transaction", "approve_with_id", "service_not_allowed"),
    "our own integration or rules": (
        "incorrect_number",
        "invalid_number",
        "incorrect_cvc",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_amount",
        "currency_not_supported",
        "duplicate_transaction",
        "testmode_decline",
        "rule",
        "highest_risk_level",
        "blocked",
    ),
}
"""Whose side a decline code points to; a code that is not here points nowhere."""


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
    parts = [f"{failed} of {n} first attempts failed since {since:%H:%M} UTC ({failed / n:.0%})."]
    parts.append(_slice_sentence(_guilty(context, since)))
    codes = context.store.facts.decline_codes(account, since)
    if codes:
        shown = ", ".join(f"{safe_line(code, limit=40)} {count}" for code, count in codes[:4])
        parts.append(f"Codes: {shown}.")
    parts.append(_side_sentence(codes))
    return " ".join(parts)


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
    share = f"{guilty.failed / guilty.n:.0%}"
    others = f"{guilty.others_failed} of {guilty.others} ({guilty.others_failed / guilty.others:.0%})"
    name = guilty.column.replace("_", " ")
    return (
        f"It is {name} {safe_line(guilty.value, limit=40)}: {guilty.failed} of {guilty.n} failed ({share}), "
        f"of all others {others}."
    )


def _side_sentence(codes: list[tuple[str, int]]) -> str:
    known = set(chain.from_iterable(SIDES.values()))
    counted = {side: sum(count for code, count in codes if code in listed) for side, listed in SIDES.items()}
    total = sum(count for _, count in codes)
    side, most = max(counted.items(), key=lambda item: item[1])
    if not total or most < 0.6 * total:
        unknown = sum(count for code, count in codes if code not in known)
        return (
            f"Whose side it is on is unknown: {unknown} of {total} codes point nowhere."
            if total
            else ("Whose side it is on is unknown: the provider gave no decline code.")
        )
    return f"{most} of {total} codes point to {side}."
