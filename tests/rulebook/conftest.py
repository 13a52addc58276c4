from __future__ import annotations

from pathlib import Path

import pytest

from payops.rulebook import RuleFileErrors, load

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
