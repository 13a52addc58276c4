"""Scenario files are strict, and every mistake is named by file, line and field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payops.domain.errors import UsageError
from payops.domain.payments import PROVIDERS
from payops.simulator import scenario as scenarios

HEAD = """schema: payops.scenario/v1
name: x
duration: 1h
providers:
  stripe: {mode: live}
"""


RULE = "rule: success-rate-drop"
SHIPPED = {
    "clock_skew",
    "decline_surge",
    "gateway_rejections",
    "key_expired",
    "key_revoked",
    "key_wrong_mode",
    "network_drop",
    "permission_missing",
    "provider_outage",
    "provider_slow",
    "rate_limited",
    "receiver_down",
    "test_object_in_live",
    "webhook_endpoint_disabled",
    "webhook_wrong_mode_secret",
}
"""Fault kinds that a shipped scenario shows."""


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        scenarios.parse(text, "f.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", scenarios.names())
def test_shipped_scenario_loads_and_expects_nothing_else(name: str) -> None:
    scenario = scenarios.load(name)
    assert scenario.expect[-1].none_other
    providers = PROVIDERS if name in ("default", "healthy-week") else ("stripe",)
    assert scenario.accounts.keys() == {f"{provider}-live" for provider in providers}


def test_shipped_scenarios_cover_every_fault_kind() -> None:
    kinds = {fault.kind for name in scenarios.names() for fault in scenarios.load(name).faults}
    assert kinds >= SHIPPED
    assert set(scenarios.FAULT_KINDS) >= kinds


def test_values_mean_what_the_interface_says() -> None:
    scenario = scenarios.parse(
        HEAD
        + """start: 2026-01-15T10:00:00+01:00
faults:
  - {kind: decline_surge, provider: stripe, at: 90s, until: 0.5h, only: {card_brand: visa}}
  - {kind: receiver_down, provider: stripe, at: 5m}
  - {kind: key_revoked, provider: stripe, at: 5m}
expect:
  - {rule: success-rate-drop, provider: stripe, after: 1, within: 15m, by: 1h, state: acknowledged}
  - {rule: decline-code-surge, optional: true}
  - {none_other: true}
actions:
  - {after_opening: 2m, do: escalate, rule: success-rate-drop, problem: cards fail, by: demo2}
  - {at: 1m, do: stop, reason: drill}
""",
        "f.yaml",
    )
    surge, down, revoked = scenario.faults
    assert scenario.start == datetime(2026, 1, 15, 9, tzinfo=UTC)
    assert (surge.at, surge.ends) == (timedelta(seconds=90), timedelta(minutes=30))
    assert surge.only.card_brand == "visa" and surge.decline == "do_not_honor"
    assert down.ends == timedelta(minutes=15)
    assert revoked.ends is None
    assert scenario.expect[0].within == timedelta(minutes=15)
    assert scenario.actions[0].fields == {"problem": "cards fail"}
    assert scenario.actions[0].by == "demo2"
    assert [e.name for e in scenario.providers["stripe"].all_endpoints] == ["payops"]


def test_remedies_to_arm_are_words_or_a_list() -> None:
    scenario = scenarios.parse(
        HEAD
        + """actions:
  - {at: 1m, do: disarm, remedies: [diagnose, resend-missing], reason: drill}
  - {at: 2m, do: arm, provider: stripe, remedies: diagnose, reason: drill}
""",
        "f.yaml",
    )
    assert [action.fields["remedies"] for action in scenario.actions] == [
        "diagnose resend-missing",
        "diagnose",
    ]


def test_own_endpoint_joins_the_listed_ones() -> None:
    scenario = scenarios.parse(HEAD.replace("{mode: live}", "{endpoints: [{name: shop}]}"), "f.yaml")
    assert [e.name for e in scenario.providers["stripe"].all_endpoints] == ["payops", "shop"]


@pytest.mark.parametrize(
    ("addition", "line", "field", "words"),
    [
        ("faults: [{kind: declin_surge, provider: stripe, at: 1m}]", 6, "faults[0].kind", "'decline_surge'"),
        ("faults:\n  - kind: key_revoked\n    provider: stripe\n    at: 20", 9, "faults[0].at", "20m"),
        ("faults: [{kind: key_revoked, provider: stripe, at: 99999999999d}]", 6, "faults[0].at", "longer"),
        ("faults: [{kind: key_revoked, at: 1m}]", 6, "faults[0].provider", "required"),
        ("faults: [{kind: key_revoked, provider: strpe, at: 1m}]", 6, "faults[0].provider", "'stripe'"),
        ("faults: [{kind: key_revoked, provider: paypal, at: 1m}]", 6, "faults[0].provider", "paypal"),
        ("faults: [{kind: key_revoked, provider: stripe, at: 2h}]", 6, "faults[0].at", "end"),
        (
            "faults: [{kind: key_revoked, provider: stripe, at: 2m, until: 1m}]",
            6,
            "faults[0]",
            "later",
        ),
        (
            "faults: [{kind: key_revoked, provider: stripe, at: 1m, decline: lost_card}]",
            6,
            "faults[0]",
            "does not take decline",
        ),
        (
            "faults: [{kind: decline_surge, provider: stripe, at: 1m, decline: lost_crd}]",
            6,
            "faults[0].decline",
            "'lost_card'",
        ),
        (
            "faults: [{kind: decline_surge, provider: stripe, at: 1m, only: {card_brand: vsa}}]",
            6,
            "faults[0].only.card_brand",
            "'visa'",
        ),
        (
            "faults: [{kind: decline_surge, provider: stripe, at: 1m, only: {card_brnd: visa}}]",
            6,
            "faults[0].only.card_brnd",
            "'card_brand'",
        ),
        (
            "faults: [{kind: receiver_down, provider: stripe, at: 1m, endpoint: shop}]",
            6,
            "faults[0].endpoint",
            "payops",
        ),
        ("expect: [{provider: stripe}]", 6, "expect[0]", "rule"),
        ("expect: [{rule: a, state: resolve}]", 6, "expect[0].state", "'resolved'"),
        ("expect: [{rule: a, after: 0}]", 6, "expect[0].after", "no fault 0"),
        ("expect: [{rule: a, by: 2h}]", 6, "expect[0].by", "end"),
        ("expect:\n  - {none_other: true}\n  - {rule: a}", 7, "expect[0]", "end"),
        ("expect: [{rule: success-rate-dorp}]", 6, "expect[0].rule", "'success-rate-drop'"),
        ("actions: [{at: 1m, do: fix, rule: webhok-events-missing}]", 6, "actions[0].rule", "did you mean"),
        (f"actions: [{{at: 1m, do: note, {RULE}}}]", 6, "actions[0].text", "required"),
        (f"actions: [{{at: 1m, do: assign, {RULE}}}]", 6, "actions[0].to", "required"),
        (f"actions: [{{at: 1m, do: return, {RULE}}}]", 6, "actions[0].question", "required"),
        (f"actions: [{{at: 1m, do: resolve, {RULE}, fixed: x}}]", 6, "actions[0].cause", "required"),
        (
            f"actions: [{{at: 1m, do: resolve, {RULE}, cause: isuer, fixed: x}}]",
            6,
            "actions[0].cause",
            "'issuer'",
        ),
        (f"actions: [{{at: 1m, do: resolve, {RULE}, cause: issuer}}]", 6, "actions[0].fixed", "required"),
        ("actions: [{at: 1m, do: arm, reason: x}]", 6, "actions[0].remedies", "required"),
        ("actions: [{at: 1m, do: arm, remedies: diagnose}]", 6, "actions[0].reason", "required"),
        (
            "actions:\n  - {at: 1m, do: disarm, remedies: [resend-missin], reason: x}",
            7,
            "actions[0].remedies",
            "'resend-missing'",
        ),
        ("expect: [{none_other: true, rule: a}]", 6, "expect[0]", "alone"),
        ("actions: [{at: 1m, do: fixx, rule: a}]", 6, "actions[0].do", "'fix'"),
        ("actions: [{do: fix, rule: a}]", 6, "actions[0]", "exactly one"),
        ("actions: [{at: 1m, after_opening: 1m, do: fix, rule: a}]", 6, "actions[0]", "exactly one"),
        ("actions: [{at: 1m, do: fix}]", 6, "actions[0]", "rule"),
        ("actions: [{at: 1m, do: note, rule: a, txt: hi}]", 6, "actions[0]", "'text'"),
        ("actions: [{at: 1m, do: fix, rule: a, by: nobody}]", 6, "actions[0].by", "demo"),
        ("warmpu: 2h", 6, "warmpu", "'warmup'"),
        ("warmup: soon", 6, "warmup", "20m"),
        ("seed: yes", 6, "seed", "whole number"),
        ("seed: off", 6, "seed", "'off'"),
        ("seed: -1", 6, "seed", "greater"),
        ("start: tomorrow", 6, "start", "2026-01-15T09:00:00Z"),
        ("start: 2026-01-15T09:00:00", 6, "start", "zone"),
        ("start: 0001-01-01T00:00:00Z", 6, "start", "2000"),
        ("faults: {a: b}", 6, "faults", "a list"),
        ("faults: [3]", 6, "faults[0]", "mapping"),
        ("name: y", 6, "name", "first on line 2"),
        ("seed: &x 3", 6, "", "anchors"),
        ("seed: !!int '3'", 6, "", "tags"),
        ("faults: [", 7, "", "not valid YAML"),
        ("---\nschema: x", 6, "", "not valid YAML"),
    ],
)
def test_mistake_is_named_by_line_and_field(addition: str, line: int, field: str, words: str) -> None:
    message = refusal(HEAD + addition + "\n")
    assert message.startswith(f"f.yaml:{line}: {field}")
    assert words in message


@pytest.mark.parametrize(
    ("providers", "words"),
    [
        ("{paypl: {mode: live}}", "did you mean 'paypal'?"),
        ("{strip: {mode: live}}", "did you mean 'stripe'?"),
        ("{stripe: {mod: live}}", "did you mean 'mode'?"),
        ("{stripe: {mode: prod}}", "'live' or 'test'"),
        ("{stripe: }", "mapping"),
        ("{stripe: {success_rate: 2}}", "less than or equal to 1"),
        ("{stripe: {payments_per_minute: fast}}", "a number"),
        ("{stripe: {fallback_credential: on}}", "true or false"),
        ("{stripe: {endpoints: [{name: a}, {name: a}]}}", "same name"),
        ("{}", "at least 1"),
        ("{stripe: {endpoints: [{name: a, topology: relay}, {name: b, topology: relay}]}}", "one receiver"),
        ("{stripe: {endpoints: [{name: payops}, {name: b, topology: relay}]}}", "one receiver"),
        ("{stripe: {endpoints: [{name: payops, topology: import}]}}", "it is no import"),
        ("{stripe: {endpoints: [{name: a, application: {status: 204}}]}}", "greater than or equal to 300"),
    ],
)
def test_mistake_in_providers_is_named(providers: str, words: str) -> None:
    message = refusal(f"schema: payops.scenario/v1\nname: x\nproviders: {providers}\n")
    assert message.startswith("f.yaml:3: providers")
    assert words in message


def test_world_too_large_to_run_is_refused() -> None:
    big = HEAD.replace("{mode: live}", "{payments_per_minute: 600}") + "warmup: 300d\n"
    assert "payments_per_minute" in refusal(big)


@pytest.mark.parametrize("text", ["", "- a", "schema", "null"])
def test_something_that_is_no_scenario_is_refused(text: str) -> None:
    assert refusal(text).startswith("f.yaml:1: a scenario is a mapping")


def test_other_schema_is_refused() -> None:
    assert "payops.scenario/v1" in refusal("schema: payops.rule/v1\nname: x\nproviders: {stripe: {}}\n")


def test_file_is_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD, "utf-8")
    assert scenarios.load(str(path)).name == "x"


def test_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(
        UsageError, match=r"'helthy' \(did you mean 'healthy'\?\); shipped: card-testing, clock-skew, "
    ):
        scenarios.load("helthy")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no scenario file .*none\.yaml"):
        scenarios.load(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"name: \x00\n", b"[" * 5000, b"a: " + b"9" * 10_000])
def test_hostile_bytes_are_one_line_not_a_traceback(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        scenarios.load(str(path))
    assert "bad.yaml" in str(caught.value) and "\n" not in str(caught.value)
