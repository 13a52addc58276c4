"""One account as a few lines: acceptance, sparkline, backlog, feed, reads."""

from __future__ import annotations

from datetime import datetime

from textual.content import Content

from payops.engine.board import AccountCard, Backlog, WindowRate

from .. import ink, spark
from ..words import Times, age, count, percent, plural
from .header import mismatch

WINDOWS: tuple[tuple[str, str], ...] = (("5m", "5 min"), ("1h", "1 h"), ("24h", "24 h"))
SPARK_HEIGHT = len(WINDOWS)
LABEL = 8
BLIND = "completed; declines are not all visible: no rate"
"""A share of what is seen would look like a success rate, and be none."""


def title(card: AccountCard, width: int) -> Content:
    """Which account, in which mode, and what payops may do there."""
    left = ink.join(
        (
            ink.own(" "),
            ink.said(card.account, "strong", limit=40),
            ink.own("  "),
            ink.said(card.provider, "dim"),
            ink.own("  "),
            _mode(card),
            ink.own("  "),
        )
    )
    scale = "acceptance, 60 min "
    room = width - left.cell_length - len(scale) - 1
    return ink.ends(ink.join((left, _armed(card, room))), ink.own(scale, "dim"), width)


def _mode(card: AccountCard) -> Content:
    if mismatch(card):
        return ink.said(f"✖ configured {card.mode.upper()}, proved {str(card.mode_proven).upper()}", "bad")
    if card.mode_proven is None:
        return ink.said(f"{card.mode.upper()}, not proven yet", "watch")
    return ink.said(f"{card.mode.upper()} proven", "strong")


def _armed(card: AccountCard, room: int) -> Content:
    if not card.armed:
        return ink.own("observing")
    names = f"armed: {', '.join(card.armed)}"
    return ink.said(
        names if len(names) <= room else f"armed: {plural(len(card.armed), 'remedy', 'remedies')}", limit=200
    )


def rates(card: AccountCard) -> list[Content]:
    """One line per window: share, n, 95 % interval; the newest beside what is usual."""
    return [_rate(card, key, name) for key, name in WINDOWS]


def is_old(card: AccountCard) -> bool:
    """The numbers describe the past: they must not look like the present."""
    return card.state in ("failed", "stale")


def _below(rate: WindowRate, expected: float | None) -> bool:
    """The whole interval lies below what is usual."""
    return expected is not None and rate.high is not None and rate.high < expected


def _rate(card: AccountCard, key: str, name: str) -> Content:
    rate, old = card.success.get(key), is_old(card)
    expected = card.expected if key == "5m" else None
    label = _label(name)
    if rate is None or rate.rate is None:
        if rate is not None and rate.n:
            return ink.join((label, ink.own(f"{count(rate.n):>5}", "strong"), ink.own(f"  {BLIND}", "dim")))
        return ink.join((label, ink.own(f"{'–':>5}    {_nothing(card, name)}", "dim")))
    low = not old and _below(rate, expected)
    parts = [
        label,
        ink.own(f"{percent(rate.rate):>5} %", "dim" if old else "bad" if low else "strong"),
        ink.own(f" of {count(rate.n):>7}", "dim" if old else ""),
        ink.own(f"  {percent(rate.low)}–{percent(rate.high)}", "dim"),
    ]
    if expected is not None:
        parts += [ink.own("  "), _expected(expected, low)]
    return ink.join(parts)


def _nothing(card: AccountCard, name: str) -> str:
    """Why there is no number: that nothing was paid is known only of what was read."""
    return "not read yet" if card.state in ("loading", "backfilling") else f"no payment in {name}"


def _expected(expected: float, low: bool) -> Content:
    return ink.own(f"{'▼ ' if low else ''}expected {percent(expected)}", "bad" if low else "dim")


RATES_WIDTH = 55


def sparkline(card: AccountCard, width: int) -> list[Content]:
    """Acceptance of the last 60 minutes on a fixed scale of 0 to 100 %, at most one column per minute."""
    axis = ("100┤", "   │", "  0┤")
    values = spark.squeeze(card.spark, card.spark_n, min(60, width - 4))
    drawn = spark.blocks(values, SPARK_HEIGHT)
    return [
        ink.join((ink.own(left, "dim"), ink.own(row, "accent")))
        for left, row in zip(axis, drawn, strict=True)
    ]


def backlog(card: AccountCard) -> Content:
    """What the provider sent and we do not have or have not done."""
    waits: Backlog = card.backlog
    # What the provider sent is known only once its history is read.
    reading = card.state in ("loading", "backfilling")
    parts = [
        _waiting(None if reading else waits.undelivered, "undelivered"),
        _waiting(None if reading else waits.missing, "missing"),
        _waiting(waits.unprocessed, "unprocessed"),
    ]
    if waits.dead:
        parts.append(_waiting(waits.dead, "given up"))
    parts.append(ink.own(f"oldest {age(waits.oldest_s)}", "" if waits.oldest_s else "dim"))
    return ink.join((_label("backlog"), ink.join(parts, "   ")))


def _waiting(value: int | None, what: str) -> Content:
    if value is None:
        return ink.own(f"{what} unknown", "dim")
    return ink.own(f"{value:,} {what}", "watch" if value else "dim")


def feed(card: AccountCard, times: Times, near: datetime, width: int) -> Content:
    """Whether the numbers above are fresh, and if not, since when and what happens next."""
    as_of = times.moment(card.fresh_at, near)
    if card.state == "live":
        said = [ink.own(f"● live, as of {as_of}")]
        if card.noticed:
            return ink.join((_label("feed"), ink.join((*said, _noticed(card, width)), "   ")))
        if card.sees and width >= 110:
            said.append(ink.said(card.sees, "dim", limit=width))
            return ink.join((_label("feed"), ink.join(said, "   ")))
        return ink.join((_label("feed"), *said))
    if card.state == "loading":
        return ink.join((_label("feed"), ink.own("… loading, no data yet", "watch")))
    if card.state == "backfilling":
        return ink.join(
            (_label("feed"), *_progress(card.progress), ink.own(" of the history, newest first", "watch"))
        )
    if card.state == "stale":
        return ink.join(
            (_label("feed"), ink.own(f"▲ stale since {as_of}", "watch"), *_problem(card, "watch"))
        )
    retry = f", next try {times.moment(card.retry_at, near)}" if card.retry_at else ""
    return ink.join(
        (_label("feed"), ink.own(f"✖ failed{retry}, data as of {as_of}", "bad"), *_problem(card, "bad"))
    )


def _noticed(card: AccountCard, width: int) -> Content:
    """What the detectors say, with the glyph that says how sure."""
    alarm = card.noticed.startswith("alarm")
    return ink.said(f"{'▼' if alarm else '▲'} {card.noticed}", "bad" if alarm else "watch", limit=width)


def _problem(card: AccountCard, style: ink.Style) -> tuple[Content, ...]:
    return (ink.own("  ", style), ink.said(card.problem, style, limit=300)) if card.problem else ()


def _progress(share: float | None) -> tuple[Content, ...]:
    if share is None:
        return (ink.own("… reading", "watch"),)
    full = round(min(1.0, max(0.0, share)) * 20)
    return (
        ink.own("▓" * full, "accent"),
        ink.own("░" * (20 - full), "dim"),
        ink.own(f" {int(share * 100):>3} %"),
    )


def reads(card: AccountCard, width: int) -> Content:
    """payops's own use of the account's read allowance."""
    if width >= 110 and card.budget:
        return ink.join((_label("reads"), ink.said(card.budget, "dim", limit=width)))
    share = f" ({card.reads_month * 100 // card.reads_allowed} %)" if card.reads_allowed else ""
    text = f"{count(card.reads_month)} of {count(card.reads_allowed)} allowed in 30 days{share}, payops's own"
    over = bool(card.reads_allowed) and card.reads_month >= card.reads_allowed
    return ink.join((_label("reads"), ink.own(text, "bad" if over else "dim")))


def compact(card: AccountCard, times: Times, near: datetime, width: int) -> list[Content]:
    """Two lines for one of several accounts on a small screen."""
    rate = card.success.get("5m")
    if rate is not None and rate.rate is None and rate.n:
        now = ink.own(f"{count(rate.n)} completed in 5 min, declines not visible", "dim")
    elif rate is None or rate.rate is None:
        now = ink.own(f"– {_nothing(card, '5 min')}", "dim")
    else:
        low = not is_old(card) and _below(rate, card.expected)
        style: ink.Style = "dim" if is_old(card) else "bad" if low else "strong"
        now = ink.own(f"{percent(rate.rate)} % of {count(rate.n)} in 5 min", style)
        if card.expected is not None:
            now = ink.join((now, ink.own("  "), _expected(card.expected, low)))
    left = ink.join((ink.own(" "), ink.said(card.account, "strong", limit=24), ink.own("  "), _mode(card)))
    first = ink.ends(left, ink.join((now, ink.own(" "))), width)
    if card.state != "live":
        return [first, feed(card, times, near, width)]
    if card.noticed:
        return [first, ink.join((ink.own(" "), _noticed(card, width)))]
    second = backlog(card)
    if card.sees and width >= 110:
        second = ink.join((second, ink.own("   "), ink.said(f"sees {card.sees}", "dim", limit=width)))
    return [first, second]


def _label(text: str) -> Content:
    return ink.own(f" {text:<{LABEL}}", "dim")
