"""Sales, retries and request keys: what is taken, what is refused, and that nothing is taken twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import braintree
import pytest

from .conftest import Live, Open

SUBMIT = {"submit_for_settlement": True}
PAST_DUE = "[{kind: subscription_past_due, provider: braintree, at: 1m, count: 2}]"
NO_METHOD = "[{kind: subscription_missing_payment_method, provider: braintree, at: 1m, count: 2}]"


def codes(result: Any) -> list[str]:
    assert not result.is_success
    return [error.code for error in result.errors.deep_errors]


def token(world: Live) -> str:
    """A vaulted card that pays in dollars."""
    payers = (each for each in world.account.buyers if each.currency == "usd" and each.customer is not None)
    found = world.account.token_of(next(payers))
    assert found is not None
    return found


def sale(world: Live, **params: Any) -> Any:
    return world.gateway.transaction.sale(
        {"amount": "12.50", "payment_method_token": token(world), "options": SUBMIT, **params}
    )


def test_sale_is_authorized_submitted_and_found_again(live: Open) -> None:
    world = live()
    made = sale(world, order_id="web-77", custom_fields={"source": "phone & <mail>"}).transaction
    assert (made.status, made.amount, made.order_id) == (
        "submitted_for_settlement",
        Decimal("12.50"),
        "web-77",
    )
    assert [step.status for step in made.status_history] == ["authorized", "submitted_for_settlement"]
    assert made.processor_response_type == "approved"
    found = world.gateway.transaction.find(made.id)
    assert found.custom_fields == {"source": "phone & <mail>"}
    (searched,) = world.gateway.transaction.search(braintree.TransactionSearch.order_id == "web-77").items
    assert searched.id == made.id


def test_sale_without_submission_is_authorized_until_submitted_or_expired(live: Open) -> None:
    world = live(rate=0)
    first, second = (sale(world, options={}, order_id=f"a-{n}").transaction for n in (1, 2))
    assert first.status == "authorized"
    less = world.gateway.transaction.submit_for_settlement(first.id, "10.00").transaction
    assert (less.status, less.amount) == ("submitted_for_settlement", Decimal("10.00"))
    assert codes(world.gateway.transaction.submit_for_settlement(first.id)) == ["91507"]
    assert codes(world.gateway.transaction.submit_for_settlement(second.id, "12.51")) == ["91522"]
    world.later(days=7, minutes=1)
    expired = world.gateway.transaction.find(second.id)
    assert expired.status == "authorization_expired"
    assert expired.authorization_expires_at <= expired.updated_at
    assert codes(world.gateway.transaction.submit_for_settlement(second.id)) == ["91507"]


def test_expiring_authorizations_say_until_when_and_can_be_taken(live: Open) -> None:
    world = live(faults="[{kind: authorization_expiring, provider: braintree, at: 1m, count: 2}]")
    world.after(minutes=2)
    found = list(world.gateway.transaction.search(braintree.TransactionSearch.status == "authorized").items)
    assert len(found) == 2
    for each in found:
        assert 0 < (each.authorization_expires_at - each.created_at).total_seconds() <= 12 * 3600
        assert world.gateway.transaction.submit_for_settlement(each.id).is_success


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"amount": None}, "81502"),
        ({"amount": "a lot"}, "81503"),
        ({"amount": "0.00"}, "81531"),
        ({"amount": "-1.00"}, "81501"),
        ({"amount": "1.0000001"}, "81503"),
        ({"payment_method_token": "nobody"}, "91518"),
        ({"payment_method_token": None}, "91508"),
        ({"payment_method_token": None, "customer_id": "nobody"}, "91510"),
        ({"payment_method_token": None, "payment_method_nonce": "stale"}, "91565"),
        ({"merchant_account_id": "another"}, "91513"),
        ({"order_id": "x" * 256}, "91501"),
        ({"transaction_source": "guess"}, "915133"),
    ],
)
def test_malformed_sale_is_refused_with_its_code_and_makes_nothing(
    live: Open, params: dict[str, Any], code: str
) -> None:
    world = live()
    before = len(world.account.book.log)
    refused = sale(world, **params)
    assert codes(refused) == [code] and refused.transaction is None and refused.message
    assert len(world.account.book.log) == before


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"amnt": "1"}, "transaction[amnt]"),
        ({"options": {"submit": True}}, "transaction[options][submit]"),
        ({"credit_card": {"number": "4111111111111111"}}, "transaction[credit_card]"),
        ({"options": {"submit_for_settlement": "perhaps"}}, "transaction[options][submit_for_settlement]"),
    ],
)
def test_unknown_or_malformed_parameter_is_refused_by_name(
    live: Open, params: dict[str, Any], named: str
) -> None:
    world = live(rate=0)
    config = world.gateway.config
    body = {"transaction": {"type": "sale", "amount": "1", **params}}
    answer = config.http().post(f"{config.base_merchant_path()}/transactions", body)
    assert named in answer["api_error_response"]["message"]


@pytest.mark.parametrize(
    ("amount", "status", "code", "type_"),
    [
        ("2001.00", "processor_declined", "2001", "soft_declined"),
        ("2004.00", "processor_declined", "2004", "hard_declined"),
        ("2077.00", "processor_declined", "2077", "soft_declined"),
        ("3000.00", "failed", "3000", "soft_declined"),
        ("5001.00", "gateway_rejected", None, None),
        ("1999.00", "submitted_for_settlement", "1000", "approved"),
    ],
)
def test_sandbox_amounts_ask_for_their_answer(
    live: Open, amount: str, status: str, code: str | None, type_: str | None
) -> None:
    world = live(mode="test", rate=0)
    result = sale(world, amount=amount)
    made = result.transaction
    assert result.is_success is (status == "submitted_for_settlement")
    assert (made.status, made.processor_response_code, made.processor_response_type) == (status, code, type_)
    assert made.gateway_rejection_reason == (
        "application_incomplete" if status == "gateway_rejected" else None
    )
    if not result.is_success:
        assert result.errors.deep_errors == [] and result.params["transaction"]["amount"] == amount
        assert world.gateway.transaction.find(made.id).status == status


def test_decline_of_a_surge_is_a_422_with_the_transaction(live: Open) -> None:
    world = live(
        faults="[{kind: decline_surge, provider: braintree, at: 1m, success_rate: 0, decline: lost_card}]"
    )
    world.after(minutes=2)
    refused = sale(world)
    assert codes(refused) == [] and refused.message == "Processor Declined - Possible Lost Card"
    assert (refused.transaction.status, refused.transaction.processor_response_code) == (
        "processor_declined",
        "2012",
    )
    assert refused.transaction.network_response_code == "41"


def test_gateway_rejects_the_same_order_again_at_once_and_not_later(live: Open) -> None:
    world = live()
    assert sale(world, order_id="web-1").is_success
    again = sale(world, order_id="web-1")
    assert again.transaction.gateway_rejection_reason == "duplicate"
    assert again.transaction.processor_response_code is None
    assert sale(world, order_id="web-2").is_success
    world.later(seconds=31)
    assert sale(world, order_id="web-1").is_success


def test_clone_is_the_same_sale_with_another_amount(live: Open) -> None:
    world = live()
    first = world.newest("submitted_for_settlement")
    amount = "7" if first.currency == "jpy" else "7.00"
    made = world.gateway.transaction.clone_transaction(first.id, {"amount": amount, "options": SUBMIT})
    assert made.transaction.id != first.id and made.transaction.amount == Decimal(amount)
    assert made.transaction.credit_card_details.token == first.token
    assert codes(world.gateway.transaction.clone_transaction(first.id, {})) == ["81502"]


def test_request_key_makes_a_sale_once(live: Open) -> None:
    world = live(rate=0)
    first = sale(world, order_id="web-1", api_request_key="k-1").transaction
    taken = world.account.taken.copy()
    again = sale(world, order_id="web-1", api_request_key="k-1").transaction
    assert again.id == first.id and world.account.taken == taken
    world.gateway.transaction.void(first.id)
    assert sale(world, order_id="web-1", api_request_key="k-1").transaction.status == "voided"
    assert codes(sale(world, order_id="web-2", api_request_key="k-1")) == ["915232"]
    world.later(days=30, minutes=1)
    assert sale(world, order_id="web-1", api_request_key="k-1").transaction.id != first.id


def test_request_key_of_a_refused_request_stays_refused(live: Open) -> None:
    world = live()
    wrong = {"payment_method_token": "nobody", "api_request_key": "k-2"}
    assert codes(sale(world, **wrong)) == ["91518"]
    assert codes(sale(world, **wrong)) == ["915234"]
    assert codes(sale(world, api_request_key="k" * 256)) == ["915230"]


def test_request_key_of_a_declined_sale_gives_the_same_decline(live: Open) -> None:
    world = live(faults="[{kind: decline_surge, provider: braintree, at: 1m, success_rate: 0}]")
    world.after(minutes=2)
    first, second = (sale(world, order_id="web-1", api_request_key="k-3") for _ in range(2))
    assert first.transaction.id == second.transaction.id and not second.is_success


def test_request_key_is_refused_where_the_merchant_may_not_use_one(live: Open) -> None:
    world = live()
    assert world.account.request_keys
    world.account.request_keys = False
    before = len(world.account.book.log)
    assert codes(sale(world, api_request_key="k-1")) == ["915231"]
    assert len(world.account.book.log) == before
    assert sale(world).is_success


def test_a_retried_order_is_the_same_purchase_and_twice_paid_counts_as_double(live: Open) -> None:
    world = live()
    world.account.duplicates_ms = 0
    made = [sale(world, order_id="web-9").transaction.id for _ in range(2)]
    purchases = {world.account.charges.get(each).payment.id for each in made}  # type: ignore[union-attr]
    assert len(purchases) == 1


def past_due(world: Live) -> Any:
    by = braintree.SubscriptionSearch
    return next(iter(world.gateway.subscription.search(by.status == "Past Due").items))


def test_retry_charge_takes_the_whole_balance_when_told_to_submit(live: Open) -> None:
    world = live(faults=PAST_DUE)
    world.after(minutes=5)
    owed = past_due(world)
    assert owed.balance == owed.price and owed.failure_count == 1 and owed.days_past_due == 1
    made = world.gateway.subscription.retry_charge(owed.id, submit_for_settlement=True).transaction
    assert (made.status, made.amount, made.subscription_id) == (
        "submitted_for_settlement",
        owed.price,
        owed.id,
    )
    assert made.status_history[0].transaction_source == "api"
    after = world.gateway.subscription.find(owed.id)
    assert (after.status, after.balance, after.failure_count, after.days_past_due) == ("Active", 0, 0, None)
    assert after.transactions[0].id == made.id
    assert codes(world.gateway.subscription.retry_charge(owed.id)) == ["91531"]
    assert codes(world.gateway.subscription.retry_charge("nothing")) == ["91528"]


def test_retry_charge_only_authorizes_unless_told_and_the_debt_stays(live: Open) -> None:
    world = live(faults=PAST_DUE)
    world.after(minutes=5)
    owed = past_due(world)
    made = world.gateway.subscription.retry_charge(owed.id).transaction
    assert made.status == "authorized"
    assert world.gateway.subscription.find(owed.id).status == "Past Due"
    assert world.gateway.transaction.submit_for_settlement(made.id).is_success
    assert world.gateway.subscription.find(owed.id).status == "Active"


def test_retry_charge_of_a_part_leaves_the_rest_owed(live: Open) -> None:
    world = live(faults=PAST_DUE)
    world.after(minutes=5)
    owed = past_due(world)
    part = owed.balance - 1
    made = world.gateway.subscription.retry_charge(owed.id, part, submit_for_settlement=True).transaction
    assert made.amount == part
    after = world.gateway.subscription.find(owed.id)
    assert (after.status, after.balance) == ("Past Due", 1)


def test_subscription_that_lost_its_method_is_charged_again_once_it_has_the_customers(live: Open) -> None:
    world = live(faults=NO_METHOD)
    world.after(minutes=5)
    gateway = world.gateway
    owed = past_due(world)
    with pytest.raises(braintree.exceptions.not_found_error.NotFoundError):
        gateway.payment_method.find(owed.payment_method_token)
    assert codes(gateway.subscription.retry_charge(owed.id, submit_for_settlement=True)) == ["91518"]
    row = world.account.subscriptions.get(owed.id)
    assert row is not None
    mine = gateway.customer.find(row.buyer.customer).credit_cards[0]
    assert mine.default and gateway.payment_method.find(mine.token).token == mine.token
    theirs = next(
        world.account.token_of(each)
        for each in world.account.buyers
        if each is not row.buyer and each.customer is not None
    )
    assert codes(gateway.subscription.update(owed.id, {"payment_method_token": "none"})) == ["91903"]
    assert codes(gateway.subscription.update(owed.id, {"payment_method_token": theirs})) == ["91905"]
    updated = gateway.subscription.update(owed.id, {"payment_method_token": mine.token})
    assert updated.subscription.payment_method_token == mine.token
    assert gateway.subscription.retry_charge(owed.id, submit_for_settlement=True).is_success
    assert gateway.subscription.find(owed.id).status == "Active"


def test_canceled_subscription_takes_no_changes(live: Open) -> None:
    world = live()
    row = world.account.subscriptions.rows[0]
    assert world.gateway.subscription.cancel(row.id).subscription.status == "Canceled"
    assert codes(world.gateway.subscription.cancel(row.id)) == ["81905"]
    assert codes(world.gateway.subscription.update(row.id, {"price": "1.00"})) == ["81901"]


def test_request_key_in_flight_is_refused_and_free_again_afterwards(live: Open) -> None:
    world = live(rate=0)
    slot = (world.account.name, "k-4")
    world.server.api._running[slot] = object()  # type: ignore[attr-defined]
    assert codes(sale(world, api_request_key="k-4")) == ["915233"]
    del world.server.api._running[slot]  # type: ignore[attr-defined]
    assert sale(world, api_request_key="k-4").is_success
