"""Braintree's XML: dashed tags with typed attributes out, underscored or dashed tags in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from xml.etree import ElementTree

from payops.clock import from_epoch

HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile(f"[&<>]|{_ILLEGAL.pattern}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MOST_DEEP = 12


@dataclass(frozen=True, slots=True)
class At:
    """An instant, shown to the second."""

    ms: int


@dataclass(frozen=True, slots=True)
class Day:
    """The UTC day of an instant."""

    ms: int


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str


@dataclass(frozen=True, slots=True)
class Many:
    """An array: each row under the tag `item`."""

    item: str
    rows: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a collection: `total` rows in all, `size` on each page, `number` counts from 1."""

    item: str
    rows: Sequence[Value]
    number: int
    size: int
    total: int


class Drawn(str):
    """An element that is drawn already, with its tag."""

    __slots__ = ()


Shape = dict[str, "Value"]
Value: TypeAlias = "str | int | bool | At | Day | Symbol | Many | Page | Shape | None"


def document(name: str, value: Value) -> bytes:
    """One whole document; names are written with dashes, whatever they are given with."""
    return (HEADER + element(name, value)).encode("utf-8")


def element(name: str, value: Value) -> str:
    """A value as an element. None is `nil` without a type: with one, Braintree's own parser fails on it."""
    return _DRAW[type(value)](_dashed(name), value)


def _text(tag: str, value: str) -> str:
    return f"<{tag}>{text(value)}</{tag}>"


def _drawn(_: str, value: Drawn) -> str:
    return value


def _nil(tag: str, _: None) -> str:
    return f'<{tag} nil="true"/>'


def _boolean(tag: str, value: bool) -> str:
    return f'<{tag} type="boolean">{"true" if value else "false"}</{tag}>'


def _integer(tag: str, value: int) -> str:
    return f'<{tag} type="integer">{value}</{tag}>'


def _datetime(tag: str, value: At) -> str:
    return f'<{tag} type="datetime">{second(value.ms // 1000)}</{tag}>'


def _date(tag: str, value: Day) -> str:
    return f'<{tag} type="date">{second(value.ms // 1000)[:10]}</{tag}>'


def _symbol(tag: str, value: Symbol) -> str:
    return f'<{tag} type="symbol">{text(value.name)}</{tag}>'


def _array(tag: str, value: Many) -> str:
    return f'<{tag} type="array">{"".join([element(value.item, row) for row in value.rows])}</{tag}>'


def _collection(tag: str, page: Page) -> str:
    head = (("current-page-number", page.number), ("page-size", page.size), ("total-items", page.total))
    numbers = "".join([element(name, number) for name, number in head])
    rows = "".join([element(page.item, row) for row in page.rows])
    return f'<{tag} type="collection">{numbers}{rows}</{tag}>'


def _group(tag: str, value: Shape) -> str:
    return f"<{tag}>{''.join([element(name, child) for name, child in value.items()])}</{tag}>"


_DRAW: dict[type, Callable[[str, Any], str]] = {
    str: _text,
    Drawn: _drawn,
    type(None): _nil,
    bool: _boolean,
    int: _integer,
    At: _datetime,
    Day: _date,
    Symbol: _symbol,
    Many: _array,
    Page: _collection,
    dict: _group,
}


@lru_cache(maxsize=1024)
def _dashed(name: str) -> str:
    return name.replace("_", "-")


@lru_cache(maxsize=4096)
def second(at_s: int) -> str:
    return from_epoch(at_s).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: str) -> str:
    """Text as XML can hold it: what it cannot hold at all is left out."""
    if _SPECIAL.search(value) is None:
        return value
    value = _ILLEGAL.sub("", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def is_name(value: str) -> bool:
    """Whether it can be the name of an element."""
    return _NAME.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Typed:
    """A value of a request with the type it was sent as (`integer`, `boolean`, `datetime`, `date`)."""

    type: str
    text: str


Params = dict[str, Any]
"""Names with underscores → text, `Typed`, a list of texts, or further `Params`."""


def parse(body: str) -> Params:
    """The document as `{root: …}`; `ValueError` when it is none. An empty element is an empty text."""
    if "<!" in body:
        raise ValueError("a document type is not accepted")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    return {_underscored(root.tag): _value(root, 0)}


def _value(node: ElementTree.Element, depth: int) -> Any:
    if depth > _MOST_DEEP:
        raise ValueError("nested too deeply")
    kind = node.get("type")
    if kind == "array":
        return [_value(child, depth + 1) for child in node]
    if len(node):
        return {_underscored(child.tag): _value(child, depth + 1) for child in node}
    content = node.text or ""
    return content if kind is None else Typed(kind, content)


def _underscored(tag: str) -> str:
    return tag.replace("-", "_")
