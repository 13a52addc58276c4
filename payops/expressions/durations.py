"""Durations as rule files write them: `30s`, `5m`, `1h30m`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
LONGEST = timedelta(days=400)


def parse_duration(text: str) -> timedelta:
    """`1h30m` as a timedelta of whole seconds; ValueError says what to write instead."""
    match = _FORM.fullmatch(text)
    if not text or match is None:
        hint = f"; did you mean '{text}s'?" if text.isascii() and text.isdigit() else ""
        raise ValueError(f"{text[:40]!r} is not a duration: write it as 30s, 5m, 1h30m or 2d{hint}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    value = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if value > LONGEST:
        raise ValueError(f"{text[:40]!r} is longer than {LONGEST.days}d")
    return value


def format_duration(value: timedelta) -> str:
    """The shortest text `parse_duration` reads back as `value`; fractions of a second are dropped."""
    rest = int(value.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
