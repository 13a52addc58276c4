"""Writes change the world once: endpoint updates, resends, refunds, idempotency keys."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import stripe

from .conftest import Live

Open = Callable[..., Live]
DISABLED = "[{kind: webhook_endpoint_disabled, provider: stripe, at: 1m}]"


def test_endpoint_is_read_updated_and_read_back(live: Open) -> None:
    world = live(faults=DISABLED)
    world.after(minutes=2)
    endpoints = world.client.v1.webhook_endpoints
    ours = endpoints.list().data[0]
    assert (ours.url, ours.status) == ("https://stripe.sim/webhooks/stripe-live", "disabled")
    assert endpoints.update(ours.id, {"disabled": False}).status == "enabled"
    changed = endpoints.update(
        ours.id,
        {
            "url": "https://stripe.sim/other",
            "enabled_events": ["charge.failed"],
            "description": "ours",
            "metadata": {"team": "pay", "gone": "x"},
        },
    )
    assert changed.enabled_events == ["charge.failed"] and changed.status == "enabled"
    endpoints.update(ours.id, {"metadata": {"gone": ""}})
    again = endpoints.retrieve(ours.id)
    assert (again.url, again.description) == ("https://stripe.sim/other", "ours")
    assert again.metadata.to_dict() == {"team": "pay"}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"enabled": True}, "unknown parameter: enabled"),
        ({"disabled": "maybe"}, "Invalid boolean"),
        ({"url": "shop"}, "explicit scheme"),
        ({"enabled_events": "charge.failed"}, "Invalid array"),
    ],
)
def test_wrong_endpoint_update_is_refused_and_changes_nothing(
    live: Open, params: dict[str, object], words: str
) -> None:
    world = live(rate=1)
    ours = world.client.v1.webhook_endpoints.list().data[0]
    with pytest.raises(stripe.InvalidRequestError, match=words):
        world.client.v1.webhook_endpoints.update(ours.id, params)
    assert world.client.v1.webhook_endpoints.retrieve(ours.id).to_dict() == ours.to_dict()


def test_resend_puts_one_more_try_on_its_way(live: Open) -> None:
    world = live(faults=DISABLED)
    world.after(minutes=5)
    missed = [e for e in world.account.events.rows if e.at_ms >= world.world.start_ms + 60_000]
    assert missed
    path = f"/v1/events/{missed[0].id}/retry"
    endpoint = world.account.own_endpoint.id
    with pytest.raises(stripe.InvalidRequestError, match="disabled"):
        world.client.raw_request("post", path, webhook_endpoint=endpoint)
    world.client.v1.webhook_endpoints.update(endpoint, {"disabled": False})
    answer = world.client.raw_request("post", path, webhook_endpoint=endpoint)
    assert answer.code == 200 and answer.data["id"] == missed[0].id
    sends = world.world.due_deliveries(world.world.now)
    assert [send.event for send in sends if send.manual] == [missed[0]]
    world.world.delivered(sends[-1], world.world.now)
    assert missed[0].id in world.account.own_endpoint.received


def test_failed_resend_is_not_repeated_and_success_marks_delivered(live: Open) -> None:
    world = live()
    world.after(minutes=1)
    now = world.world.now
    first = world.world.due_deliveries(now)[0]
    world.world.delivery_failed(first, now)
    path = f"/v1/events/{first.event.id}/retry"
    for ok in (False, True):
        now += timedelta(minutes=1)
        world.world.advance(now)
        world.client.raw_request("post", path, webhook_endpoint=first.endpoint.id)
        manual = next(s for s in world.world.due_deliveries(now) if s.manual)
        (world.world.delivered if ok else world.world.delivery_failed)(manual, now)
        assert bool(first.event.waiting) is not ok
    later = world.world.due_deliveries(now + timedelta(minutes=10))
    assert [s.event for s in later].count(first.event) == 1, (
        "the automatic try goes on, the resend's does not"
    )


@pytest.mark.parametrize(
    ("path", "params", "status", "words"),
    [
        ("/v1/events/evt_no/retry", {"webhook_endpoint": "we_x"}, 404, "No such event"),
        ("/v1/events/{event}/retry", {}, 400, "Missing required param: webhook_endpoint"),
        ("/v1/events/{event}/retry", {"webhook_endpoint": "we_no"}, 400, "No such webhook endpoint"),
    ],
)
def test_impossible_resend_is_refused(
    live: Open, path: str, params: dict[str, str], status: int, words: str
) -> None:
    world = live(rate=2)
    path = path.format(event=world.account.events.rows[0].id)
    with pytest.raises(stripe.InvalidRequestError, match=words) as caught:
        world.client.raw_request("post", path, **params)
    assert caught.value.http_status == status


def paid_charge(world: Live):
    return next(c for c in reversed(world.account.charges.rows) if c.decline is None and not c.refunds)


def test_refund_gives_back_and_tells(live: Open) -> None:
    world = live()
    charge = paid_charge(world)
    refunds = world.client.v1.refunds
    part = refunds.create({"charge": charge.id, "amount": 20, "metadata": {"payops_attempt": "a1"}})
    assert (part.amount, part.status, part.metadata["payops_attempt"]) == (20, "succeeded", "a1")
    rest = refunds.create({"payment_intent": charge.payment.id, "reason": "duplicate"})
    assert rest.amount == charge.payment.amount - 20
    assert world.client.v1.charges.retrieve(charge.id).refunded is True
    types = [e.type for e in world.account.events.rows[-4:]]
    assert types == ["charge.refunded", "refund.created"] * 2
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as caught:
        refunds.create({"charge": charge.id})
    assert caught.value.code == "charge_already_refunded"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "One of the following params"),
        ({"charge": "ch_no"}, "No such charge"),
        ({"charge": "{charge}", "amount": 10**9}, "greater than unrefunded amount"),
        ({"charge": "{charge}", "amount": 0}, "Invalid positive integer"),
        ({"charge": "{charge}", "reason": "whim"}, "Invalid reason"),
        ({"charge": "{failed}"}, "did not succeed"),
    ],
)
def test_impossible_refund_is_refused_and_nothing_moves(
    live: Open, params: dict[str, object], words: str
) -> None:
    world = live(rate=20)
    failed = next(c for c in world.account.charges.rows if c.decline is not None)
    ids = {"{charge}": paid_charge(world).id, "{failed}": failed.id}
    params = {key: ids.get(str(value), value) for key, value in params.items()}
    before = dict(world.account.taken), len(world.account.refunds)
    with pytest.raises(stripe.InvalidRequestError, match=words):
        world.client.v1.refunds.create(params)
    assert (dict(world.account.taken), len(world.account.refunds)) == before


def test_same_key_replays_the_first_answer_and_acts_once(live: Open) -> None:
    world = live()
    charge = paid_charge(world)
    options = {"idempotency_key": "k1"}
    first = world.client.v1.refunds.create({"charge": charge.id, "amount": 30}, options)
    again = world.client.v1.refunds.create({"charge": charge.id, "amount": 30}, options)
    assert first.id == again.id and len(charge.refunds) == 1
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert world.account.events.rows[-1].key == "k1"
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        world.client.v1.refunds.create({"charge": charge.id, "amount": 31}, options)
    assert caught.value.http_status == 400


def test_key_is_forgotten_after_a_day(live: Open) -> None:
    world = live(rate=1)
    charge = paid_charge(world)
    options = {"idempotency_key": "k1"}
    world.client.v1.refunds.create({"charge": charge.id, "amount": 1}, options)
    world.after(hours=25)
    world.client.v1.refunds.create({"charge": charge.id, "amount": 1}, options)
    assert len(charge.refunds) == 2


def test_refusal_that_ran_is_kept_for_its_key_and_one_that_did_not_is_free(live: Open) -> None:
    world = live()
    charge = paid_charge(world)
    whole = {"idempotency_key": "whole"}
    with pytest.raises(stripe.InvalidRequestError):
        world.client.v1.refunds.create({"charge": "ch_no"}, whole)
    world.client.v1.refunds.create({"charge": charge.id}, whole)
    late = {"idempotency_key": "late"}
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as caught:
            world.client.v1.refunds.create({"charge": charge.id}, late)
    assert caught.value.headers["Idempotent-Replayed"] == "true"


def test_key_in_use_is_a_conflict_not_a_second_refund(live: Open) -> None:
    world = live()
    charge = paid_charge(world)
    options = {"idempotency_key": "both"}
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(world.client.v1.refunds.create({"charge": charge.id, "amount": 5}, options))
        except stripe.StripeError as error:
            answers.append(error)

    api, account = world.server.api, world.account.name
    holder = (account, "live", "both")
    api._running[holder] = "req_another"
    ask()
    del api._running[holder]
    assert isinstance(answers[0], stripe.APIError)
    assert answers[0].http_status == 409
    assert answers[0].json_body["error"]["code"] == "idempotency_key_in_use"
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(charge.refunds) == 1
