"""Every write goes out once, with the key it was given, and every read-back tells what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.money import Money

from .conftest import NOW, T0, charge_event, error, reply

EUR = "EUR"


def made(object_id: str, **fields):
    return lambda _: reply({"id": object_id, **fields})


def the_write(stripe):
    (request,) = [each for each in stripe.asked if each.method == "POST"]
    return request


def charged(written):
    """A charge to whoever reads, `written` to whoever writes."""
    return lambda request: reply(charge(captured=False)) if request.method == "GET" else written


# -- endpoints


def test_an_endpoint_s_url_and_types_are_set(stripe, open_account):
    stripe.answer = made("we_1", status="enabled")
    types = ("charge.failed", "charge.succeeded")
    answer = open_account().change_endpoint(
        "we_1", "k1", NOW, url="https://shop.example/w", event_types=types
    )
    request = the_write(stripe)
    assert request.path == "/v1/webhook_endpoints/we_1" and request.headers["idempotency-key"] == "k1"
    assert request.params == {
        "url": "https://shop.example/w",
        "enabled_events[0]": "charge.failed",
        "enabled_events[1]": "charge.succeeded",
    }
    assert (answer.object_id, answer.request_ids) == ("we_1", ("req_1",))


def test_what_is_not_to_change_is_not_sent(stripe, open_account):
    stripe.answer = made("we_1", status="enabled")
    open_account().change_endpoint("we_1", "k", NOW, url="https://shop.example/w")
    assert the_write(stripe).params == {"url": "https://shop.example/w"}


@pytest.mark.parametrize("change", [{}, {"event_types": ()}])
def test_an_endpoint_is_never_changed_to_nothing(stripe, open_account, change):
    with pytest.raises(UsageError):
        open_account().change_endpoint("we_1", "k", NOW, **change)
    assert stripe.asked == []


# -- refunds


@pytest.mark.parametrize(("amount", "sent"), [(None, {}), (Money(500, EUR), {"amount": "500"})])
def test_a_refund_carries_our_reference(stripe, open_account, amount, sent):
    stripe.answer = charged(reply({"id": "re_1", "object": "refund", "status": "succeeded"}))
    answer = open_account().refund("ch_1", amount, "inc-1/2", "key-1", NOW)
    request = the_write(stripe)
    assert request.path == "/v1/refunds" and request.headers["idempotency-key"] == "key-1"
    assert request.params == {"charge": "ch_1", "metadata[payops_attempt]": "inc-1/2", **sent}
    assert (answer.object_id, answer.detail) == ("re_1", "re_1 is succeeded")


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_failed_is_not_taken_as_done(stripe, open_account, status):
    stripe.answer = charged(reply({"id": "re_1", "object": "refund", "status": status}))
    with pytest.raises(ProviderError, match="re_1") as caught:
        open_account().refund("ch_1", None, "r", "k", NOW)
    assert (caught.value.bucket, caught.value.code) == ("card", status)


MOVES = {
    "refund": lambda p, money: p.refund("ch_1", money, "r", "k", NOW),
    "capture": lambda p, money: p.capture("ch_1", money, "k", NOW),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize(
    "money", [Money(500, "USD"), Money(500, "JPY"), Money(0, EUR), Money(-500, EUR)], ids=str
)
def test_money_of_another_currency_or_none_is_never_sent(stripe, open_account, move, money):
    stripe.answer = charged(reply({"id": "re_1", "status": "succeeded"}))
    with pytest.raises(ProviderError) as caught:
        move(open_account(), money)
    assert caught.value.bucket == "invalid_request"
    assert {each.method for each in stripe.asked} == {"GET"}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("fields", [{"currency": None}, {"id": "ch_2"}], ids=str)
def test_no_money_moves_of_a_charge_that_is_not_told_whole(stripe, open_account, move, fields):
    stripe.answer = lambda _: reply(charge(**fields))
    with pytest.raises(ProviderError):
        move(open_account(), Money(500, EUR))
    assert {each.method for each in stripe.asked} == {"GET"}


def refund(n: int, **fields) -> dict:
    return {
        "id": f"re_{n}",
        "object": "refund",
        "created": T0 - 100,
        "amount": 500,
        "currency": "eur",
        "status": "pending",
        "charge": "ch_1",
        "metadata": {},
        **fields,
    }


def test_all_refunds_of_an_attempt_are_read_with_our_reference(stripe, open_account):
    rows = [refund(n) for n in range(130)]
    rows[7]["metadata"] = {"payops_attempt": "inc-1/2", "note": "x"}

    def answer(request):
        after = request.params.get("starting_after")
        first = 0 if after is None else int(after.removeprefix("re_")) + 1
        return reply({"data": rows[first : first + 100], "has_more": first + 100 < len(rows)})

    stripe.answer = answer
    found = open_account().refunds_of("ch_1", NOW)
    assert [each.refund_id for each, _ in found] == [f"re_{n}" for n in range(130)]
    assert [each.refund_id for each, reference in found if reference == "inc-1/2"] == ["re_7"]
    assert {reference for _, reference in found} == {None, "inc-1/2"}
    assert found[0][0].attempt_id == "ch_1" and found[0][0].changed_at == NOW
    assert stripe.asked[0].params["charge"] == "ch_1"


def test_refunds_that_cannot_be_summed_are_no_answer(stripe, open_account):
    stripe.answer = lambda _: reply({"data": [refund(1), refund(2, amount="many")], "has_more": False})
    with pytest.raises(ProviderError, match="no refund"):
        open_account().refunds_of("ch_1", NOW)


def test_a_list_of_refunds_without_end_is_no_answer(stripe, open_account):
    stripe.answer = lambda _: reply({"data": [refund(1)], "has_more": True})
    with pytest.raises(ProviderError, match="does not end"):
        open_account().refunds_of("ch_1", NOW)
    assert len(stripe.asked) == 2


# -- attempts


def charge(**fields) -> dict:
    return {**charge_event(1, T0 - 50)["data"]["object"], **fields}


def test_an_attempt_is_read_back_as_it_is_now(stripe, open_account):
    stripe.answer = lambda _: reply(charge(amount_refunded=300, captured=True))
    found = open_account().attempt("ch_1", NOW)
    assert stripe.paths() == ["GET /v1/charges/ch_1"]
    assert (found.attempt_id, found.status, found.captured) == ("ch_1", "succeeded", True)
    assert found.amount_refunded_minor == 300 and found.changed_at == NOW


def test_the_clock_that_is_behind_dates_what_is_read_back(stripe, open_account):
    stripe.answer = lambda _: reply(charge(), Date="Thu, 15 Jan 2026 09:00:00 GMT")
    provider = open_account()
    assert provider.attempt("ch_1", NOW + timedelta(days=2)).changed_at == NOW
    assert provider.attempt("ch_1", NOW - timedelta(days=2)).changed_at == NOW - timedelta(days=2)


def test_a_try_without_a_charge_is_read_back_by_its_event(stripe, open_account):
    event = charge_event(7, T0)
    event["type"] = "payment_intent.payment_failed"
    event["data"]["object"] |= {
        "object": "payment_intent",
        "last_payment_error": {"code": "payment_intent_authentication_failure"},
    }
    stripe.answer = lambda _: reply(event)
    found = open_account().attempt("evt_7", NOW)
    assert (found.attempt_id, found.status) == ("evt_7", "failed")
    assert stripe.paths() == ["GET /v1/events/evt_7"]


def test_an_object_of_the_other_mode_is_left_alone(stripe, open_account):
    stripe.answer = lambda _: reply(charge(livemode=False))
    provider = open_account()
    for call in (
        lambda: provider.attempt("ch_1", NOW),
        lambda: provider.capture("ch_1", None, "k", NOW),
        lambda: provider.refund("ch_1", None, "r", "k", NOW),
    ):
        with pytest.raises(ProviderError, match="test mode") as caught:
            call()
        assert caught.value.code == "wrong_mode"
    assert {each.method for each in stripe.asked} == {"GET"}


@pytest.mark.parametrize(("amount", "sent"), [(None, None), (Money(700, EUR), "700")])
def test_a_charge_of_a_payment_intent_is_captured_through_it(stripe, open_account, amount, sent):
    stripe.answer = lambda request: (
        reply(charge(captured=False))
        if request.method == "GET"
        else reply({"id": "pi_1", "status": "succeeded"})
    )
    answer = open_account().capture("ch_1", amount, "k", NOW)
    request = the_write(stripe)
    assert request.path == "/v1/payment_intents/pi_1/capture" and request.headers["idempotency-key"] == "k"
    assert request.params == ({} if sent is None else {"amount_to_capture": sent})
    assert answer.object_id == "ch_1"


def test_a_charge_made_alone_is_captured_itself(stripe, open_account):
    stripe.answer = lambda _: reply(charge(captured=False, payment_intent=None))
    open_account().capture("ch_1", Money(700, EUR), "k", NOW)
    request = the_write(stripe)
    assert (request.path, request.params) == ("/v1/charges/ch_1/capture", {"amount": "700"})


# -- subscriptions


def bill(n: int, **fields) -> dict:
    return {
        "id": f"in_{n}",
        "object": "invoice",
        "created": T0 - n,
        "status": "open",
        "amount_remaining": 1500,
        "currency": "eur",
        **fields,
    }


def billing(bills, paid=None):
    def answer(request):
        if request.method == "GET":
            return reply({"data": bills, "has_more": False})
        return paid or reply({"id": request.path.split("/")[3], "status": "paid"})

    return answer


def test_what_a_subscription_owes_is_asked_for_once_through_its_open_invoice(stripe, open_account):
    stripe.answer = billing([bill(1), bill(2), bill(3, amount_remaining=99)])
    answer = open_account().collect("sub_1", Money(1500, EUR), "inc-1/1", "key", NOW)
    listed = stripe.asked[0]
    assert (listed.path, listed.params["subscription"], listed.params["status"]) == (
        "/v1/invoices",
        "sub_1",
        "open",
    )
    request = the_write(stripe)
    assert (request.path, request.params) == ("/v1/invoices/in_2/pay", {"off_session": "true"})
    assert request.headers["idempotency-key"] == "key"
    assert (answer.object_id, answer.detail) == ("in_2", "in_2 is paid")


@pytest.mark.parametrize(
    "bills",
    [[], [bill(1, amount_remaining=1499)], [bill(1, currency="usd")], [bill(1, amount_remaining="x")]],
)
def test_nothing_is_collected_but_what_was_agreed(stripe, open_account, bills):
    stripe.answer = billing(bills)
    with pytest.raises(NotPossible, match=r"no open invoice of 15\.00 EUR"):
        open_account().collect("sub_1", Money(1500, EUR), "inc-1/1", "key", NOW)
    assert all(each.method == "GET" for each in stripe.asked)


def test_an_invoice_of_the_other_mode_is_never_paid(stripe, open_account):
    stripe.answer = billing([bill(1, livemode=False)])
    with pytest.raises(ProviderError, match="test mode"):
        open_account().collect("sub_1", Money(1500, EUR), "inc-1/1", "key", NOW)
    assert all(each.method == "GET" for each in stripe.asked)


def test_a_declined_collection_is_a_card_error_with_the_decline_code(stripe, open_account):
    declined = reply(
        {
            "error": {
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "insufficient_funds",
                "message": "Your card has insufficient funds.",
            }
        },
        402,
    )
    stripe.answer = billing([bill(1)], declined)
    provider = open_account()
    with pytest.raises(ProviderError, match="declined with `insufficient_funds`") as caught:
        provider.collect("sub_1", Money(1500, EUR), "inc-1/1", "key", NOW)
    assert (caught.value.bucket, caught.value.code) == ("card", "insufficient_funds")
    assert [call.bucket for call in provider.calls()] == [None, None], "a decline is an answer, not a failure"


def test_a_subscription_is_read_back_with_what_it_owes(stripe, open_account):
    stripe.answer = lambda _: reply(
        {
            "id": "sub_1",
            "object": "subscription",
            "created": T0 - 9,
            "status": "past_due",
            "currency": "eur",
            "customer": {"id": "cus_1", "invoice_settings": {"default_payment_method": None}},
            "default_payment_method": None,
            "latest_invoice": {"id": "in_1", "status": "open", "amount_remaining": 1500, "attempt_count": 2},
            "items": {
                "data": [
                    {"price": {"unit_amount": 750}, "quantity": 2, "current_period_end": T0 + 99},
                ]
            },
        }
    )
    found = open_account().subscription("sub_1", NOW)
    assert set(stripe.asked[0].params.values()) == {"customer", "latest_invoice"}
    assert (found.status, found.outstanding_minor, found.failed_payments) == ("past_due", 1500, 2)
    assert (found.amount_minor, found.currency, found.customer) == (1500, "EUR", "cus_1")
    assert found.has_payment_method is False and found.changed_at == NOW
    assert found.next_billing_at == datetime.fromtimestamp(T0 + 99, UTC)


def test_a_subscription_is_paid_with_the_method_it_is_given(stripe, open_account):
    stripe.answer = made("sub_1", status="past_due")
    answer = open_account().use_payment_method("sub_1", "pm_1", "k", NOW)
    request = the_write(stripe)
    assert (request.path, request.params) == (
        "/v1/subscriptions/sub_1",
        {"default_payment_method": "pm_1"},
    )
    assert request.headers["idempotency-key"] == "k" and answer.object_id == "sub_1"


def test_a_draft_is_finalized(stripe, open_account):
    stripe.answer = made("in_1", status="open")
    answer = open_account().finalize_invoice("in_1", "k", NOW)
    request = the_write(stripe)
    assert (request.path, request.params, request.headers["idempotency-key"]) == (
        "/v1/invoices/in_1/finalize",
        {},
        "k",
    )
    assert answer.detail == "in_1 is open"


# -- all of them

WRITES = {
    "enable": lambda p: p.enable_endpoint("we_1", "k", NOW),
    "change": lambda p: p.change_endpoint("we_1", "k", NOW, url="https://x.example"),
    "resend": lambda p: p.resend_event("evt_1", "we_1", "k", NOW),
    "refund": lambda p: p.refund("ch_1", None, "r", "k", NOW),
    "method": lambda p: p.use_payment_method("sub_1", "pm_1", "k", NOW),
    "finalize": lambda p: p.finalize_invoice("in_1", "k", NOW),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("answer", "bucket"),
    [
        (error(409, "in use", "idempotency_key_in_use", "idempotency_error"), "conflict"),
        (error(400, "Keys for idempotent requests can only be used", None, "idempotency_error"), "invalid_request"),
        (error(500), "outage"),
        (error(403, "Having the 'rak_x_write' permission would"), "permission"),
        (reply(b"<html>", 200), "outage"),
        (reply({"error": {"code": "x", "message": "y"}}, 200), "outage"),
        (reply({}, 200), "outage"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_write_that_is_not_confirmed_is_never_taken_as_done(stripe, open_account, write, answer, bucket):
    stripe.answer = charged(answer)
    with pytest.raises(ProviderError) as caught:
        write(open_account())
    assert caught.value.bucket == bucket
    assert len([each for each in stripe.asked if each.method == "POST"]) == 1, (
        "nothing is sent twice by itself"
    )


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_key_of_the_other_mode_writes_nothing(stripe, open_account, write):
    stripe.answer = charged(reply({"id": "x_1", "status": "succeeded"}))
    with pytest.raises(ProviderError, match="live mode") as caught:
        write(open_account(mode="test"))
    assert caught.value.code == "wrong_mode"
    assert all(each.method == "GET" for each in stripe.asked)


@pytest.mark.parametrize("bad", ["", "../x", "in_1/pay", "in_1?x=1", "a b"])
def test_an_id_never_becomes_a_path(stripe, open_account, bad):
    provider = open_account()
    for call in (
        lambda: provider.change_endpoint(bad, "k", NOW, url="https://x.example"),
        lambda: provider.attempt(bad, NOW),
        lambda: provider.attempt(f"evt_{bad}/", NOW),
        lambda: provider.refunds_of(bad, NOW),
        lambda: provider.refund(bad, None, "r", "k", NOW),
        lambda: provider.capture(bad, None, "k", NOW),
        lambda: provider.subscription(bad, NOW),
        lambda: provider.collect(bad, Money(1, EUR), "r", "k", NOW),
        lambda: provider.use_payment_method("sub_1", bad, "k", NOW),
        lambda: provider.use_payment_method(bad, "pm_1", "k", NOW),
        lambda: provider.finalize_invoice(bad, "k", NOW),
    ):
        with pytest.raises(ProviderError, match="no Stripe id"):
            call()
    assert stripe.asked == []


def test_an_id_in_an_answer_never_becomes_a_path_either(stripe, open_account):
    stripe.answer = billing([bill(1, id="in_1/../../refunds")])
    with pytest.raises(ProviderError, match="no Stripe id"):
        open_account().collect("sub_1", Money(1500, EUR), "r", "k", NOW)
    assert all(each.method == "GET" for each in stripe.asked)
