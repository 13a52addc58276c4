"""The rule engine: a tick of 200 rules over 50 groups, loading 200 rules, and one rule's test of half an hour."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from payops.domain.incidents import Value
from payops.engine.ruletest_run import play
from payops.rulebook import RuleSet, apply, load, shipped_dir
from payops.rulebook.document import LOADER
from payops.rulebook.series import parse_series
from payops.signals.schema import SOURCES, SignalRow, SignalSet
from payops.store import Store

from .harness import Figure, cpu_of, paired

RULES, GROUPS = 200, 50
NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
SAMPLES: dict[str, Value] = {"bool": False, "int": 3, "double": 0.5, "string": ""}


def copies(folder: Path) -> RuleSet:
    """The shipped rules over and over under other names, until there are 200."""
    texts = [file.read_text() for file in sorted(shipped_dir().glob("*.yaml"))]
    for number in range(RULES):
        text = texts[number % len(texts)]
        named = re.sub(r"^id: (.*)$", rf"id: \1-{number}", text, count=1, flags=re.MULTILINE)
        (folder / f"{number}.yaml").write_text(named)
    return load([folder])


def healthy() -> dict[str, dict[str, Value | None]]:
    """Source → a value for each field, as the shipped rules' own tests begin: nothing fires."""
    found: dict[str, dict[str, Value | None]] = {
        name: {field: SAMPLES[kind.type] for field, kind in source.fields.items()}
        for name, source in SOURCES.items()
    }
    for rule in load([shipped_dir()]):
        fields = SOURCES[rule.signal.source].fields
        for test in rule.tests[:1]:
            for name, text in test.series.items():
                found[rule.signal.source][name] = parse_series(text, fields[name].type)[0]
    return found


def signals(minute: int) -> SignalSet:
    """50 groups of every source; every number moves each minute by a little."""
    now = NOW + timedelta(minutes=minute)
    found = {}
    for name, values in healthy().items():
        rows = []
        for group in range(GROUPS):
            labels = {label: f"{label}-{group}" for label in SOURCES[name].labels}
            labels |= {"provider": "stripe", "mode": "live"}
            by = 1 + 1e-6 * ((group + minute) % 3)
            moved = {
                field: value * by
                if isinstance(value, float)
                else value + minute % 2
                if field.startswith("n_") and value
                else value
                for field, value in values.items()
            }
            rows.append(SignalRow(labels, moved, now))
        found[name] = tuple(rows)
    return found


def _floor(given: SignalSet, rules: RuleSet) -> None:
    """Nothing but looking up one value of each rule for each of its groups, and comparing it."""
    held = 0
    for rule in rules:
        name = next(iter(SOURCES[rule.signal.source].fields))
        for row in given[rule.signal.source]:
            value = row.values.get(name)
            held += value is not None and value == 7


def _tick(folder: Path) -> Figure:
    rules = copies(folder)
    minutes = [signals(minute) for minute in range(2)]
    store = Store.open(folder / "payops.db", now=NOW)
    turn = [0]

    def tick() -> None:
        turn[0] += 1
        apply(store, rules, minutes[turn[0] % 2], NOW + timedelta(minutes=1), may_act=True)

    tick()
    figure = paired(
        f"tick of {RULES} rules over {GROUPS} groups",
        lambda: cpu_of(tick),
        lambda: cpu_of(lambda: _floor(minutes[0], rules)),
        "50 ms; floor: one value of each compared",
    )
    store.close()
    return figure


def _loading(folder: Path) -> Figure:
    copies(folder)
    files = sorted(folder.glob("*.yaml"))

    def parse() -> None:
        for file in files:
            for _ in yaml.parse(file.read_bytes(), Loader=LOADER):
                pass

    return paired(
        f"load {RULES} rules with their tests",
        lambda: cpu_of(lambda: load([folder])),
        lambda: cpu_of(parse),
        "1,000 ms; floor: YAML events alone",
    )


def _test() -> Figure:
    rule = load([shipped_dir()])["clock-skew"]
    test = next(each for each in rule.tests if "told to a person" in each.name)

    def empty() -> None:
        Store.in_memory(NOW).close()

    return paired(
        "one rule test of 24 minutes",
        lambda: cpu_of(lambda: [play(rule, test) for _ in range(10)]) / 10,
        lambda: cpu_of(lambda: [empty() for _ in range(10)]) / 10,
        "5 ms; floor: an empty store in memory",
    )


def figures() -> list[Figure]:
    found: list[Figure] = []
    makers: tuple[Callable[[Path], Figure], ...] = (_tick, _loading)
    for make in makers:
        with tempfile.TemporaryDirectory() as folder:
            found.append(make(Path(folder)))
    return [*found, _test()]
