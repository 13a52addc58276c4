"""The adapter and the webhook judge against the simulated PayPal: its books are the truth."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError
from payops.domain.money import Money
from payops.providers import open_verifier
from payops.providers.port import APPLICATION, NotVerified, Verified
from payops.simulator.kinds import kind

from .conftest import NAME


def books(bench) -> dict[str, tuple[str, int]]:
    """Every payment PayPal shows, by id: how it ended, and its amount."""
    account = bench.account
    return {
        charge.id: ("succeeded" if charge.decline is None else "failed", charge.payment.amount)
        for charge in account.charges.rows
        if account.leaves_trace(charge)
    }


def attempts(pages) -> dict[str, tuple[str, int]]:
    found = [each for page in pages for each in page.facts.attempts]
    return {each.attempt_id: (each.status, each.amount_minor) for each in found}


def verifier(bench, slot: int = 0):
    return open_verifier(bench.settings, bench.secrets.__getitem__, slot)


def test_the_event_list_states_every_payment_paypal_shows_and_no_wallet_decline(bench) -> None:
    world = bench()
    pages = world.read("events")
    assert attempts(pages) == books(world)
    hidden = [
        c for c in world.account.charges.rows if c.decline is not None and not world.account.leaves_trace(c)
    ]
    assert hidden, "the world must have wallet declines for this to mean anything"
    assert pages[-1].progress == 1.0


def test_reading_in_steps_with_restarts_states_the_same_as_reading_at_once(bench) -> None:
    world = bench(rate=3)
    cursor, found = None, {}
    for minute in range(0, 60, 7):
        world.after(minutes=minute)
        for _ in range(100):
            page = world.provider.poll("events", cursor, world.now)
            if minute % 2 and page.more:
                page = world.provider.poll(
                    "events", cursor, world.now
                )  # the first was answered, and never stored
            found |= attempts([page])
            cursor = page.cursor
            if not page.more:
                break
    world.after(minutes=70)
    found |= attempts(world.read("events", cursor))
    assert found == books(world)


def test_reporting_adds_no_second_attempt_to_what_events_told(bench) -> None:
    world = bench(warmup="8h", rate=1)
    reported, told = world.read("reporting"), world.read("events")
    assert set(attempts(reported)) <= set(attempts(told))
    assert len(attempts(reported)) > 100
    for attempt_id, stated in attempts(reported).items():
        assert stated == attempts(told)[attempt_id]
    assert reported[-1].data_as_of < world.now - timedelta(hours=1)


def test_a_delivery_is_verified_and_states_what_the_list_states(bench) -> None:
    world = bench()
    world.after(minutes=3)
    judge, listed = verifier(world), {}
    for page in world.read("events"):
        listed |= {each.attempt_id: each for each in page.facts.attempts}
    delivered = [judge.verify(body, headers, world.now) for body, headers in world.deliveries()]
    assert delivered
    assert all(isinstance(verdict, Verified) for verdict in delivered)
    for verdict in delivered:
        for attempt in judge.facts(verdict.payload).attempts:
            assert listed[attempt.attempt_id] == attempt


def test_our_judgement_is_paypals(bench) -> None:
    world = bench()
    world.after(minutes=3)
    body, headers = world.deliveries()[0]
    assert isinstance(verifier(world).verify(body, headers, world.now), Verified)
    assert world.provider.second_opinion(body, headers, world.now)
    changed = body.replace(b'"WH-', b'"XH-', 1)
    assert isinstance(verifier(world).verify(changed, headers, world.now), NotVerified)
    assert not world.provider.second_opinion(changed, headers, world.now)


def test_a_revoked_client_is_a_rejection_and_the_fallback_goes_on(bench) -> None:
    world = bench("[{kind: key_revoked, provider: paypal, at: 1m}]")
    assert world.provider.prove(0, world.now).ok
    world.after(minutes=2)
    proof = world.provider.prove(0, world.now)
    assert (proof.ok, proof.error, proof.code) == (False, "auth", "invalid_client")
    with pytest.raises(ProviderError) as caught:
        world.provider.poll("events", None, world.now)
    assert caught.value.bucket == "auth"
    spare = world.provider.prove(1, world.now)
    assert (spare.ok, spare.mode) == (True, "live")
    world.provider.use_slot(1)
    assert world.provider.poll("events", None, world.now).read > 0


def test_the_application_has_a_proof_of_its_own(bench) -> None:
    world = bench("[{kind: key_revoked, provider: paypal, at: 1m}]")
    world.after(minutes=2)
    proof = world.provider.prove(APPLICATION, world.now)
    assert (proof.ok, proof.slot) == (True, APPLICATION)


def test_a_client_of_the_sandbox_is_named_by_its_tokens(bench) -> None:
    world = bench("[{kind: key_wrong_mode, provider: paypal, at: 1m}]")
    world.after(minutes=2)
    proof = world.provider.prove(0, world.now)
    assert (proof.ok, proof.mode) in ((True, "test"), (False, None))
    assert proof.mode == "test"


def test_a_missing_reporting_scope_is_named_and_the_other_feeds_go_on(bench) -> None:
    world = bench("[{kind: permission_missing, provider: paypal, at: 1m}]")
    world.after(minutes=2)
    assert world.provider.prove(0, world.now).missing == (
        "https://uri.paypal.com/services/reporting/search/read",
    )
    with pytest.raises(ProviderError, match="not permitted: reporting scope") as caught:
        world.provider.poll("reporting", None, world.now)
    assert caught.value.bucket == "permission"
    assert world.provider.poll("events", None, world.now).read > 0


@pytest.mark.parametrize(
    ("fault", "bucket"),
    [("provider_outage", "outage"), ("rate_limited", "rate_limit"), ("network_drop", "network")],
)
def test_each_trouble_of_the_api_has_its_bucket(bench, fault, bucket) -> None:
    world = bench(f"[{{kind: {fault}, provider: paypal, at: 1m}}]")
    world.after(minutes=2)
    with pytest.raises(ProviderError) as caught:
        world.provider.poll("endpoints", None, world.now)
    assert caught.value.bucket == bucket
    assert {call.bucket for call in world.provider.calls()} == {bucket}


def test_a_webhook_made_anew_is_told_by_signatures_and_the_new_id_verifies(bench) -> None:
    world = bench("[{kind: webhook_secret_rotated, provider: paypal, at: 1m}]")
    world.after(minutes=5)
    body, headers = world.deliveries()[-1]
    assert verifier(world).verify(body, headers, world.now).kind == "signature"
    assert isinstance(verifier(world, 1).verify(body, headers, world.now), Verified)


def test_a_test_payment_among_live_ones_is_quarantined_by_its_links(bench) -> None:
    world = bench("[{kind: test_object_in_live, provider: paypal, at: 1m}]")
    world.after(minutes=5)
    judge = verifier(world)
    apart = []
    for body, headers in world.deliveries():
        verdict = judge.verify(body, headers, world.now)
        assert isinstance(verdict, Verified)
        apart += judge.facts(verdict.payload).wrong_mode
    assert apart


def test_a_secret_of_the_sandbox_lets_none_of_our_events_in(bench) -> None:
    world = bench("[{kind: webhook_wrong_mode_secret, provider: paypal, at: 1m}]")
    world.after(minutes=5)
    since = world.world.start + timedelta(minutes=1)
    kinds = set()
    for send in world.world.due_deliveries(world.now):
        if send.due_at > since:
            body, headers = kind("paypal").delivery(world.account, send, world.now)
            verdict = verifier(world).verify(body, {k.lower(): v for k, v in headers.items()}, world.now)
            kinds.add(verdict.kind)
    assert kinds == {"signature", "claim"}


def test_undelivered_events_are_those_the_receiver_did_not_take(bench) -> None:
    world = bench("[{kind: receiver_down, provider: paypal, at: 1m, until: 10m}]", rate=4)
    assert world.provider.poll("undelivered", None, world.now).undelivered == ()
    world.after(minutes=8)
    page = world.provider.poll("undelivered", None, world.now)
    truth = set(world.account.deliveries.undelivered)
    assert {each.event_id for each in page.undelivered} <= truth
    assert len(page.undelivered) > 10


def test_a_restricted_account_is_told_by_the_renewals_it_loses(bench) -> None:
    world = bench("[{kind: account_restricted, provider: paypal, at: 1m}]")
    world.after(minutes=5)
    states = [page.account_state for page in world.read("events") if page.account_state]
    assert states
    assert states[0].restricted
    assert states[0].reason == "PAYEE_ACCOUNT_RESTRICTED"


def test_a_refund_is_made_once_by_its_key_and_found_by_its_reference(bench) -> None:
    world = bench()
    charge = next(
        c for c in world.account.charges.rows if c.decline is None and world.account.shows_capture(c)
    )
    money = Money(100, charge.payment.buyer.currency.upper())
    first = world.provider.refund(charge.id, money, "payops-7", "key-7", world.now)
    again = world.provider.refund(charge.id, money, "payops-7", "key-7", world.now)
    assert first.object_id == again.object_id
    found = world.provider.refunds_of(charge.id, world.now)
    assert [(each.refund_id, reference) for each, reference in found] == [(first.object_id, "payops-7")]
    assert world.provider.attempt(charge.id, world.now).amount_refunded_minor == 100


def test_an_authorization_about_to_expire_is_captured_and_stays_one_attempt(bench) -> None:
    world = bench("[{kind: authorization_expiring, provider: paypal, at: 1m}]")
    world.after(minutes=3)
    waiting = [a for page in world.read("events") for a in page.facts.attempts if a.captured is False]
    assert waiting
    one = waiting[0]
    assert one.capture_before < world.now + timedelta(hours=24)
    world.provider.capture(one.attempt_id, None, "key-8", world.now)
    assert world.provider.attempt(one.attempt_id, world.now).captured is True
    world.after(minutes=5)
    later = [
        a for page in world.read("events") for a in page.facts.attempts if a.payment_id == one.payment_id
    ]
    assert {each.attempt_id for each in later} == {one.attempt_id}
    assert max(later, key=lambda each: each.changed_at).captured is True


def test_what_a_subscription_owes_is_seen_and_collected(bench) -> None:
    world = bench("[{kind: subscription_past_due, provider: paypal, at: 1m}]")
    world.after(minutes=10)
    listed = [s for page in world.read("subscriptions") for s in page.facts.subscriptions]
    told = {s.subscription_id for page in world.read("events") for s in page.facts.subscriptions}
    owing = [each for each in listed if each.status == "past_due"]
    assert owing
    assert {each.subscription_id for each in owing} <= told
    one = owing[0]
    owed = Money(one.outstanding_minor, one.currency)
    world.provider.collect(one.subscription_id, owed, "payops-9", "key-9", world.now)
    after = world.provider.subscription(one.subscription_id, world.now)
    assert (after.status, after.outstanding_minor) == ("active", 0)


def test_a_dispute_is_found_with_what_it_is_about_and_its_deadline(bench) -> None:
    world = bench("[{kind: dispute_opened, provider: paypal, at: 1m}]")
    world.after(minutes=3)
    listed = [d for page in world.read("disputes") for d in page.facts.disputes]
    assert {d.attempt_id for d in listed} == {d.charge.id for d in world.account.disputes.rows}
    assert all(each.reply_by > world.now and each.status == "needs_response" for each in listed)


def test_a_webhook_with_another_address_and_fewer_types_is_put_right_and_read_back(bench) -> None:
    world = bench("[{kind: webhook_url_wrong, provider: paypal, at: 1m}]")
    (before,) = world.provider.poll("endpoints", None, world.now).endpoints
    world.after(minutes=2)
    (wrong,) = world.provider.poll("endpoints", None, world.now).endpoints
    assert wrong.url != before.url
    assert wrong.livemode is True
    world.provider.change_endpoint(wrong.endpoint_id, "key-10", world.now, url=before.url)
    assert world.provider.endpoint(wrong.endpoint_id, world.now) == before


def test_an_event_sent_again_arrives_with_a_signature_of_its_own(bench) -> None:
    world = bench()
    world.after(minutes=3)
    send = world.world.due_deliveries(world.now)[0]
    world.world.delivered(send, world.now)
    world.provider.resend_event(send.event.id, world.secrets["env:HOOK"], "key-11", world.now)
    world.after(minutes=4)
    again = [each for each in world.world.due_deliveries(world.now) if each.event.id == send.event.id]
    assert again
    body, headers = kind("paypal").delivery(world.account, again[0], world.now)
    verdict = verifier(world).verify(body, {k.lower(): v for k, v in headers.items()}, world.now)
    assert isinstance(verdict, Verified)
    assert verdict.event.account == NAME
