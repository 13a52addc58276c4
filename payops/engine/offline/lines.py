"""The lines of an export as records of fields. A line that makes none costs that line only.

Exports come from spreadsheets, scripts and broken pipes: byte-order marks, other encodings, semicolons, quotes that
are never closed, lines of any length.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from payops.domain.errors import UsageError
from payops.text import safe_line

DELIMITERS = ",;\t"
LONGEST_LINE = 1 << 20
LONGEST_FIELD = 1 << 17
MOST_LINES = 50
"""A quoted field may hold so many line breaks; beyond them its quote was never closed."""
_WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_BOM = "\ufeff"
_ENDS_INSIDE = "unexpected end of data"


class Unreadable(Exception):
    """Why a line is no row."""


class Lines:
    """One file, read once. `header` names the columns; `records` yields what follows."""

    def __init__(self, file: TextIO, name: str, *, each_decoded: bool) -> None:
        self._file = file
        self._each_decoded = each_decoded
        self._again: deque[str] = deque()
        self.read = 0
        """Characters read so far."""
        self.other_encoding = 0
        """Lines that are not UTF-8 and were read as Latin-1."""
        self._delimiter = ","
        self._number = 0
        self.header = self._columns(name)

    def records(self) -> Iterator[tuple[int, list[str] | Unreadable]]:
        """Each line's number, the header being 1, and its fields or why it has none; blank lines are nothing."""
        while (line := self._next()) is not None:
            if line.strip():
                number = self._number
                try:
                    yield number, self._fields(line)
                except Unreadable as reason:
                    yield number, reason

    def _columns(self, name: str) -> tuple[str, ...]:
        line = self._next()
        while line is not None and not line.strip(f" \n{_BOM}"):
            line = self._next()
        if line is None:
            raise UsageError(
                f"{name}: is empty; its first line must name the columns, at least `at` and `status`"
            )
        line = line.removeprefix(_BOM)
        self._delimiter = max(DELIMITERS, key=line.count)
        try:
            header = tuple(field.strip().lower() for field in self._parsed([line]))
        except Unreadable as reason:
            raise UsageError(f"{name}: line {self._number} names no columns: {reason}") from None
        while header and not header[-1]:
            header = header[:-1]
        named = [column for column in header if column]
        twice = next((column for column in named if named.count(column) > 1), None)
        if twice:
            raise UsageError(f"{name}: line {self._number} names column {safe_line(twice, limit=40)!r} twice")
        return header

    def _fields(self, line: str) -> list[str]:
        if "\0" in line:
            raise Unreadable("holds a NUL byte")
        if '"' not in line and len(line) <= LONGEST_FIELD:
            return self._whole(line.rstrip("\n").split(self._delimiter))
        joined = [line]
        while True:
            try:
                return self._whole(self._parsed(joined))
            except Unreadable as reason:
                more = self._next() if str(reason) == _ENDS_INSIDE and len(joined) < MOST_LINES else None
                if more is None:
                    # The quote that is never closed spoils its own line; the others may be rows.
                    self._number -= len(joined) - 1
                    self._again.extendleft(reversed(joined[1:]))
                    if len(joined) > 1 or str(reason) == _ENDS_INSIDE:
                        raise Unreadable("a quoted field that is never closed") from None
                    raise
                joined.append(more)

    def _whole(self, fields: list[str]) -> list[str]:
        """The fields, as many as there are columns; a delimiter at the end adds none."""
        width = len(self.header)
        if len(fields) > width and not any(fields[width:]):
            fields = fields[:width]
        if len(fields) != width:
            raise Unreadable(f"has {len(fields)} fields, the header has {width}")
        return fields

    def _parsed(self, lines: list[str]) -> list[str]:
        try:
            return next(csv.reader(lines, delimiter=self._delimiter, strict=True, skipinitialspace=True))
        except (csv.Error, StopIteration) as error:
            raise Unreadable(str(error) or "holds nothing") from None

    def _next(self) -> str | None:
        """The next line with its end, None after the last; a line beyond any sense is replaced by a NUL."""
        if self._again:
            self._number += 1
            return self._again.popleft()
        line = self._file.readline(LONGEST_LINE)
        if not line:
            return None
        self._number += 1
        self.read += len(line)
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            while (rest := self._file.readline(LONGEST_LINE)) and not rest.endswith("\n"):
                self.read += len(rest)
            return "\0"
        return line if line.isascii() or not self._each_decoded else self._decoded(line)

    def _decoded(self, line: str) -> str:
        try:
            return line.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            self.other_encoding += 1
            return line


def encoding(path: Path) -> str | None:
    """`utf-16` where the file says so by its mark; None: each line is to be decoded by itself."""
    with path.open("rb") as raw:
        return _WIDE.get(raw.read(2))
