"""The permitted parameters are those of Stripe's published description, but for a table of known differences."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from payops.simulator.stripe.params import NEWER, ONE_OF, PERMITTED, Kind

# Stripe's description of its API, version 2024-04-10 (github.com/stripe/openapi), where it is at hand.
BESIDE = Path(__file__).parents[3] / "shared" / "data" / "stripe" / "spec3_2024-04-10.json"
SPEC = Path(os.environ.get("PAYOPS_STRIPE_SPEC", BESIDE))
TYPES: dict[Kind, tuple[str, ...]] = {
    "string": ("string",),
    "integer": ("integer",),
    "boolean": ("boolean",),
    "strings": ("array",),
    "map": ("object",),
    "created": ("object", "integer"),
}


@pytest.fixture(scope="module")
def described() -> dict[tuple[str, str], dict[str, Any]]:
    """(method, path with `{id}`) → parameter → its schema."""
    if not SPEC.is_file():
        pytest.skip(f"no description of the API at {SPEC}; set PAYOPS_STRIPE_SPEC to Stripe's spec3.json")
    found = {}
    for path, methods in json.loads(SPEC.read_text("utf-8"))["paths"].items():
        for method, operation in methods.items():
            params = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == "query"}
            body = operation.get("requestBody", {}).get("content", {})
            form = body.get("application/x-www-form-urlencoded", {}).get("schema", {})
            params |= form.get("properties", {})
            found[method.upper(), re.sub(r"\{\w+\}", "{id}", path)] = params
    return found


def kinds_of(schema: dict[str, Any]) -> set[str]:
    choices = schema.get("anyOf", [schema])
    return {choice["type"] for choice in choices if "type" in choice}


@pytest.mark.parametrize("called", sorted(c for c in PERMITTED if not c[1].startswith("/v2/")))
def test_parameters_are_known_to_stripe_and_of_its_types(
    called: tuple[str, str], described: dict[tuple[str, str], dict[str, Any]]
) -> None:
    newer = NEWER.get(called, {})
    if "*" in newer:
        assert called not in described, "described after all: check its parameters"
        return
    for name, kind in PERMITTED[called].items():
        if name in newer:
            assert name not in described[called], f"{name} is described after all"
            continue
        assert name in described[called], (
            f"{name} is not in the description; if it is newer, say where it stands"
        )
        assert set(TYPES[kind]) & kinds_of(described[called][name]), name


@pytest.mark.parametrize("called", sorted(ONE_OF))
def test_values_are_those_stripe_lists(
    called: tuple[str, str], described: dict[tuple[str, str], dict[str, Any]]
) -> None:
    if "*" in NEWER.get(called, {}):
        return
    for name, values in ONE_OF[called].items():
        listed = described[called][name].get("enum")
        if listed is not None:
            assert set(values) == set(listed), name


def test_every_difference_names_its_source() -> None:
    for called, names in NEWER.items():
        assert called in PERMITTED
        assert all(source.strip() for source in names.values())
        assert names.keys() <= {"*", *PERMITTED[called]}
