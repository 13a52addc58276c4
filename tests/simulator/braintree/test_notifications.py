"""Notifications: what Braintree tells of, signed as its SDK checks it, the same at every try."""

from __future__ import annotations

import json
from base64 import decodebytes
from collections import Counter
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import braintree
import pytest
from braintree.exceptions.invalid_signature_error import InvalidSignatureError

from payops.simulator import ledger
from payops.simulator.braintree.keys import Pair, other_merchant_id, pair
from payops.simulator.braintree.webhooks import event_id, sign

from .conftest import Live, Open, notification

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "braintree" / "sample_notifications.jsonl"
KEYS = ("public_key", "private_key")


def parsed(world: Live, found: tuple[str, str], gateway: Any = None) -> Any:
    return (gateway or world.gateway).webhook_notification.parse(*found)


def told(world: Live) -> list[Any]:
    return [parsed(world, each) for each in world.notifications()]


def test_card_sales_are_told_of_only_when_settled(live: Open) -> None:
    world = live(warmup="5h", success=0.8)
    world.after(minutes=20, seconds=5)
    found = told(world)
    assert {each.kind for each in found} <= {"transaction_settled", "subscription_charged_successfully"}
    settled = [each.transaction for each in found if each.kind == "transaction_settled"]
    assert len(settled) > 20
    assert {(each.status, each.type) for each in settled} == {("settled", "sale")}
    wanted = {
        row.id
        for row in world.account.book.log.rows
        if row.refund is None and (row.reached("settled") or 0) >= world.world.start_ms
    }
    assert {each.id for each in settled} == wanted
    assert {each.source_merchant_id for each in found} == {world.account.id}


def test_an_events_id_is_that_of_its_payload_at_every_try(live: Open) -> None:
    world = live(warmup="5h")
    world.after(minutes=2)
    first = world.world.due_deliveries(world.world.now)
    sent = {send.event.id: notification(world.world, send) for send in first}
    for name, (_, bt_payload) in sent.items():
        digest = sha256("".join(bt_payload.split()).encode()).hexdigest()
        assert name == event_id(bt_payload) == f"bt_{digest[:32]}"
    for send in first:
        world.world.delivery_failed(send, world.world.now)
    world.later(hours=1)
    again = [send for send in world.world.due_deliveries(world.world.now) if send.tries == 1]
    assert {send.event.id: notification(world.world, send) for send in again} == sent
    generated = ledger.generated_ids(world.world, world.account.name)
    assert set(sent) <= generated


@pytest.mark.parametrize(("mode", "hours"), [("live", 24), ("test", 3)])
def test_failed_notification_is_tried_every_hour_for_a_day_or_three_hours(
    live: Open, mode: str, hours: int
) -> None:
    world = live(
        mode=mode,
        rate=0.3,
        warmup="1h",
        faults="[{kind: refund_failed, provider: braintree, at: 1m, count: 1}]",
    )
    world.after(minutes=2)
    (send,) = [s for s in world.world.due_deliveries(world.world.now) if s.event.type == "refund_failed"]
    name, waits = send.event.id, []
    while True:
        failed_at = world.world.now
        world.world.delivery_failed(send, failed_at)
        world.later(minutes=61)
        due = [s for s in world.world.due_deliveries(world.world.now) if s.event.id == name]
        if not due:
            break
        (send,) = due
        waits.append(send.due_at - failed_at)
    assert waits == [timedelta(hours=1)] * hours


def test_history_is_told_to_nobody_and_each_event_of_it_has_its_own_id(live: Open) -> None:
    world = live(warmup="6h")
    assert world.world.due_deliveries(world.world.now) == []
    history = ledger.history(world.world, world.account.name)
    assert len(history) > 100 and len({event.id for event in history}) == len(history)
    assert all(event.snapshot is None and event.id.startswith("bt_") for event in history)


def test_signature_fails_for_a_changed_payload_and_for_keys_of_another(live: Open) -> None:
    world = live(faults="[{kind: dispute_opened, provider: braintree, at: 1m}]")
    world.after(minutes=2)
    signature, bt_payload = world.notifications()[0]
    with pytest.raises(InvalidSignatureError, match="modified"):
        parsed(world, (signature, bt_payload.replace(bt_payload[40], "A" if bt_payload[40] != "A" else "B")))
    other = pair(3, world.account.name, "other")
    stranger = world.sdk(world.account.id, other.public, other.private)
    with pytest.raises(InvalidSignatureError, match="no matching public key"):
        parsed(world, (signature, bt_payload), stranger)


@pytest.mark.parametrize("kind", ["webhook_secret_rotated", "webhook_wrong_mode_secret"])
def test_rotated_endpoint_is_signed_for_with_the_fallbacks_pair_alone(live: Open, kind: str) -> None:
    world = live(
        warmup="5h",
        options=", fallback_credential: true",
        faults=f"[{{kind: {kind}, provider: braintree, at: 2m, until: 6m}}]",
    )
    (fallback,) = world.stored["fallback_credentials"]
    second = world.sdk(**fallback)
    world.after(minutes=1)
    for found in world.notifications():
        assert parsed(world, found).kind == parsed(world, found, second).kind
    world.after(minutes=5)
    seen = 0
    for found in world.notifications():
        try:
            mine = parsed(world, found, second)
        except InvalidSignatureError:  # one that strayed in from the other environment
            assert parsed(world, found).source_merchant_id != world.account.id
            continue
        seen += 1
        assert mine.source_merchant_id == world.account.id
        with pytest.raises(InvalidSignatureError, match="no matching public key"):
            parsed(world, found)
    assert seen
    world.after(minutes=8)
    assert parsed(world, world.notifications()[-1]).source_merchant_id == world.account.id


def test_object_of_the_other_environment_names_its_merchant_and_is_unknown_here(live: Open) -> None:
    world = live(faults="[{kind: test_object_in_live, provider: braintree, at: 1m, count: 2}]")
    world.after(minutes=3)
    found = world.notifications()
    stray = [(sign_, each) for sign_, body in found if (each := parsed(world, (sign_, body)))]
    assert len(stray) == 2 and len({each.transaction.id for _, each in stray}) == 2
    for signature, each in stray:
        assert each.source_merchant_id == other_merchant_id(3, world.account.name) != world.account.id
        signers = {part.split("|")[0] for part in signature.split("&")}
        assert pair(3, world.account.name, "other").public in signers
        with pytest.raises(braintree.exceptions.not_found_error.NotFoundError):
            world.gateway.transaction.find(each.transaction.id)
    assert not ledger.generated_ids(world.world, world.account.name)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("refund_failed", {"refund_failed": 3}),
        ("refund_over_limit", {"refund_failed": 1}),
        ("dispute_opened", {"dispute_opened": 1}),
        (
            "subscription_past_due",
            {"subscription_charged_unsuccessfully": 12, "subscription_went_past_due": 12},
        ),
        ("subscription_missing_payment_method", {"subscription_went_past_due": 12}),
    ],
)
def test_faults_are_told_of(live: Open, fault: str, kinds: dict[str, int]) -> None:
    world = live(faults=f"[{{kind: {fault}, provider: braintree, at: 1m}}]")
    world.after(minutes=10)
    found = told(world)
    counted = Counter(each.kind for each in found)
    assert {kind: counted[kind] for kind in kinds} == kinds
    for each in found:
        if each.kind == "refund_failed":
            assert (each.transaction.type, each.transaction.status) == ("credit", "processor_declined")
            assert each.transaction.refunded_transaction_id
        if each.kind == "subscription_went_past_due":
            assert each.subscription.status == "Past Due" and each.subscription.balance > 0
        if each.kind == "dispute_opened":
            assert each.dispute.status == "open" and each.dispute.transaction_details.id


def test_dispute_nobody_replies_to_expires(live: Open) -> None:
    world = live(rate=0.2, faults="[{kind: dispute_opened, provider: braintree, at: 1m}]")
    world.after(minutes=2)
    by = braintree.DisputeSearch
    (open_,) = world.gateway.dispute.search(by.status == "open").disputes.items
    assert open_.reason == "fraud" and open_.reply_by_date > world.world.now.date()
    assert world.gateway.dispute.find(open_.id).transaction_details.id == open_.transaction_details.id
    sale = world.gateway.transaction.find(open_.transaction_details.id)
    assert [each.id for each in sale.disputes] == [open_.id]
    assert list(world.gateway.dispute.search(by.status == "won").disputes.items) == []
    world.later(days=3)
    (late,) = world.gateway.dispute.search(by.transaction_id == sale.id).disputes.items
    assert late.status == "expired"
    (send,) = [s for s in world.world.due_deliveries(world.world.now) if s.event.type == "dispute_expired"]
    assert parsed(world, notification(world.world, send)).dispute.id == open_.id


def test_retried_subscription_is_told_of_as_paid_and_active(live: Open) -> None:
    world = live(faults="[{kind: subscription_past_due, provider: braintree, at: 1m, count: 1}]")
    world.after(minutes=2)
    world.notifications()
    (owed,) = world.gateway.subscription.search(braintree.SubscriptionSearch.status == "Past Due").items
    world.gateway.subscription.retry_charge(owed.id, submit_for_settlement=True)
    world.later(seconds=5)
    found = [
        each for each in told(world) if each.subscription is not None and each.subscription.id == owed.id
    ]
    assert {each.kind for each in found} == {"subscription_charged_successfully", "subscription_went_active"}
    assert found[0].subscription.transactions[0].status == "submitted_for_settlement"


def test_security_code_beside_a_purchase_is_in_its_notification(live: Open) -> None:
    world = live(faults="[{kind: cvv_in_webhook, provider: braintree, at: 1m, count: 2}]", success=1.0)
    world.after(minutes=8)
    found = [each.transaction for each in told(world) if each.kind == "transaction_settled"]
    assert [each.custom_fields for each in found] == [{"cvv": "123", "checkout": "v2"}] * 2


def test_card_number_beside_a_purchase_is_in_its_custom_fields(live: Open) -> None:
    world = live(faults="[{kind: pan_in_metadata, provider: braintree, at: 1m, count: 1}]")
    world.after(minutes=8)
    noted = [
        each.custom_fields["note"]
        for each in world.gateway.transaction.search(
            braintree.TransactionSearch.created_at >= world.world.start
        ).items
        if each.custom_fields
    ]
    assert noted and set(noted) == {"card 4242 4242 4242 4242"}


def test_duplicate_charge_is_the_same_order_customer_and_amount(live: Open) -> None:
    world = live(faults="[{kind: duplicate_charge, provider: braintree, at: 1m, count: 1}]")
    world.after(minutes=2)
    order = next(p for p in world.account.payments.rows if p.doubles).order
    found = list(world.gateway.transaction.search(braintree.TransactionSearch.order_id == order).items)
    taken = [each for each in found if each.status == "submitted_for_settlement"]
    assert len(taken) == 2
    assert len({(each.amount, each.customer_details.id, each.currency_iso_code) for each in taken}) == 1


def tags(element: ElementTree.Element, above: str = "") -> set[str]:
    found = {f"{above}{child.tag}:{child.get('type') or ''}" for child in element}
    for child in element:
        found |= tags(child, f"{above}{child.tag}/")
    return found


@pytest.mark.skipif(
    not SAMPLES.exists(), reason=f"no samples at {SAMPLES}: Braintree's own are not beside the repository"
)
def test_dispute_has_every_field_of_braintrees_sample(live: Open) -> None:
    world = live(faults="[{kind: dispute_opened, provider: braintree, at: 1m}]")
    world.after(minutes=2)
    ours = ElementTree.fromstring(decodebytes(world.notifications()[0][1].encode()))
    samples = {each["kind"]: each for each in map(json.loads, SAMPLES.read_text("utf-8").splitlines())}
    theirs = ElementTree.fromstring(samples["dispute_opened"]["xml"].strip())
    nil = {"reference-number", "original-dispute-id", "created-at"}
    missing = {tag for tag in tags(theirs) - tags(ours) if tag.split(":")[0].split("/")[-1] not in nil}
    assert not missing


@pytest.mark.skipif(
    not SAMPLES.exists(), reason=f"no samples at {SAMPLES}: Braintree's own are not beside the repository"
)
def test_braintrees_own_samples_bear_our_signature_scheme() -> None:
    sample = json.loads(SAMPLES.read_text("utf-8").splitlines()[0])
    keys = Pair("integration_public_key", "integration_private_key")
    assert sign(sample["bt_payload"], [keys]) == sample["bt_signature"]
