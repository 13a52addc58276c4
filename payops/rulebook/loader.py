"""Loading rule files: all of them or none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

from payops.domain.errors import UsageError

from .checks import check, check_set
from .document import Document, Mark, read
from .errors import RuleError, RuleFileErrors
from .model import Rule
from .shape import shape

SUFFIXES = (".yaml", ".yml")
MAX_FILES = 500


@dataclass(frozen=True)
class RuleSet:
    """Every rule that was loaded, by id, and the documents they came from (for messages about them)."""

    rules: Mapping[str, Rule]
    documents: Mapping[str, Document] = field(default_factory=dict, compare=False, repr=False)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules.values())

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, rule_id: str) -> Rule:
        return self.rules[rule_id]

    def __contains__(self, rule_id: object) -> bool:
        return rule_id in self.rules

    def get(self, rule_id: str) -> Rule | None:
        return self.rules.get(rule_id)

    @cached_property
    def hash(self) -> str:
        """sha256 over the rules, hex: two sets with the same hash judge the same."""
        named = (f"{rule_id} {rule.hash}\n" for rule_id, rule in sorted(self.rules.items()))
        return hashlib.sha256("".join(named).encode()).hexdigest()

    def policies(self) -> dict[str, str]:
        """Rule id → canonical JSON of the rule without its tests; `from_policies` reads it back."""
        return {rule_id: rule.policy_json() for rule_id, rule in self.rules.items()}

    @classmethod
    def from_policies(cls, policies: Mapping[str, str]) -> RuleSet:
        """A set as it was in use; `UsageError` when this payops cannot judge by it."""
        rules: dict[str, Rule] = {}
        for rule_id, policy in sorted(policies.items()):
            document = Document(f"the stored rule {rule_id}")
            try:
                rule = Rule.from_policy(policy)
            except ValueError as error:
                raise UsageError(f"{document.file} cannot be read by this payops: {error}") from error
            check(rule, document)
            if document.errors:
                raise UsageError(f"{document.file}: {document.errors[0].message}")
            rules[rule_id] = rule
        return cls(rules)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.rules)


def load(paths: Sequence[Path]) -> RuleSet:
    """The rules of `paths` (files or directories), sorted by id; `RuleFileErrors` lists every mistake in all of them.

    A rule of a later path replaces the one with the same id of an earlier path; within one path ids must differ.
    """
    documents: list[Document] = []
    rules: dict[str, tuple[Rule, Document]] = {}
    unusable = False
    for path in paths:
        here: dict[str, tuple[Rule, Document]] = {}
        for file in _files(path):
            document = _read(file)
            documents.append(document)
            rule = _rule(document)
            if rule is None:
                unusable = True
                continue
            if rule.id in here:
                first = here[rule.id][1].file
                document.error(
                    document.place(("id",)), f"id: the rule '{rule.id}' is also in {first}: ids must differ"
                )
            here[rule.id] = (rule, document)
        rules |= here
    # A file that could not be read at all may hold the rule another one names.
    if not unusable:
        _check_between(list(rules.values()))
    errors = [error for document in documents for error in document.errors]
    if errors:
        raise RuleFileErrors(errors)
    if not rules:
        names = ", ".join(str(path) for path in paths) or "no path"
        raise RuleFileErrors([RuleError(names, 1, 1, "no rule files here: add at least one *.yaml")])
    ordered = sorted(rules)
    return RuleSet({rule_id: rules[rule_id][0] for rule_id in ordered}, {i: rules[i][1] for i in ordered})


def shipped_dir() -> Path:
    """Where the shipped rules are: beside the package in a checkout, else in the installed `payops_rules`."""
    beside = Path(__file__).resolve().parents[2] / "rules"
    if any(beside.glob("*.yaml")):
        return beside
    spec = find_spec("payops_rules")
    for location in (spec.submodule_search_locations or []) if spec else []:
        return Path(location)
    raise UsageError(
        "the shipped rules are not installed: reinstall payops, or set `rules` in the configuration"
    )


@cache
def _shipped() -> Mapping[str, Rule]:
    """The shipped rules as context for rules that name them; empty when they cannot be read themselves."""
    found = {}
    for file in _files(shipped_dir()):
        document = _read(file)
        rule = _rule(document)
        if rule is not None and not document.errors:
            found[rule.id] = rule
    return found


def _check_between(rules: Sequence[tuple[Rule, Document]]) -> None:
    known = {rule.id: rule for rule, _ in rules}
    named = {entry.rule for rule, _ in rules for entry in rule.incident.inhibited_by}
    if not named <= set(known):
        known = {**_shipped(), **known}
    check_set(rules, known)


def _rule(document: Document) -> Rule | None:
    """The rule of a document; None, with the mistakes in the document, when it cannot be used at all."""
    if document.errors:
        # A syntax error hides the rest; duplicate keys and anchors do not, but the shape would blame the wrong place.
        return None
    rule = shape(document)
    if rule is not None:
        check(rule, document)
    return rule


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        if len(files) > MAX_FILES:
            raise RuleFileErrors(
                [RuleError(str(path), 1, 1, f"{len(files)} rule files, at most {MAX_FILES} are read")]
            )
        return files
    return [path]


def _read(file: Path) -> Document:
    try:
        with file.open("rb") as handle:
            return read(handle.read(1_000_000), str(file))
    except OSError as error:
        document = Document(str(file))
        document.error(
            Mark(1, 1), f"cannot be read: {error.strerror or error}; check the path and its permissions"
        )
        return document
