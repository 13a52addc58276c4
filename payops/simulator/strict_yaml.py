"""YAML as people mean it: 1.2 scalars (`on` and `no` are words), no duplicate keys, no aliases, no tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from payops.domain.errors import UsageError

Path = tuple[str | int, ...]

_MAX_CHARS = 1_000_000
_MAX_DEPTH = 40
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml
    _Loader = yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file and, for every value and key in it, the line it stands on (1 is the first)."""

    value: object
    lines: dict[Path, int]
    source: str

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest thing around it that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


def parse(text: str, source: str) -> Document:
    """`text` as plain values with their lines; `UsageError` `SOURCE:LINE: what` for anything not strict."""
    if len(text) > _MAX_CHARS:
        raise UsageError(f"{source}: longer than {_MAX_CHARS:,} characters; is this the right file?")
    try:
        _refuse_indirection(text, source)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{source}:{line}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{source}:1: not valid YAML: {str(error).splitlines()[0]}") from error
    lines: dict[Path, int] = {}
    value = None if node is None else _value(node, (), lines, source)
    return Document(value, lines, source)


def _refuse_indirection(text: str, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UsageError(
                f"{source}:{line}: anchors and aliases are not allowed here: write the value out"
            )
        if getattr(event, "tag", None):
            raise UsageError(f"{source}:{line}: tags such as !!str are not allowed here: remove it")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise UsageError(f"{source}:{line}: nested deeper than {_MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _value(node: yaml.Node, path: Path, lines: dict[Path, int], source: str) -> object:
    lines[path] = _line(node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, source)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, index), lines, source) for index, child in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark is not None else 1


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int], source: str) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = _line(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise UsageError(f"{source}:{line}: a key must be a plain word")
        key = key_node.value
        if key in result:
            first = lines[(*path, key)]
            raise UsageError(f"{source}:{line}: {key}: given twice (first on line {first}); keep one")
        result[key] = _value(value_node, (*path, key), lines, source)
        lines[(*path, key)] = line
    return result


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    if node.style:  # quoted or a block: text, whatever it looks like
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
