"""`payops rules …` over a real store file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click.testing
import pytest

from payops import config
from payops.cli.main import payops
from payops.clock import utc_now
from payops.engine.wiring import load_rules
from payops.rulebook import apply, shipped_dir
from payops.signals.history import record
from payops.signals.schema import SignalRow
from payops.store import Store

CONFIG = """
schema = "payops.config/v1"
store = "payops.db"
rules = "own"
[[operators]]
name = "ana"
roles = ["operator"]
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "env:KEY"
"""
LABELS = {"account": "stripe-live", "provider": "stripe", "mode": "live"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    (own / "clock.yaml").write_text((shipped_dir() / "clock-skew.yaml").read_text())
    written = tmp_path / "payops.toml"
    written.write_text(CONFIG)
    return written


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Twenty minutes in which the clocks drifted apart after five, judged by the files as they are."""
    settings = config.load(str(path))
    rules = load_rules(settings)
    with Store.open(settings.store_path, now=utc_now()) as opened:
        opened.rules.use(rules.hash, rules.policies(), "payops", "start", utc_now())
        for minute in range(20):
            now = utc_now() - timedelta(minutes=20 - minute)
            signals = {"calls": (SignalRow(LABELS, {"n_5m": 20, "skew_s": 90 * (minute >= 5)}, now),)}
            record(opened, signals, now)
            apply(opened, rules, signals, now, may_act=True)
        yield opened


def run(path: Path, *args: str, code: int = 0) -> str:
    done = click.testing.CliRunner().invoke(payops, [*args, "--config", str(path)])
    assert done.exit_code == code, done.output
    return done.stdout


def test_reload_shows_and_swaps_and_says_what_changed(path: Path, store: Store) -> None:
    assert "in use already" in run(path, "rules", "reload", "--dry-run")
    rule = path.parent / "own" / "clock.yaml"
    rule.write_text(rule.read_text().replace("within: 6h", "within: 5h"))
    shown = json.loads(run(path, "rules", "reload", "--dry-run", "--json"))
    assert shown["changes"] == ["clock-skew: changed"]
    assert shown["reloaded"] is False
    answer = json.loads(run(path, "rules", "reload", "--operator", "ana", "--json"))
    assert answer["reloaded"] is True
    assert store.rules.in_use() == shown["hash"]
    rule.write_text(rule.read_text().replace("skew_s >=", "skow_s >=", 1))
    refused = json.loads(run(path, "rules", "reload", "--operator", "ana", "--json", code=1))
    assert "did you mean 'skew_s'" in refused["problems"][0]
    assert store.rules.in_use() == shown["hash"]


def test_backtest_diff_and_explain_tell_the_same_incident(path: Path, store: Store) -> None:
    found = json.loads(run(path, "rules", "backtest", "--json"))
    (fired,) = [each for each in found["rules"] if each["fired"]]
    assert (fired["rule"], fired["fired"], fired["untold"]) == ("clock-skew", 1, 1)
    other = path.parent / "other.yaml"
    own = path.parent / "own" / "clock.yaml"
    other.write_text(own.read_text().replace("skew_s >= 60", "skew_s >= 100"))
    diff = json.loads(run(path, "rules", "diff", str(own), str(other), "--json"))
    assert len(diff["rules"][0]["behaviour"]["only_before"]) == 1
    assert "only before 1" in run(path, "rules", "diff", str(own), str(other))
    assert "skew_s 90" in run(path, "rules", "explain", "inc-1")


def test_silence_from_the_command_line_is_listed_until_it_is_ended(path: Path, store: Store) -> None:
    silence = ("incidents", "silence", "inc-1", "--for", "2h", "--reason", "deploy", "--operator", "ana")
    assert "stays in the list" in run(path, *silence)
    (listed,) = json.loads(run(path, "incidents", "silences", "--json"))
    assert (listed["by"], listed["reason"], listed["state"]) == ("ana", "deploy", "in force")
    assert "silenced by ana" in run(path, "incidents", "show", "inc-1")
    assert "silenced by ana: deploy, until" in run(path, "incidents", "list")
    run(path, "incidents", "unsilence", "inc-1", "--operator", "ana")
    (listed,) = json.loads(run(path, "incidents", "silences", "--json"))
    assert listed["state"] == "ended"
