"""The fields PayPal's objects have in common: ids, words, instants, and what links tell."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from payops.domain.payments import Mode

from .hosts import mode_of_link
from .wire import Link

Fact = TypeVar("Fact")
_ID_LIMIT = 255
_WORD_LIMIT = 120


def as_id(value: str | None) -> str | None:
    """An id that can be kept."""
    return value if value and len(value) <= _ID_LIMIT else None


def word(value: str | None) -> str | None:
    """A word of PayPal's, cut to what a column is for."""
    return value[:_WORD_LIMIT] if value else None


@lru_cache(maxsize=4096)
def time(text: str | None) -> datetime | None:
    """An instant in any of PayPal's ways of writing it, to the second; UTC where no offset is given."""
    if not text or len(text) > 40:
        return None
    try:
        at = datetime.fromisoformat(text).replace(microsecond=0)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def mode_of(links: list[Link] | None) -> Mode | None:
    """The mode the first link to one of PayPal's hosts leads to."""
    for link in links or ():
        if link.href:
            mode = mode_of_link(link.href)
            if mode is not None:
                return mode
    return None


def above_in(links: list[Link] | None, kind: str) -> str | None:
    """The id at the end of the link to the object above, where that is of `kind`."""
    for link in links or ():
        if link.rel in ("up", kind.removesuffix("s")) and link.href:
            parts = link.href.rsplit("/", 2)
            if len(parts) == 3 and parts[1].removesuffix("s") == kind.removesuffix("s"):
                return as_id(parts[2])
    return None


def kept(fact: Fact | None) -> tuple[Fact, ...]:
    """The fact as a tuple, which is empty where there is none."""
    return () if fact is None else (fact,)
