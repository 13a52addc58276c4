"""From a document to a `Rule`: every mistake of shape, said in words at its place."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from payops.text import did_you_mean, safe_line

from .document import Document, Path
from .model import Rule

_SHOWN = 60


def shape(document: Document) -> Rule | None:
    """The rule in `document`, or None with the mistakes added to `document.errors`."""
    if not isinstance(document.value, dict):
        document.error(document.place(()), "a rule is a mapping: start it with schema: payops.rule/v1")
        return None
    try:
        return Rule.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        details = error.errors(include_url=False)
        for item in details:
            path = _path(item, document.value)
            if item["type"] == "too_short" and any(
                len(other["loc"]) > len(item["loc"]) and other["loc"][: len(item["loc"])] == item["loc"]
                for other in details
            ):
                continue  # its entries are there, but wrong: they have their own message
            at = document.key(path) if item["type"] == "extra_forbidden" else document.place(path)
            document.error(at, _message(item, path, document.value))
        return None


def dotted(path: Path) -> str:
    """`fire.when[0]`: a place as a person writes it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _path(item: ErrorDetails, value: Any) -> Path:
    """The location as keys of the document; parts the document does not have (`[key]`) are dropped."""
    path: list[Any] = []
    for part in item["loc"]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            if item["type"] != "missing":
                break
        path.append(part)
    return tuple(path)


def _message(item: ErrorDetails, path: Path, root: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    where = f"{dotted(path)}: " if path else ""
    got = _shown(item["input"])
    if kind == "missing":
        return f"{dotted(path[:-1]) or 'the rule'} lacks '{path[-1]}': add `{path[-1]}:`{_near(path, root)}"
    if kind == "extra_forbidden":
        known = known_keys(path[:-1])
        close = did_you_mean(str(path[-1]), known)
        rest = "" if close else f"; known: {', '.join(known)}"
        return f"unknown key '{_cut(path[-1])}'{close}{rest}"
    if kind == "literal_error":
        known = _literals(path) or [str(context.get("expected", ""))]
        return f"{where}{got} is not one of {', '.join(known)}{did_you_mean(str(item['input']), known)}"
    if kind == "value_error":
        return f"{where}{item['msg'].removeprefix('Value error, ')}"
    if kind == "string_pattern_mismatch":
        if context.get("pattern") == r"\S":
            return f"{where}is blank: write a sentence"
        return f"{where}{got} is not a name: write lower-case letters, digits, - and _, a letter first"
    if kind in _NOT:
        return f"{where}{got} is not {_NOT[kind]}"
    if kind in _BOUND:
        return f"{where}{got} is {_BOUND[kind].format(**context)}"
    if kind in ("string_too_short", "too_short"):
        return f"{where}needs at least {context.get('min_length')} {_unit(kind)}"
    if kind in ("string_too_long", "too_long"):
        return f"{where}has more than {context.get('max_length')} {_unit(kind)}"
    return f"{where}{safe_line(item['msg'])}: got {got}"


_NOT = {
    "string_type": "text: put it in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list: write it as [ … ] or with a dash before each entry",
    "list_type": "a list: write it as [ … ] or with a dash before each entry",
    "dict_type": "a mapping: write it as key: value",
    "model_type": "a mapping: write it as key: value",
    "model_attributes_type": "a mapping: write it as key: value",
}
_BOUND = {
    "greater_than_equal": "less than {ge}",
    "less_than_equal": "more than {le}, the most allowed",
}


def _unit(kind: str) -> str:
    return "characters" if kind.startswith("string") else "entries"


def _cut(value: object) -> str:
    return safe_line(value, limit=_SHOWN)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"'{_cut(value)}'"
    if value is None:
        return "an empty value"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return _cut(json.dumps(value))


def _near(path: Path, root: Any) -> str:
    """A key that was probably meant to be the missing one."""
    value = root
    for part in path[:-1]:
        value = value[part]
    if not isinstance(value, dict):
        return ""
    wrong = [key for key in value if key not in known_keys(path[:-1])]
    return next((f"; is '{_cut(key)}' meant?" for key in wrong if did_you_mean(key, [str(path[-1])])), "")


def known_keys(path: Path) -> list[str]:
    """The keys a mapping at `path` may have."""
    model = _model_at(path)
    return [] if model is None else [info.alias or name for name, info in model.model_fields.items()]


def _annotation(path: Path) -> Any:
    current: Any = Rule
    for part in path:
        if isinstance(part, int):
            continue
        if typing.get_origin(current) is dict:
            current = typing.get_args(current)[1]
            continue
        model = _model_in(current)
        if model is None:
            return None
        current = next(
            (info.annotation for name, info in model.model_fields.items() if (info.alias or name) == part),
            None,
        )
    return current


def _model_at(path: Path) -> type[BaseModel] | None:
    return _model_in(_annotation(path))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model_in(part))), None)


def _literals(path: Path) -> list[str]:
    return _literals_in(_annotation(path))


def _literals_in(annotation: Any) -> list[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return [str(value) for value in typing.get_args(annotation)]
    return [value for part in typing.get_args(annotation) for value in _literals_in(part)]
