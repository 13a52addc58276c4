"""Money remedies against the simulated providers: asked, approved, done once, proved, and counted by the world."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from money_house import RULES, House, scenario

ROWS = [
    ("duplicate_charge", "stripe"),
    ("duplicate_charge", "braintree"),
    ("duplicate_charge", "paypal"),
    ("authorization_expiring", "stripe"),
    ("authorization_expiring", "braintree"),
    ("authorization_expiring", "paypal"),
    ("refund_failed", "stripe"),
    ("refund_failed", "braintree"),
    ("refund_failed", "paypal"),
    ("subscription_past_due", "stripe"),
    ("subscription_past_due", "braintree"),
    ("subscription_past_due", "paypal"),
    ("subscription_missing_payment_method", "stripe"),
    ("subscription_missing_payment_method", "braintree"),
    ("subscription_invoice_stuck", "stripe"),
]


@pytest.fixture
def house():
    opened: list[House] = []

    def make(provider: str, fault: str, **changes) -> House:
        made = House(scenario(provider, [{"kind": fault}]))
        opened.append(made)
        for _ in range(6):
            made.step(timedelta(seconds=60))
        made.open(fault, **changes)
        made.step()
        return made

    yield make
    for each in opened:
        each.close()


@pytest.mark.parametrize(("fault", "provider"), ROWS)
def test_every_row_that_asks_for_an_approval_is_done_once_and_proved(house, fault, provider):
    made = house(provider, fault)
    request = made.store.incidents.waiting_approval("inc-1")
    assert request is not None, made.store.incidents.get("inc-1").l1_reason
    assert request.remedy == RULES[fault][1]
    made.step()
    assert not made.store.incidents.attempts("inc-1")
    made.approve()
    if request.people == 2:
        made.approve(who="demo2")
    made.run(made.ended)
    (attempt,) = made.store.incidents.attempts("inc-1")
    assert attempt.verified, attempt.detail
    assert attempt.by == ("demo2" if request.people == 2 else "demo")
    if provider != "braintree":  # whose answers carry no request id
        assert attempt.request_ids
    assert json.loads(attempt.progress)["done"]
