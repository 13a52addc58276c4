"""Numbers and nouns as a person would write them."""

from __future__ import annotations


def per_cent(share: float) -> str:
    """A share of 0..1 as `45.0 %`."""
    return f"{100 * share:.1f} %"


def minutes(seconds: int) -> str:
    """`40 s`, `4 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def plural(count: int, noun: str) -> str:
    """`1 event`, `1,200 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def be(count: int, *, past: bool = False) -> str:
    """The verb that goes with `count` things."""
    if past:
        return "was" if count == 1 else "were"
    return "is" if count == 1 else "are"
