"""How numbers, times and states read on the screen. Pure; what comes out still crosses `ink`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from payops.domain.money import Money, minor_digits
from payops.engine.board import IncidentRow

UNKNOWN = "–"

ENDINGS: dict[str, str] = {
    "fixed_by_payops": "fixed at Level 1 by payops, proved",
    "fixed_by_operator": "fixed at Level 1 by an operator, proved",
    "self_healed": "healed by itself, seen",
    "false_alarm": "false alarm, closed",
    "level_2": "fixed at Level 2, closed",
    "level_3": "fixed at Level 3, closed",
    "level_4": "decided at Level 4, closed",
}
"""`ended_as` as a phrase that the time of the end completes."""


@dataclass(frozen=True, slots=True)
class Times:
    """Times as absolute clock readings in one zone; None = the machine's own."""

    zone: tzinfo | None = None

    def second(self, at: datetime | None) -> str:
        """`14:02:10`."""
        return at.astimezone(self.zone).strftime("%H:%M:%S") if at else UNKNOWN

    def minute(self, at: datetime | None, near: datetime | None = None) -> str:
        """`14:02`, with the day before it when that is not the day of `near`."""
        if at is None:
            return UNKNOWN
        local = at.astimezone(self.zone)
        if near is None or local.date() == near.astimezone(self.zone).date():
            return local.strftime("%H:%M")
        return local.strftime("%b %d %H:%M")

    def moment(self, at: datetime | None, near: datetime | None = None) -> str:
        """`14:02:10`, with the day before it when that is not the day of `near`."""
        if at is None:
            return UNKNOWN
        local = at.astimezone(self.zone)
        if near is None or local.date() == near.astimezone(self.zone).date():
            return local.strftime("%H:%M:%S")
        return local.strftime("%b %d %H:%M:%S")

    def zoned(self, at: datetime) -> str:
        """`14:02:10 UTC`; another zone is followed by UTC: `15:02:10 CET (14:02 UTC)`."""
        local = at.astimezone(self.zone)
        name = local.strftime("%Z")
        if local.utcoffset() == at.utcoffset():
            return f"{local:%H:%M:%S} {name}"
        return f"{local:%H:%M:%S} {name} ({at:%H:%M} UTC)"


def age(seconds: int | None) -> str:
    """An age in minutes at the finest: `under 1 min`, `14 min`, `3 h 20 min`, `2 d 4 h`."""
    if seconds is None:
        return UNKNOWN
    minutes = seconds // 60
    if minutes < 1:
        return "under 1 min"
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def count(value: int | None) -> str:
    """`1,204`; unknown is a dash, never 0."""
    return UNKNOWN if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """`81.4`, for a share of 0.814; the unit stands beside it."""
    return UNKNOWN if share is None else f"{share * 100:.1f}"


def plural(n: int, one: str, many: str = "") -> str:
    """`1 incident`, `2 incidents`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def money(amounts: Sequence[Money]) -> str:
    """Amounts per currency, never added up across them; empty when there is none."""
    return " + ".join(str(amount) for amount in amounts)


def fewer(amounts: Sequence[Money], width: int) -> str:
    """As many amounts as fit into `width`, how many more there are, and no number cut: `475.54 USD +2`."""
    for shown in range(len(amounts), 0, -1):
        rest = f" +{len(amounts) - shown}" if shown < len(amounts) else ""
        text = money(amounts[:shown]) + rest
        if len(text) <= width:
            return text
    if not amounts:
        return ""
    first = amounts[0]
    rest = f" +{len(amounts) - 1}" if len(amounts) > 1 else ""
    whole = first.amount_minor // 10 ** minor_digits(first.currency)
    text = f"{whole:,} {first.currency}{rest}"
    return text if len(text) <= width else f"{whole / 1e6:,.0f} M {first.currency}{rest}"


_SHORT: dict[str, str] = {
    "fixed_by_payops": "fixed by payops, proved",
    "fixed_by_operator": "fixed by operator, proved",
    "self_healed": "healed by itself, seen",
    "false_alarm": "false alarm, closed",
}


def short_status(row: IncidentRow, times: Times, near: datetime) -> str:
    """`status` where the level stands beside it and room is scarce."""
    if row.state == "resolved" and row.ended_as:
        return f"{_SHORT.get(row.ended_as, 'fixed, closed')} {times.minute(row.resolved_at, near)}"
    return status(row, times, near)


def status(row: IncidentRow, times: Times, near: datetime) -> str:
    """What is happening with an incident or how it ended, in one phrase."""
    if row.state == "resolved":
        ending = ENDINGS.get(row.ended_as or "", row.status or "closed")
        return f"{ending} {times.moment(row.resolved_at, near)}"
    if row.status:
        return row.status
    if row.next_action:
        return f"{times.minute(row.next_at, near)}: {row.next_action}" if row.next_at else row.next_action
    return row.state
