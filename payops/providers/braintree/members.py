"""Things listed by what they are now (open, past due): those that come to a list or leave it have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import search
from .session import Reader

MOST = 2000
"""So many ids of a list are compared; on a longer one, those furthest back."""


@dataclass(frozen=True, slots=True)
class Members:
    """The ids that were listed and read. `listed_at`: our time of the last listing; `more`: not all were read then."""

    ids: tuple[str, ...] = ()
    listed_at: int | None = None
    more: bool = False

    def due(self, now: int, every_s: int) -> bool:
        at = self.listed_at
        return self.more or at is None or now < at or now - at >= every_s


def step(
    reader: Reader, kind: search.Kind, criteria: search.Criteria, known: Members, now: int
) -> tuple[Members, list[dict[str, Any]]]:
    """One listing, and up to a page of what came or went; `more` asks to be called again."""
    listed = search.ids(reader, kind, criteria)[:MOST]
    asked = changed(known.ids, listed)[: search.PAGE]
    found = search.fetch(reader, kind, asked) if asked else []
    ids = after(known.ids, listed, asked)
    return Members(ids, now, bool(changed(ids, listed))), found


def changed(known: Sequence[str], listed: Sequence[str]) -> list[str]:
    """The ids that left, then those that came: what left may never be listed again."""
    before, now = set(known), set(listed)
    return [each for each in known if each not in now] + [each for each in listed if each not in before]


def after(known: Sequence[str], listed: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The members once what was asked for is stored. Each is asked for once per change, shown or not: no loop."""
    now, done = set(listed), set(asked)
    gone = tuple(each for each in known if each not in now and each not in done)
    before = set(known)
    return gone + tuple(each for each in listed if each in before or each in done)
