"""What the signals of single objects say, in the words a person would use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from payops.domain.incidents import Value
from payops.text import safe_line

from .grammar import be, minutes, per_cent, plural

Values = Mapping[str, Value | None]
Told = tuple[list[str], set[str]]


def _counted(noun: str, values: Values, *more: str) -> Told:
    """How many stand and what else is known of them; nothing where none does."""
    count = values.get("count")
    if not isinstance(count, int) or not count:
        return [], set(values)
    return [plural(count, noun), *(each for each in more if each)], set(values)


def _some(values: Values, name: str, said: str) -> str:
    """`said` behind the number, where there is one."""
    count = values.get(name)
    return f"{count} {said}" if isinstance(count, int) and count else ""


def _failed_refunds(values: Values) -> Told:
    return _counted(
        "failed refund", values, _some(values, "reissuable", "with a reason that may pass another time")
    )


def _stuck_refunds(values: Values) -> Told:
    why, wait = values.get("why"), values.get("wait_s")
    return _counted(
        "waiting refund",
        values,
        safe_line(why) if isinstance(why, str) else "",
        f"waiting is right for {_span(wait)} more" if isinstance(wait, int) and wait else "",
        _some(values, "overdue", "waiting for longer than that"),
    )


def _excess_refunds(values: Values) -> Told:
    return _counted(
        "refund",
        values,
        "beyond what was left, or too late",
        _some(values, "given_back", "of payments of which more went back than came in"),
    )


def _disputes(values: Values) -> Told:
    told, used = _counted("dispute", values)
    due = values.get("due_s")
    if told and isinstance(due, int):
        told.append(f"the first reply is due in {_span(due)}: no reply is lost")
    missed = _some(values, "missed_7d", "lost in 7 days because nobody replied")
    new, usual = values.get("new_24h"), values.get("usual_24h")
    if told and isinstance(new, int) and isinstance(usual, float) and new > usual:
        told.append(f"{new} opened in 24 h, {usual:.1f} a day {be(2)} usual")
    return [*told, *([missed] if missed else [])], used


def _failed_payouts(values: Values) -> Told:
    code = values.get("code")
    return _counted(
        "failed payout", values, f"with {safe_line(code)}" if isinstance(code, str) and code else ""
    )


def _past_due(values: Values) -> Told:
    told = []
    for name, span in (("1h", "1 h"), ("24h", "24 h")):
        owing, paid = values.get(f"count_{name}"), values.get(f"collected_{name}")
        if isinstance(owing, int) and owing:
            beside = (
                f" while {plural(paid, 'renewal')} {be(paid, past=True)} paid"
                if isinstance(paid, int)
                else ""
            )
            told.append(f"{plural(owing, 'subscription')} fell past due in {span}{beside}")
    usual = values.get("usual")
    if told and isinstance(usual, float):
        told.append(f"{per_cent(usual)} of renewals are refused usually")
    return told, set(values)


def _unpayable(values: Values) -> Told:
    return _counted("subscription", values, "with a bill due and no payment method")


def _stuck_invoices(values: Values) -> Told:
    code = values.get("code")
    return _counted(
        "invoice that cannot be finalized", values, safe_line(code) if isinstance(code, str) else ""
    )


def _duplicates(values: Values) -> Told:
    told, used = _counted("order", values, "charged twice and not given back")
    pairs = _some(values, "suspected_1h", "suspected in 1 h, of payments that name no order")
    return [*told, *([pairs] if pairs else [])], used


def _authorizations(values: Values) -> Told:
    ends = values.get("next_s")
    return _counted(
        "authorization",
        values,
        "not captured",
        f"the first ends in {_span(ends)}" if isinstance(ends, int) else "",
        _some(values, "unguaranteed", "past the days PayPal guarantees"),
    )


def _span(seconds: int) -> str:
    return minutes(seconds) if seconds < 48 * 3600 else f"{seconds // 86_400} days"


OBJECT_SPEAKERS: dict[str, Callable[[Values], Told]] = {
    "failed_refunds": _failed_refunds,
    "stuck_refunds": _stuck_refunds,
    "excess_refunds": _excess_refunds,
    "disputes": _disputes,
    "failed_payouts": _failed_payouts,
    "past_due_subscriptions": _past_due,
    "unpayable_subscriptions": _unpayable,
    "stuck_invoices": _stuck_invoices,
    "duplicates": _duplicates,
    "authorizations": _authorizations,
}
