"""The JSON Schema of a rule file, for editors: drawn from the same model that loads one.

It knows the shape, the words and the names that exist. What a term means, and whether a field belongs to the signal,
only the loader can say.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from payops.domain.remedy_actions import REMEDY_ACTIONS
from payops.expressions import format_duration
from payops.signals.schema import SOURCES

from .model import DURATION, SCHEMA, Rule

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema of `payops.rule/v1` as JSON-able values."""
    made = Rule.model_json_schema(by_alias=True)
    parts = made["$defs"]
    parts["Signal"]["properties"]["source"] = {
        "type": "string",
        "oneOf": [{"const": name, "description": source.meaning} for name, source in SOURCES.items()],
    }
    parts["Remedy"]["properties"]["action"] |= {"enum": sorted(REMEDY_ACTIONS)}
    return {"$schema": DIALECT, "$id": f"https://payops.invalid/schema/{SCHEMA}", **_tidy(made)}


_ISO = TypeAdapter(timedelta)


def _tidy(node: Any) -> Any:
    """Without the generated titles, which repeat the keys, and with defaults of durations as files write them."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: {name: _tidy(each) for name, each in value.items()} if key in _NAMED else _tidy(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }
    if kept.get("pattern") == DURATION["pattern"] and "default" in kept:
        kept["default"] = format_duration(_ISO.validate_python(kept["default"]))
    return kept


_NAMED = ("properties", "$defs")
"""Keywords whose keys are names of ours, `title` among them."""
