from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from payops.domain.incidents import FixAttempt, Incident
from payops.rulebook import Applied, RuleFileErrors, RuleSet, apply, load
from payops.signals.schema import SignalRow
from payops.store import Store

RULE = """\
schema: payops.rule/v1
id: events-missing
challenge: webhook_miss
title: "Events missing at {endpoint} ({account})"
status: stable
false_positives: ["a new endpoint"]
runbook: "Look at the receiver first."
signal: {source: webhooks, group_by: [account, endpoint], on_no_data: hold}
fire:
  when: ["missing >= 5"]
  for: 1m
  severity: sev3
  severity_up: [{to: sev2, when: ["missing >= 50"]}]
resolve: {when: ["missing == 0"], for: 2m}
flap: {max_changes: 4, within: 6h, hold: 1h}
incident:
  dedup_key: [account, endpoint]
  reopen_within: 2h
level1:
  budget: {attempts: 2, timeout: 5m}
  remedies:
    - id: resend
      action: webhooks.resend_missing
      effect: external
      limits: {lock: [account]}
      retry_on: [rate_limit]
      verify: {when: ["missing == 0"], within: 10m}
escalate:
  level2: {when: ["l1_exhausted"], role: integration-coordinator, ack_within: 1h, request: "Which pattern?"}
  level3: [{when: ["open_for > duration('24h')"], role: tech-lead-orchestrator, request: "Redesign?"}]
tests:
  - name: opens
    every: 1m
    labels: {account: a, provider: stripe, mode: live, endpoint: shop, topology: observer}
    series: {missing: "0x2 7x5 0x10"}
    actions: {webhooks.resend_missing: [ok]}
    expect: [{at: 3m, state: open}]
"""


@pytest.fixture
def rule_text() -> str:
    return RULE


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "rule.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def mistakes(write):
    """The mistakes in one file, as `line:column: message`."""

    def mistakes(text: str | bytes) -> list[str]:
        path = write(text)
        with pytest.raises(RuleFileErrors) as caught:
            load([path])
        assert all(error.file == str(path) for error in caught.value.errors)
        return [f"{error.line}:{error.column}: {error.message}" for error in caught.value.errors]

    return mistakes


START = datetime(2026, 1, 15, 9, tzinfo=UTC)
LABELS = {"account": "a", "provider": "stripe", "mode": "live", "endpoint": "shop", "topology": "observer"}


class Rig:
    """A store in memory and one rule set, fed with values at minutes."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.store = Store.in_memory(START)

    @staticmethod
    def at(minute: float) -> datetime:
        return START + timedelta(minutes=minute)

    def row(self, minute: float, values: dict[str, Any], *, age_s: float = 0, **labels: str) -> SignalRow:
        return SignalRow({**LABELS, **labels}, values, self.at(minute) - timedelta(seconds=age_s))

    def tick(self, minute: float, signals: dict[str, Any], *, may_act: bool = True) -> Applied:
        """`signals`: source → values of one fresh row, or a tuple of rows."""
        rows = {
            source: given if isinstance(given, tuple) else (self.row(minute, given),)
            for source, given in signals.items()
        }
        return apply(self.store, self.rules, rows, self.at(minute), may_act=may_act)

    def missing(self, minute: float, count: int | None, **more: Any) -> Applied:
        return self.tick(minute, {"webhooks": {"missing": count}}, **more)

    def only(self) -> Incident:
        (incident,) = self.store.incidents.listing()
        return incident

    def state(self) -> str:
        found = self.store.incidents.listing()
        return found[0].state if found else "none"

    def outcome(self, applied: Applied, rule: str = "events-missing") -> str:
        (verdict,) = [verdict for verdict in applied.verdicts if verdict.rule.id == rule]
        return verdict.outcome

    def attempt(self, minute: float, *, by: str = "payops", effect: str = "external", **columns: Any) -> None:
        """A fix attempt of the only incident, finished and verified unless said otherwise."""
        incident = self.only()
        n = len(self.store.incidents.attempts(incident.id)) + 1
        self.store.incidents.start_attempt(
            FixAttempt(
                incident_id=incident.id,
                n=n,
                remedy="resend",
                action="webhooks.resend_missing",
                effect=effect,
                by=by,
                idempotency_key=f"key-{incident.id}-{n}",
                plan="{}",
                phase="applying",
                started_at=self.at(minute),
            ),
            self.at(minute),
        )
        done = {"phase": "done", "outcome": "succeeded", "verified": True, "ended_at": self.at(minute)}
        self.store.incidents.update_attempt(incident.id, n, self.at(minute), **(columns or done))


@pytest.fixture
def rig(rule_text, write):
    """A rig on the text rule, with `replace` pairs applied; extra rule texts may follow."""

    def rig(*replace: tuple[str, str], others: tuple[str, ...] = ()) -> Rig:
        text = rule_text
        for old, new in replace:
            assert old in text
            text = text.replace(old, new, 1)
        paths = [write(text), *(write(other, f"other{i}.yaml") for i, other in enumerate(others))]
        return Rig(load(paths))

    return rig
