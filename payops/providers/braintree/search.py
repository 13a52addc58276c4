"""Braintree's search in its two steps: the ids of everything that matches, then the objects of fifty ids at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import normalise, wire
from .session import Reader

PAGE = 50
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
Criteria = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is searched. `cap`: so many ids, and there may be more that are not told."""

    path: str
    root: str
    element: str
    fields: wire.Fields
    cap: int


TRANSACTIONS = Kind("/transactions", "credit-card-transactions", "transaction", normalise.TRANSACTION, 20_000)
SUBSCRIPTIONS = Kind("/subscriptions", "subscriptions", "subscription", normalise.SUBSCRIPTION, 10_000)


def between(first: datetime, last: datetime | None = None) -> Criteria:
    """A range of times. The SDK writes them to the second and without their zone: both must be UTC."""
    return {"min": first} if last is None else {"min": first, "max": last}


def ids(reader: Reader, kind: Kind, criteria: Criteria) -> list[str]:
    """The ids of all that matches, most recently created first, each once."""
    answer = reader.post(f"{kind.path}/advanced_search_ids", {"search": dict(criteria)})
    listed = answer.root.find("ids") if answer.root.tag == "search-results" else None
    if listed is None:
        # A search that took Braintree too long is a 200 without results.
        raise reader.session.error(
            "outage", "Braintree's search did not end: its answer holds no ids", answer
        )
    return list(dict.fromkeys(item.text for item in listed if item.text and ID.fullmatch(item.text)))


def fetch(reader: Reader, kind: Kind, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of these ids, as far as Braintree shows them; what it leaves out is asked for once more."""
    found = _fetch(reader, kind, wanted)
    left = [each for each in wanted if each not in found]
    if left:
        found |= _fetch(reader, kind, left)
    return list(found.values())


def _fetch(reader: Reader, kind: Kind, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    # Without the criteria of the first step: what has changed since would no longer match, and be left out.
    asked = list(wanted)
    answer = reader.post(f"{kind.path}/advanced_search", {"search": {"ids": asked}})
    if answer.root.tag != kind.root:
        raise reader.session.error(
            "outage", f"Braintree's search did not end: its answer holds no {kind.element}s", answer
        )
    expected = set(asked)
    found: dict[str, dict[str, Any]] = {}
    for element in answer.root.iterfind(kind.element):
        thing = wire.fields(element, kind.fields)
        if thing.get("id") in expected:
            found[thing["id"]] = thing
    return found
