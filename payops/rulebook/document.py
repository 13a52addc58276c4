"""Strict YAML: the 1.2 core scalars, no anchors, tags, duplicate keys or second document, and a place for every value.

PyYAML's own loader reads `no` as False, `1:30` as 90 and keeps the last of two equal keys; a rule file must
not mean something else than it says, so only its parser is used and the values are made here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from payops.text import safe_line

from .errors import RuleError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where the wheel has it: twenty times faster, same events and marks."""
MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_NODES = 5_000

Path = tuple[Hashable, ...]
"""Where a value stands in the document: keys and list positions from the top."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file, counted from 1."""

    line: int
    column: int
    offset: int | None = None
    """For text that stands in the file as it is, on one line: how far in it begins (1 after a quote)."""


@dataclass(slots=True)
class Document:
    """The values of one file, where each stands, and what was wrong."""

    file: str
    value: Any = None
    marks: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    errors: list[RuleError] = field(default_factory=list)

    def error(self, mark: Mark, message: str) -> None:
        self.errors.append(RuleError(self.file, mark.line, mark.column, message))

    def place(self, path: Path) -> Mark:
        """Where `path` stands, or the nearest thing around it that does."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, Mark(1, 1))

    def key(self, path: Path) -> Mark:
        """Where the key of `path` stands."""
        return self.keys.get(path) or self.place(path)


class _Stop(Exception):
    """The rest of the file cannot be read."""


def read(raw: bytes, file: str) -> Document:
    """The document in `raw`; what is wrong with it is in `.errors`, and nothing is raised."""
    document = Document(file)
    if len(raw) > MAX_BYTES:
        document.error(
            Mark(1, 1), f"the file has {len(raw)} bytes, at most {MAX_BYTES} are read: split the rules"
        )
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        document.error(
            Mark(line, column), f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        )
        return document
    try:
        _Builder(document).build(text)
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        mark = Mark(where.line + 1, where.column + 1) if where else Mark(1, 1)
        document.error(
            mark, f"not valid YAML: {safe_line(error.problem or error.context)}{_hint(text, mark)}"
        )
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        document.error(mark, "a control character does not belong in a rule file: remove it")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        document.error(Mark(1, 1), f"not valid YAML: {safe_line(error)}")
    return document


def _hint(text: str, mark: Mark) -> str:
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in line[: mark.column]:
        return "; YAML is indented with spaces, not tabs"
    if ": " in line[: mark.column + 1].partition(": ")[2]:
        return "; put text with ': ' in it in quotes"
    if "{" in line or '"' in line or "'" in line:
        return "; put text with special characters in quotes"
    return ""


class _Builder:
    """Builds values from parser events, so that size and depth are bounded before anything is built."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def build(self, text: str) -> None:
        self._events = yaml.parse(text, Loader=LOADER)
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._fatal(event, "a second document: one rule file holds one rule, remove '---'")
                self._document.value = self._value(next(self._events), (), 0)
        if documents == 0 or self._document.value is None:
            self._document.error(Mark(1, 1), "the file is empty: start it with schema: payops.rule/v1")

    def _value(self, event: Any, path: Path, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._fatal(event, f"more than {MAX_NODES} values in one file: split the rule")
        if depth > MAX_DEPTH:
            raise self._fatal(event, f"nested more than {MAX_DEPTH} deep")
        mark = _mark(event)
        self._document.marks[path] = mark
        if isinstance(event, yaml.AliasEvent):
            raise self._fatal(
                event, f"the alias '*{safe_line(event.anchor)}' is not allowed: write the value out"
            )
        if event.anchor is not None:
            self._document.error(
                mark,
                f"the anchor '&{safe_line(event.anchor)}' is not allowed: write the value out where it is used",
            )
        if event.tag is not None:
            self._document.error(mark, f"the tag '{safe_line(event.tag)}' is not allowed: remove it")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = _mark(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fatal(event, "a key must be plain text")
            if event.anchor is not None or event.tag is not None:
                self._document.error(mark, "anchors and tags are not allowed on keys: remove it")
            key = event.value
            self._nodes += 1
            if key in found:
                first = self._document.keys[(*path, key)].line
                self._document.error(
                    mark, f"'{safe_line(key)}' is written twice, first in line {first}: remove one"
                )
                # Read and dropped: its own mistakes are still worth showing, its place is not the first one's.
                self._value(next(self._events), (*path, f"{key} again in line {mark.line}"), depth + 1)
                continue
            self._document.keys[(*path, key)] = mark
            found[key] = self._value(next(self._events), (*path, key), depth + 1)
        return found

    def _scalar(self, event: Any, mark: Mark) -> Any:
        text: str = event.value
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            self._document.error(mark, "half of a surrogate pair is not text: write the character itself")
            return ""
        if not event.implicit[0] or event.style:
            return text
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _INT.fullmatch(text):
            return self._int(text, mark)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
        elif not _SPECIAL_FLOAT.fullmatch(text):
            return text
        self._document.error(mark, f"the number {safe_line(text, limit=24)} is not finite")
        return 0

    def _int(self, text: str, mark: Mark) -> int:
        if len(text) > 20 or abs(value := int(text, 0 if text[:2] in ("0x", "0o") else 10)) >= 2**63:
            self._document.error(mark, f"the number {safe_line(text, limit=24)}… is too large")
            return 0
        return value

    def _fatal(self, event: Any, message: str) -> _Stop:
        self._document.error(_mark(event), message)
        return _Stop()


def _mark(event: Any) -> Mark:
    start, end = event.start_mark, event.end_mark
    offset = None
    if isinstance(event, yaml.ScalarEvent) and event.style in (None, "", "'", '"') and start.line == end.line:
        quote = 1 if event.style else 0
        if end.column - start.column - 2 * quote == len(event.value):
            offset = quote
    return Mark(start.line + 1, start.column + 1, offset)


def inside(mark: Mark, line: int, column: int) -> Mark:
    """The place `line`:`column` of a text has in the file; the text's own place when it is folded or escaped."""
    if mark.offset is None or line != 1:
        return mark
    return Mark(mark.line, mark.column + mark.offset + column - 1)
