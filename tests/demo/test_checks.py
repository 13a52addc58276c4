from __future__ import annotations

from datetime import UTC, datetime, timedelta

from payops.demo.checks import judge
from payops.domain.incidents import Incident
from payops.simulator.scenario import Expect, Fault

START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
FAULTS = (Fault(kind="webhook_endpoint_disabled", provider="stripe", at=timedelta(minutes=20)),)
MINUTE = timedelta(minutes=1)


def incident(opened_min: float, **changes: object) -> Incident:
    at = START + timedelta(minutes=opened_min)
    values: dict[str, object] = {
        "id": "inc-1",
        "version": 1,
        "rule": "webhook-endpoint-disabled",
        "challenge": "webhook_miss",
        "provider": "stripe",
        "account": "stripe-live",
        "mode": "live",
        "title": "x",
        "severity": "sev2",
        "state": "resolved",
        "level": 1,
        "dedup_key": "k",
        "labels": {},
        "opened_at": at,
        "updated_at": at,
        "ended_as": "fixed_by_payops",
    }
    return Incident(**{**values, **changes})  # type: ignore[arg-type]


def line(**fields: object) -> Expect:
    return Expect(rule="webhook-endpoint-disabled", provider="stripe", **fields)  # type: ignore[arg-type]


def verdicts(expect: list[Expect], final: list[Incident], by: dict | None = None) -> list[bool]:
    return [check.ok for check in judge(expect, FAULTS, START, final, by or {})]


def test_a_met_line_and_no_other() -> None:
    expect = [line(within=5 * MINUTE, state="resolved", level=1), Expect(none_other=True)]
    assert verdicts(expect, [incident(21)]) == [True, True]


def test_an_incident_that_never_opened_is_bad_unless_optional() -> None:
    assert verdicts([line()], []) == [False]
    assert verdicts([line(optional=True)], []) == [True]


def test_too_late_is_bad_and_says_how_late() -> None:
    checks = judge([line(within=5 * MINUTE)], FAULTS, START, [incident(26)], {})
    assert not checks[0].ok
    assert "opened 6 min after its fault, allowed 5 min" in checks[0].why


def test_an_incident_before_its_fault_does_not_match_and_counts_as_other() -> None:
    assert verdicts([line(after=0), Expect(none_other=True)], [incident(10)]) == [False, False]


def test_by_judges_the_state_of_that_moment() -> None:
    then = incident(21, state="open", ended_as=None)
    expect = [line(by=30 * MINUTE, state="open")]
    assert verdicts(expect, [incident(21)], {30 * MINUTE: {"inc-1": then}}) == [True]
    assert verdicts(expect, [incident(21)], {30 * MINUTE: {}}) == [False]


def test_every_wrong_field_is_named() -> None:
    checks = judge([line(state="open", level=2, ended_as="self_healed")], FAULTS, START, [incident(21)], {})
    for word in ("state is resolved", "level is 1", "ended_as is fixed_by_payops"):
        assert word in checks[0].why
