"""The JSON Schema says of a rule file what the loader says, as far as a schema can."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
import yaml

from payops.rulebook import RuleFileErrors, load, shipped_dir
from payops.rulebook.schema import json_schema

SCHEMA = json_schema()
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}
HANDLED = {
    "$ref", "$schema", "$id", "$defs", "type", "const", "enum", "anyOf", "oneOf", "pattern", "minLength", "maxLength",
    "minimum", "maximum", "minItems", "maxItems", "items", "properties", "required", "additionalProperties",
    "minProperties", "description", "default",
}  # fmt: skip


def wrong(value: Any, schema: Any, at: str = "rule") -> list[str]:
    """What the schema has against `value`: the keywords the schema uses, and no others."""
    if schema is True or schema is False:
        return [] if schema else [f"{at}: not allowed"]
    assert set(schema) <= HANDLED, set(schema) - HANDLED
    if "$ref" in schema:
        return wrong(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    found = []
    kind = schema.get("type")
    if kind and not (isinstance(value, TYPES[kind]) and not (kind == "integer" and isinstance(value, bool))):
        return [f"{at}: not {kind}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: not one of {schema['enum']}")
    for keyword, enough in (("anyOf", lambda n: n > 0), ("oneOf", lambda n: n == 1)):
        if keyword in schema and not enough(sum(not wrong(value, each, at) for each in schema[keyword])):
            found.append(f"{at}: fits none")
    if isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value):
            found.append(f"{at}: {value!r} does not match")
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
            found.append(f"{at}: length")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: out of bounds")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
            found.append(f"{at}: entries")
        for index, each in enumerate(value):
            found += wrong(each, schema.get("items", True), f"{at}[{index}]")
    if isinstance(value, dict):
        found += [f"{at}: lacks {key}" for key in schema.get("required", ()) if key not in value]
        for key, each in value.items():
            known = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            found += wrong(each, known, f"{at}.{key}")
    return found


@pytest.mark.parametrize("file", sorted(shipped_dir().glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_rules_fit_the_schema(file):
    assert wrong(yaml.safe_load(file.read_text()), SCHEMA) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "payops.rule/v2"),
        (("id",), "Not a name"),
        (("status",), "stabel"),
        (("signal", "source"), "webhoks"),
        (("signal", "on_no_data"), "ignore"),
        (("fire", "for"), "five minutes"),
        (("fire", "for"), ""),
        (("fire", "when"), []),
        (("level1", "budget"), {"attempts": 3}),
        (("level1", "remedies", 0, "action"), "webhooks.resend"),
        (("escalate", "level2", "role"), "boss"),
        (("extra",), 1),
        (("tests", 0, "expect", 0, "state"), "closed"),
    ],
)
def test_schema_and_loader_refuse_the_same(rule_text, write, path, value):
    document = yaml.safe_load(rule_text)
    assert wrong(document, SCHEMA) == []
    changed = copy.deepcopy(document)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert wrong(changed, SCHEMA)
    with pytest.raises(RuleFileErrors):
        load([write(yaml.safe_dump(changed))])


def test_schema_is_plain_json_with_durations_as_files_write_them():
    text = json.dumps(SCHEMA)
    assert "PT" not in text
    assert SCHEMA["$defs"]["Budget"]["properties"]["timeout"]["default"] == "5m"
