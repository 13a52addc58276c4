"""Money back: refunds, voids, and what Braintree refuses of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import braintree
import pytest

from payops.simulator.braintree.transactions import Transaction

from .conftest import Live, Open
from .test_sales import codes

S = braintree.TransactionSearch


def settled(world: Live) -> Transaction:
    return next(
        row
        for row in world.account.book.newest()
        if row.status == "settled" and row.type == "sale" and not row.charge.refunds and row.currency == "usd"
    )


def credits(world: Live, *criteria: Any) -> list[Any]:
    return list(world.gateway.transaction.search(S.type == "credit", *criteria).items)


def test_settled_sale_is_refunded_in_parts_up_to_its_amount(live: Open) -> None:
    world = live(warmup="5h")
    sale = settled(world)
    first = world.gateway.transaction.refund(sale.id, {"amount": "1.00", "order_id": "back-1"}).transaction
    assert (first.type, first.status, first.amount) == ("credit", "submitted_for_settlement", Decimal("1.00"))
    assert (first.refunded_transaction_id, first.order_id) == (sale.id, "back-1")
    assert (first.processor_response_code, first.processor_response_text) == ("1002", "Processed")
    too_much = Decimal(sale.amount) / 100
    assert codes(world.gateway.transaction.refund(sale.id, str(too_much))) == ["91521"]
    rest = world.gateway.transaction.refund(sale.id).transaction
    assert rest.amount == too_much - 1
    assert world.gateway.transaction.find(sale.id).refund_ids == [first.id, rest.id]
    assert codes(world.gateway.transaction.refund(sale.id)) == ["91512"]
    world.later(hours=5)
    assert world.gateway.transaction.find(rest.id).status == "settled"


def test_refund_of_anything_not_settled_is_refused(live: Open) -> None:
    world = live(warmup="5h", success=0.8)
    for status in ("submitted_for_settlement", "processor_declined"):
        assert codes(world.gateway.transaction.refund(world.newest(status).id)) == ["91506"]
    credit = world.gateway.transaction.refund(settled(world).id).transaction
    assert codes(world.gateway.transaction.refund(credit.id)) == ["91505"]


def test_refund_while_settling_depends_on_the_merchants_processor(live: Open) -> None:
    world = live(warmup="5h")
    settling = world.newest("settling")
    world.account.refunds_settling = False
    assert codes(world.gateway.transaction.refund(settling.id)) == ["91574"]
    world.account.refunds_settling = True
    assert world.gateway.transaction.refund(settling.id).is_success


@pytest.mark.parametrize(("amount", "code"), [("x", "81503"), ("0", "81531"), ("-2", "81501")])
def test_malformed_amount_is_refused(live: Open, amount: str, code: str) -> None:
    world = live(warmup="5h")
    assert codes(world.gateway.transaction.refund(settled(world).id, amount)) == [code]


def test_declined_refund_is_a_credit_that_failed(live: Open) -> None:
    world = live(warmup="5h", mode="test", success=1.0)
    sale = settled(world)
    sale.amount = sale.charge.payment.amount = 300_000
    refused = world.gateway.transaction.refund(sale.id, "2046.00")
    assert codes(refused) == ["915201"]
    assert (refused.transaction.type, refused.transaction.status) == ("credit", "processor_declined")
    assert [row.id for row in credits(world, S.status == "processor_declined")] == [refused.transaction.id]
    assert world.gateway.transaction.refund(sale.id, "100.00").is_success


def test_request_key_makes_a_refund_once(live: Open) -> None:
    world = live(warmup="5h")
    sale = settled(world)
    made = [
        world.gateway.transaction.refund(sale.id, {"amount": "1.00", "api_request_key": "r-1"}).transaction.id
        for _ in range(3)
    ]
    assert len(set(made)) == 1
    assert sale.charge.amount_refunded == 100


def test_void_lets_go_what_is_not_settled_and_refuses_the_rest(live: Open) -> None:
    world = live(warmup="5h")
    sale = world.newest("submitted_for_settlement")
    taken = world.account.taken[sale.currency]
    voided = world.gateway.transaction.void(sale.id, {"api_request_key": "v-1"}).transaction
    assert voided.status == "voided" and world.account.taken[sale.currency] == taken - sale.amount
    assert codes(world.gateway.transaction.void(sale.id)) == ["91504"]
    assert codes(world.gateway.transaction.void(settled(world).id)) == ["91504"]
    world.later(hours=5)
    assert world.gateway.transaction.find(sale.id).status == "voided"


def test_reverse_voids_or_refunds(live: Open) -> None:
    world = live(warmup="5h")
    fresh, old = world.newest("submitted_for_settlement"), settled(world)
    assert world.gateway.transaction.reverse(fresh.id).transaction.status == "voided"
    back = world.gateway.transaction.reverse(old.id).transaction
    assert (back.type, back.refunded_transaction_id) == ("credit", old.id)
    assert codes(world.gateway.transaction.reverse(fresh.id)) == ["915282"]


def test_failed_refunds_of_the_fault_are_found_and_can_be_done_again(live: Open) -> None:
    world = live(faults="[{kind: refund_failed, provider: braintree, at: 1m, count: 2}]")
    world.after(minutes=2)
    failed = credits(world, S.status == "processor_declined")
    assert len(failed) == 2
    sale = world.gateway.transaction.find(failed[0].refunded_transaction_id)
    assert sale.status == "settled" and sale.refund_ids == [failed[0].id]
    again = world.gateway.transaction.refund(sale.id).transaction
    assert again.amount == sale.amount


def test_stuck_refunds_are_submitted_and_then_pending(live: Open) -> None:
    world = live(faults="[{kind: refund_stuck, provider: braintree, at: 1m, count: 2}]")
    world.after(minutes=1)
    assert len(credits(world, S.status == "submitted_for_settlement")) >= 2
    world.after(minutes=3)
    stuck = {row.id for row in credits(world, S.status == "settlement_pending")}
    assert len(stuck) == 2
    world.after(hours=7)
    assert {row.id for row in credits(world, S.status == "settlement_pending")} == stuck


def test_refund_over_the_limit_leaves_a_refused_credit_of_more_than_the_sale(live: Open) -> None:
    world = live(faults="[{kind: refund_over_limit, provider: braintree, at: 1m, count: 1}]")
    world.after(minutes=2)
    (over,) = credits(world, S.status == "processor_declined")
    sale = world.gateway.transaction.find(over.refunded_transaction_id)
    assert over.amount == 2 * sale.amount and over.processor_response_code == "2090"
