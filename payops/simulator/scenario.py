"""Scenario files: `load` reads a shipped one or any path, and names file, line and field of every mistake."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from payops.domain.actions import CAUSES
from payops.domain.catalogue import REMEDY_IDS, RULE_IDS
from payops.domain.errors import UsageError
from payops.domain.payments import Provider
from payops.text import did_you_mean, safe_line

from . import strict_yaml
from .scenario_model import (
    FAULT_KINDS,
    OPERATORS,
    OWN_ENDPOINT,
    SCHEMA,
    ApplicationOptions,
    EndpointOptions,
    Expect,
    Fault,
    FaultKind,
    Only,
    ProviderOptions,
    Scenario,
    ScenarioAction,
)

__all__ = [
    "FAULT_KINDS",
    "OPERATORS",
    "OWN_ENDPOINT",
    "SCHEMA",
    "EndpointOptions",
    "Expect",
    "Fault",
    "FaultKind",
    "Only",
    "ProviderOptions",
    "Scenario",
    "ScenarioAction",
    "load",
    "names",
    "parse",
]


def names() -> tuple[str, ...]:
    """The scenarios that come with payops."""
    folder = resources.files(__package__) / "scenarios"
    return tuple(
        sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    )


def load(name_or_path: str) -> Scenario:
    """A shipped scenario by name, or any file; `UsageError` names file, line, field and what to do."""
    if name_or_path in names():
        shipped = resources.files(__package__) / "scenarios" / f"{name_or_path}.yaml"
        return parse(shipped.read_text("utf-8"), f"{name_or_path}.yaml")
    path = Path(name_or_path)
    if not path.is_file():
        looks_like_path = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
        if looks_like_path:
            raise UsageError(f"no scenario file {safe_line(name_or_path)}")
        raise UsageError(
            f"no scenario {safe_line(name_or_path)!r}{did_you_mean(name_or_path, names())}; "
            f"shipped: {', '.join(names())}; or give the path of a file"
        )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def suite_folder(name_or_path: str) -> Path | None:
    """The folder of scenarios of that path, or a shipped suite's; None when it is neither."""
    path = Path(name_or_path)
    if path.is_dir():
        return path
    shipped = Path(str(resources.files(__package__) / "suites"))
    return next((each for each in shipped.glob("*") if each.name == name_or_path and each.is_dir()), None)


def parse(text: str, source: str) -> Scenario:
    """A scenario from YAML text; `source` is how errors call it."""
    document = strict_yaml.parse(text, source)
    if not isinstance(document.value, dict):
        raise UsageError(f'{source}:1: a scenario is a mapping that starts with schema: "{SCHEMA}"')
    try:
        scenario = Scenario.model_validate(document.value)
    except ValidationError as error:
        raise UsageError(_explain(error, document)) from error
    _cross_check(scenario, document)
    return scenario


def _cross_check(scenario: Scenario, document: strict_yaml.Document) -> None:
    for index, fault in enumerate(scenario.faults):
        place = ("faults", index)
        _known_provider(scenario, document, fault.provider, place)
        endpoints = [e.name for e in scenario.providers[fault.provider].all_endpoints]
        if fault.endpoint not in (*endpoints, OWN_ENDPOINT):
            raise _error(
                document,
                (*place, "endpoint"),
                f"{fault.provider} has no endpoint {fault.endpoint!r}{did_you_mean(fault.endpoint, endpoints)}; "
                f"it has: {', '.join(endpoints)}",
            )
        if fault.at >= scenario.duration:
            raise _error(document, (*place, "at"), "is not before the run's end (duration)")
    for index, line in enumerate(scenario.expect):
        place = ("expect", index)
        if line.none_other and index != len(scenario.expect) - 1:
            raise _error(document, place, "none_other closes the list: move it to the end")
        _known_provider(scenario, document, line.provider, place)
        if line.after is not None and line.after >= len(scenario.faults):
            raise _error(
                document,
                (*place, "after"),
                f"there is no fault {line.after}; they count from 0, and there are {len(scenario.faults)}",
            )
        if line.by is not None and line.by > scenario.duration:
            raise _error(document, (*place, "by"), "is after the run's end (duration)")
        _known_rule(document, line.rule, place)
    for index, action in enumerate(scenario.actions):
        place = ("actions", index)
        _known_provider(scenario, document, action.provider, place)
        if action.at is not None and action.at > scenario.duration:
            raise _error(document, (*place, "at"), "is after the run's end (duration)")
        _known_rule(document, action.rule, place)
        _check_words(scenario, document, action, place)


def _known_rule(document: strict_yaml.Document, rule: str | None, place: strict_yaml.Path) -> None:
    if rule is not None and rule not in RULE_IDS:
        raise _error(
            document,
            (*place, "rule"),
            f"no rule {safe_line(rule, limit=60)!r}{did_you_mean(rule, RULE_IDS)}; known: {', '.join(RULE_IDS)}",
        )


NEEDED: dict[str, tuple[str, ...]] = {
    "assign": ("to",),
    "note": ("text",),
    "return": ("question",),
    "resolve": ("cause", "fixed"),
    "silence": ("for", "reason"),
    "answer": ("answer", "text"),
    "hand-down": ("reason",),
    "decide": ("option", "why"),
    "learn": ("lesson", "text"),
    "done": ("followup",),
    "confirm": ("message",),
    "arm": ("remedies", "reason"),
    "disarm": ("remedies", "reason"),
    "change": ("text",),
}
"""The words without which an action cannot apply; those of a handoff are drafted from facts."""


def _check_words(
    scenario: Scenario, document: strict_yaml.Document, action: ScenarioAction, place: strict_yaml.Path
) -> None:
    """What `do` needs, at load: a run must not end after an hour for a word that was never there."""
    for name in NEEDED.get(action.do, ()):
        if not action.fields.get(name, "").strip():
            raise _error(document, (*place, name), f"required: {action.do} needs it")
    cause = action.fields.get("cause")
    if action.do == "resolve" and cause not in CAUSES:
        raise _error(
            document,
            (*place, "cause"),
            f"unknown cause {safe_line(cause, limit=60)!r}{did_you_mean(str(cause), CAUSES)}; "
            f"known: {', '.join(CAUSES)}",
        )
    if action.do in ("arm", "disarm"):
        if action.provider is None and len(scenario.providers) > 1:
            known = ", ".join(scenario.providers)
            raise _error(document, (*place, "provider"), f"required: on which account? One of {known}")
        for remedy in action.fields["remedies"].replace(",", " ").split():
            if remedy not in REMEDY_IDS:
                raise _error(
                    document,
                    (*place, "remedies"),
                    f"no remedy {safe_line(remedy, limit=60)!r}{did_you_mean(remedy, REMEDY_IDS)}; "
                    f"known: {', '.join(REMEDY_IDS)}",
                )


def _known_provider(
    scenario: Scenario, document: strict_yaml.Document, provider: Provider | None, place: strict_yaml.Path
) -> None:
    if provider is not None and provider not in scenario.providers:
        known = ", ".join(scenario.providers)
        raise _error(
            document, (*place, "provider"), f"{provider} is not among this file's providers ({known})"
        )


def _error(document: strict_yaml.Document, path: strict_yaml.Path, what: str) -> UsageError:
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    where = f"{document.source}:{document.line(path)}"
    return UsageError(f"{where}: {field}: {what}" if field else f"{where}: {what}")


_QUOTED = re.compile(r"'([^']*)'")
_SHAPES = {
    "model_type": "a mapping such as {key: value}",
    "dict_type": "a mapping such as {key: value}",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
}
_MODELS: dict[str, type[BaseModel]] = {
    "providers": ProviderOptions,
    "endpoints": EndpointOptions,
    "application": ApplicationOptions,
    "faults": Fault,
    "only": Only,
    "expect": Expect,
    "actions": ScenarioAction,
}


def _explain(error: ValidationError, document: strict_yaml.Document) -> str:
    found: list[Any] = error.errors(include_url=False)
    # A misspelt key also makes the right one missing: the misspelling is what to show.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    path: strict_yaml.Path = tuple(part for part in first["loc"] if part != "[key]")
    kind, message = first["type"], first["msg"].removeprefix("Value error, ")
    given = safe_line(first["input"], limit=60)
    if kind == "extra_forbidden":
        owners = [part for part in path[:-1] if isinstance(part, str) and part in _MODELS]
        model = _MODELS[owners[-1]] if owners else Scenario
        known = [info.alias or name for name, info in model.model_fields.items()]
        message = f"unknown key{did_you_mean(str(path[-1]), known)}; remove or correct it"
    elif kind == "missing":
        message = "required, and not given"
    elif kind == "literal_error":
        wanted = first["ctx"]["expected"]
        message = f"must be {wanted}, got {given!r}{did_you_mean(given, re.findall(_QUOTED, wanted))}"
    elif kind in _SHAPES:
        message = f"must be {_SHAPES[kind]}, got {given!r}"
    elif kind != "value_error":
        message = f"{message.replace('Input should', 'must').replace('String should', 'must')}, got {given!r}"
    return str(_error(document, path, message))
