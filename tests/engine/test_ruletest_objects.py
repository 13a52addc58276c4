"""Rule tests of the rules that ask for an approval: what the series counts is there to be put right."""

from __future__ import annotations

import json

import pytest
from money_house import RULES

from payops.domain.remedy_actions import REMEDY_ACTIONS
from payops.engine.ruletest_run import play
from payops.rulebook.model import Rule

CURED = {"at": "9m", "state": "resolved", "ended_as": "fixed_by_operator", "attempts": 1, "level": 1}
HANDED_OVER = {"at": "8m", "state": "open", "level": 2, "attempts": 0}


def rule_of(fault: str, **test: object) -> Rule:
    rule, remedy, action = RULES[fault]
    known = REMEDY_ACTIONS[action]
    return Rule.model_validate_json(
        json.dumps(
            {
                "schema": "payops.rule/v1",
                "id": rule,
                "challenge": "refund_fail",
                "title": rule,
                "status": "stable",
                "runbook": "Look.",
                "signal": {"source": known.source, "group_by": ["account"]},
                "fire": {"when": ["count > 0"], "for": "0s", "severity": "sev3"},
                "resolve": {"when": ["count == 0"], "for": "0s"},
                "incident": {"dedup_key": ["account"]},
                "level1": {
                    "remedies": [
                        {
                            "id": remedy,
                            "action": action,
                            "effect": known.effect,
                            "approval": {"by": "operator", "expires": "4m"},
                            "limits": {"max_targets": 20, "max_amount_minor": 500_000},
                            "verify": {"when": ["count == 0"], "within": "10m"},
                        }
                    ]
                },
                "escalate": {
                    "level2": {
                        "when": ["l1_exhausted"],
                        "role": "backend-coordinator",
                        "ack_within": "1h",
                        "request": "What now?",
                    }
                },
                "tests": [
                    {
                        "name": "one",
                        "every": "1m",
                        "labels": {"account": "stripe-live", "provider": "stripe", "mode": "live"},
                        **test,
                    }
                ],
            }
        )
    )


@pytest.mark.parametrize("outcome", ["ok", "timeout_applied"])
@pytest.mark.parametrize("fault", RULES)
def test_what_is_approved_is_put_right(fault: str, outcome: str) -> None:
    rule = rule_of(
        fault,
        series={"count": "0x2 3x4 0x20"},
        actions={RULES[fault][2]: [outcome]},
        operators=[{"after_opening": "1m", "do": "approve"}],
        expect=[{"at": "2m", "state": "open", "attempts": 0}, CURED],
    )
    assert play(rule, rule.tests[0]).why == ""


@pytest.mark.parametrize("fault", RULES)
def test_what_nobody_approves_goes_to_level_2_untouched(fault: str) -> None:
    rule = rule_of(fault, series={"count": "0x2 3x20"}, expect=[HANDED_OVER])
    assert play(rule, rule.tests[0]).why == ""
