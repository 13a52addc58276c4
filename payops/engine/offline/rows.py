"""An export of payments, row by row: what cannot be read is reported with its line and its reason, never lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from payops.domain.errors import UsageError
from payops.text import did_you_mean, safe_line

from .lines import Lines, Unreadable, encoding

STATUSES = ("succeeded", "failed", "canceled", "pending")
SUCCEEDED, FAILED = 0, 1
REQUIRED = ("at", "status")
DIMENSIONS = ("provider", "currency", "method", "card_brand", "country")
"""Columns that make slices, and after them every column that is not known."""
KNOWN = {*REQUIRED, *DIMENSIONS, "payment_id", "customer", "amount_minor", "decline_code"}
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
EVERY = 20_000
"""Progress is told each time so many lines were read."""
_EPOCH = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,9})?")
_WHOLE = re.compile(r"\d{1,15}")


class Row(NamedTuple):
    """One attempt. They compare in this order, so that an export sorts the same however it was shuffled.

    `status` counts as in STATUSES: of two that differ in nothing else the success comes first. An amount of -1 and
    an empty text are unknown; `values` are those of the columns that make slices.
    """

    at_us: int
    payment_id: str
    status: int
    customer: str
    amount_minor: int
    currency: str
    decline_code: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is no row, counted with the header as 1."""

    line: int
    reason: str


@dataclass(slots=True)
class Export:
    """What was read: `rows` in the file's order, `columns` those that make slices."""

    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    other_encoding: int = 0


def read_export(path: Path, progress: Callable[[float], None]) -> Export:
    """Every row of the file; UsageError when it cannot be opened or its first line names no columns.

    `progress` is told the share read so far.
    """
    try:
        size = max(path.stat().st_size, 1)
        stated = encoding(path)
        # Latin-1 keeps every byte as it is, so that a line can be decoded by itself.
        with path.open(encoding=stated or "latin-1", newline=None, errors="replace") as file:
            lines = Lines(file, str(path), each_decoded=stated is None)
            make = _Maker(lines.header, str(path))
            export = Export(make.sliced)
            for number, fields in lines.records():
                if not number % EVERY:
                    progress(min(1.0, lines.read / size))
                if isinstance(fields, Unreadable):
                    export.skipped.append(Skipped(number, str(fields)))
                    continue
                try:
                    export.rows.append(make.row(fields))
                except Unreadable as reason:
                    export.skipped.append(Skipped(number, str(reason)))
            export.other_encoding = lines.other_encoding
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    progress(1.0)
    return export


class _Maker:
    """Makes rows of fields in the header's order."""

    def __init__(self, header: tuple[str, ...], name: str) -> None:
        place = {column: index for index, column in enumerate(header) if column}
        for column in REQUIRED:
            if column not in place:
                found = ", ".join(safe_line(known, limit=40) for known in [*place][:12]) or "nothing"
                hint = did_you_mean(column, place)
                raise UsageError(f"{name}: its first line names no column `{column}`{hint}; it names {found}")
        self.sliced = (
            *(column for column in DIMENSIONS if column in place),
            *(column for column in place if column not in KNOWN),
        )
        self._at, self._status = place["at"], place["status"]
        self._payment, self._customer = place.get("payment_id"), place.get("customer")
        self._amount, self._currency = place.get("amount_minor"), place.get("currency")
        self._code = place.get("decline_code")
        self._sliced = [place[column] for column in self.sliced]
        self._upper = {place["currency"]} if "currency" in place else set()
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}

    def row(self, fields: list[str]) -> Row:
        """The row; Unreadable with what is wrong in it."""
        status = fields[self._status].strip().lower()
        if status not in STATUSES:
            known = ", ".join(STATUSES)
            raise Unreadable(f"status {_quoted(fields[self._status])} is none of {known}")
        values = tuple([self._value(fields, index) for index in self._sliced])
        return Row(
            _instant(fields[self._at].strip()),
            _text(fields, self._payment),
            STATUSES.index(status),
            _text(fields, self._customer),
            _amount(_text(fields, self._amount)),
            _text(fields, self._currency).upper(),
            _text(fields, self._code),
            self._same.setdefault(values, values),  # one copy of each combination, not one a row
        )

    def _value(self, fields: list[str], index: int) -> str:
        value = fields[index].strip()
        return value.upper() if index in self._upper else value


def _text(fields: list[str], index: int | None) -> str:
    return "" if index is None else fields[index].strip()


def _amount(text: str) -> int:
    if not text:
        return -1
    if not _WHOLE.fullmatch(text):
        raise Unreadable(f"amount_minor {_quoted(text)} is no whole number of minor units")
    return int(text)


def _instant(text: str) -> int:
    """Microseconds since the epoch."""
    if _EPOCH.fullmatch(text):
        whole, _, fraction = text.partition(".")
        us = int(whole) * 1_000_000 + int((fraction + "000000")[:6])
    else:
        try:
            # A date alone is no moment: all of a day's payments would be one.
            at = datetime.fromisoformat(text.upper()) if len(text) > len("2026-01-15") else None
        except ValueError:
            at = None
        if at is None:
            raise Unreadable(f"at {_quoted(text)} is neither ISO 8601 with a time nor epoch seconds")
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        us = round((at - _EPOCH_START).total_seconds() * 1_000_000)
    if not _FIRST_US <= us < _LAST_US:
        raise Unreadable(
            f"at {_quoted(text)} is not between 2000 and 2100 (epoch seconds, not milliseconds?)"
        )
    return us


def _quoted(text: str) -> str:
    return repr(safe_line(text, limit=40))


_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US, _LAST_US = (int(at.timestamp()) * 1_000_000 for at in (EARLIEST, LATEST))
