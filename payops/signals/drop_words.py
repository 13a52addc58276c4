"""A drop in one honest sentence."""

from __future__ import annotations

from datetime import datetime

from payops.domain.money import Money
from payops.text import safe_line

from .drop import Drop
from .slices import said
from .words import plural, stretch

CODES = 2


def sentence(drop: Drop) -> str:
    """`Since 14:02 UTC 61 of 240 first attempts failed, 12 expected; …`, every number with what it means."""
    parts = [
        f"Since {_moment(drop.since, drop.until)} {drop.failed:,} of {plural(drop.n, 'first attempt')} failed, "
        f"{few(drop.expected)} expected" + ("" if drop.whole else f" (of the newest {drop.n:,} alone)"),
        f"by chance alone less than once in {stretch(drop.years * 365.25)}, given the learned baseline",
    ]
    if drop.extra and drop.codes:
        named = " and ".join(
            f"{min(round(found.excess), drop.extra):,} {'of the ' + format(drop.extra, ',') + ' extra ' if not index else ''}are "
            f"{'without a code' if found.code == 'unknown' else safe_line(found.code, limit=40)}"
            for index, found in enumerate(drop.codes[:CODES])
            if round(found.excess) >= 1
        )
        parts += [named] if named else []
    parts.append(where(drop))
    return "; ".join(part for part in parts if part) + "."


def where(drop: Drop) -> str:
    """Which slice, what else it may be, and what remains beside it."""
    located = drop.located
    if located is None:
        return ""
    best = located.best
    if not best.slice:
        told = "no card brand, country, currency or method stands out"
    else:
        told = f"mostly {said(best.slice)}: {round(best.failed)} of {best.n} failed, {few(best.expected)} expected"
    if located.runner_up is not None and located.runner_up.slice:
        told += f" (or: {said(located.runner_up.slice)})"
    if located.second is not None and located.second.slice:
        told += f"; beside it {said(located.second.slice)}"
    return told


def money(drop: Drop) -> str:
    """`about 3,100 EUR not collected (± 240), about 5,400 an hour; 320.00 EUR were paid later`; empty without any."""
    told = []
    for lost in drop.lost:
        more = f", about {_about(lost.per_hour_minor, lost.currency)} an hour" if lost.per_hour_minor else ""
        later = (
            f"; {Money(lost.paid_later_minor, lost.currency)} were paid after all"
            if lost.paid_later_minor
            else ""
        )
        told.append(
            f"about {_about(lost.lost_minor, lost.currency)} not collected "
            f"(± {_about(lost.se_minor, lost.currency)}){more}{later}"
        )
    return "; ".join(told)


def _about(minor: int, currency: str) -> str:
    """Two digits: the onset is an estimate."""
    if minor <= 0:
        return str(Money(0, currency))
    scale = 10 ** max(0, len(str(minor)) - 2)
    return str(Money(round(minor / scale) * scale, currency))


def few(value: float) -> str:
    """`0.9`, `12`: a number of payments that need not be whole."""
    return f"{value:.1f}" if value < 9.5 else f"{value:,.0f}"


def _moment(at: datetime, near: datetime) -> str:
    return f"{at:%H:%M} UTC" if at.date() == near.date() else f"{at:%Y-%m-%d %H:%M} UTC"
