"""The signals as they were seen, minute by minute: recorded by the engine, read back by replays of rules.

What is stored today cannot say what a signal said then: a credential's old proof, an endpoint's old state and what
arrived late are gone. So the rows themselves are kept, each minute what differs from the minute before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from payops.clock import from_epoch, to_epoch
from payops.store import Store
from payops.store.samples import Sample

from .schema import SOURCES, SignalRow, SignalSet

EVERY = timedelta(minutes=1)
WHOLE_EVERY = timedelta(hours=6)
"""A replay that begins anywhere reads at most so much before it."""
KEPT = timedelta(days=90)

Flat = dict[str, list[Any]]
"""Group → [source, labels, as_of in epoch seconds, values]; the group's name is source and labels in one text."""


@dataclass(slots=True)
class _Last:
    at: datetime
    whole_at: datetime
    rows: Flat
    marks: list[object]


_last: WeakKeyDictionary[Store, _Last] = WeakKeyDictionary()


def record(store: Store, signals: SignalSet, now: datetime) -> None:
    """Keep the signals of `now`, once a minute and whenever something begins or ends.

    The first of a process, and one every six hours, is kept as a whole.
    """
    last, marks = _last.get(store), _marks(signals)
    if last is not None and last.at <= now < last.at + EVERY and last.marks == marks:
        return
    rows = _flat(signals)
    whole = last is None or not last.whole_at <= now < last.whole_at + WHOLE_EVERY
    if last is None or whole:
        store.samples.add(Sample(now, None, rows))
        store.samples.forget(now - KEPT)
        _last[store] = _Last(now, now, rows, marks)
    else:
        store.samples.add(Sample(now, last.at, _difference(last.rows, rows)))
        _last[store] = _Last(now, last.whole_at, rows, marks)


def recorded(store: Store, start: datetime, end: datetime) -> Iterator[tuple[datetime, SignalSet]]:
    """The signals at each recorded minute from `start` until `end`, in order; what cannot be rebuilt is left out."""
    rows: Flat = {}
    known_at: datetime | None = None
    for sample in store.samples.between(store.samples.whole_before(start) or start, end):
        if sample.base is None:
            rows = dict(sample.body)
        elif sample.base == known_at:
            _patch(rows, sample.body)
        else:
            continue
        known_at = sample.at
        if sample.at >= start:
            yield sample.at, _signals(rows)


def _marks(signals: SignalSet) -> list[object]:
    """What must not be missed between two minutes: words and truth. Numbers move all the time."""
    return [
        value
        for rows in signals.values()
        for row in rows
        for value in row.values.values()
        if value.__class__ is bool or value.__class__ is str
    ]


def _flat(signals: SignalSet) -> Flat:
    return {
        "\t".join((source, *row.labels.values())): [
            source,
            dict(row.labels),
            None if row.as_of is None else to_epoch(row.as_of),
            dict(row.values),
        ]
        for source, rows in signals.items()
        for row in rows
    }


def _difference(old: Flat, new: Flat) -> dict[str, Any]:
    """`-`: groups that are gone; `+`: new ones, or with other fields; `~`: group → [as_of, the values that changed]."""
    changed, fresh = {}, {}
    for group, row in new.items():
        _, _, as_of, values = row
        _, _, old_as_of, before = old.get(group) or (None, None, None, None)
        if before is None or before.keys() != values.keys():
            fresh[group] = row
        else:
            moved = {name: value for name, value in values.items() if not _same(before.get(name), value)}
            if moved or as_of != old_as_of:
                changed[group] = [as_of, moved]
    return {
        "-": [group for group in old if group not in new],
        "+": fresh,
        "~": changed,
    }


def _same(one: object, other: object) -> bool:
    # 1 == 1.0 == True, and each is a different value to a rule.
    return one == other and type(one) is type(other)


def _patch(rows: Flat, difference: Mapping[str, Any]) -> None:
    for group in difference["-"]:
        rows.pop(group, None)
    rows.update(difference["+"])
    for group, (as_of, values) in difference["~"].items():
        source, labels, _, before = rows[group]
        rows[group] = [source, labels, as_of, {**before, **values}]


def _signals(rows: Flat) -> SignalSet:
    found: dict[str, list[SignalRow]] = {source: [] for source in SOURCES}
    for source, labels, as_of, values in rows.values():
        if source in found:
            found[source].append(SignalRow(labels, values, None if as_of is None else from_epoch(as_of)))
    return {source: tuple(each) for source, each in found.items()}
