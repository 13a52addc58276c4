"""`resend-missing`, `switch-credential` and `diagnose`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from payops.domain.events import CredentialProof, Facts, FeedPage
from payops.domain.payments import Attempt
from payops.domain.plans import Refusal
from payops.store.own_changes import Change
from payops.streams import Watch


@pytest.fixture
def silent(world):
    """The endpoint is enabled; what was generated did not arrive."""
    world.stripe.status = "enabled"
    world.poll()
    world.open("webhook-events-missing")
    return world


def test_missing_events_are_resent_once_our_receiver_answers(silent):
    silent.probe.up = False
    for _ in range(10):
        silent.step()
    assert silent.incident.l1_reason.startswith(
        "waits: https://stripe.sim/webhooks/stripe-live does not answer"
    )
    assert silent.incident.l1_started_at is None
    silent.probe.up = True
    silent.run(silent.ended)
    (attempt,) = silent.attempts
    assert attempt.verified
    assert sorted(silent.stripe.sent) == [f"evt_{i:04}" for i in range(12)]


def test_disabled_endpoint_is_not_resent_to(silent):
    silent.stripe.status = "disabled"
    silent.poll()
    plan = silent.runner.dry_run("inc-1", silent.signals(), silent.now).plan
    assert plan == Refusal("we_1 is disabled: enable it first, a resend would not be sent")


def test_events_that_all_arrived_by_themselves_are_not_resent(silent):
    for event in silent.events:
        silent.receive(event.event_id)
    silent.tick()
    assert silent.over()
    assert "nothing is missing any more" in silent.incident.l1_reason
    assert not silent.stripe.calls


def proof(slot: int, **changes: object) -> CredentialProof:
    values = {"ok": True, "identity": "acct_1", "mode": "live", "request_id": f"req_proof_{slot}", **changes}
    return CredentialProof("stripe-live", slot, f"rk_live_…{slot}", None, **values)


@pytest.fixture
def revoked(world):
    """The key in use proved acct_1 once and is rejected now; another is stored."""
    world.stripe.proofs = {
        0: proof(0, ok=False, error="auth", code="api_key_expired", identity=None, mode=None),
        1: proof(1),
    }
    world.store.facts.save_proof(
        CredentialProof("stripe-live", 0, "rk_live_…0", world.now, True, "acct_1", "live")
    )
    world.tick()
    world.store.facts.save_proof(world.stripe.prove(0, world.now + timedelta(seconds=1)))
    world.now += timedelta(seconds=1)
    return world


def test_rejected_credential_is_replaced_by_one_that_proves_account_and_mode(revoked):
    revoked.open("credentials-rejected")
    revoked.run(revoked.ended)
    (attempt,) = revoked.attempts
    assert attempt.verified
    assert revoked.store.facts.active_slot("stripe-live") == 1
    assert revoked.stripe.slot == 1
    assert "switched the monitor credential to rk_live_…1 (fallback_credentials[0])" in attempt.detail
    assert "req_proof_1" in attempt.request_ids


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identity": "acct_2"}, "belongs to acct_2, not to acct_1"),
        ({"mode": "test"}, "is a test credential, the account is live"),
        ({"mode": None}, "does not prove a mode"),
        ({"ok": False, "error": "auth", "code": "api_key_expired"}, "is not accepted (api_key_expired)"),
    ],
)
def test_credential_that_does_not_prove_both_is_never_used(revoked, changes, reason):
    revoked.stripe.proofs[1] = proof(1, **changes)
    revoked.open("credentials-rejected")
    revoked.tick()
    assert revoked.over()
    assert reason in revoked.incident.l1_reason
    assert revoked.store.facts.active_slot("stripe-live") == 0
    assert revoked.stripe.slot == 0


def test_credential_is_never_taken_over_to_while_nobody_proved_whose_account_it_is(world):
    rejected = proof(0, ok=False, error="auth", code="api_key_expired", identity=None, mode=None)
    world.stripe.proofs = {0: rejected, 1: proof(1, identity="acct_of_another")}
    world.store.facts.save_proof(world.stripe.prove(0, world.now))
    world.open("credentials-rejected")
    world.tick()
    assert world.over()
    assert "never proved whose account this is" in world.incident.l1_reason
    assert world.store.facts.active_slot("stripe-live") == 0 and world.stripe.slot == 0


def test_unrestricted_key_never_takes_over_from_a_restricted_one(revoked):
    revoked.secrets["env:KEY_2"] = "sk_live_second0000002"
    revoked.open("credentials-rejected")
    revoked.tick()
    assert revoked.over()
    assert "is unrestricted: it may do more" in revoked.incident.l1_reason
    assert revoked.store.facts.active_slot("stripe-live") == 0


def test_switch_is_not_verified_by_a_proof_of_another_account(revoked):
    revoked.open("credentials-rejected")
    revoked.tick()
    assert revoked.store.facts.active_slot("stripe-live") == 1
    revoked.stripe.proofs[1] = proof(1, identity="acct_2")
    revoked.run(revoked.ended)
    assert not revoked.attempts[0].verified


def test_same_key_stored_twice_is_no_fallback(revoked):
    revoked.secrets["env:KEY_2"] = revoked.secrets["env:KEY"]
    revoked.open("credentials-rejected")
    revoked.tick()
    assert "the same key as the one in use" in revoked.incident.l1_reason
    assert revoked.secrets["env:KEY"] not in revoked.incident.l1_reason


def test_account_without_fallback_goes_to_a_person(make_world):
    account = {"name": "stripe-live", "provider": "stripe", "mode": "live", "api_key": "env:KEY"}
    world = make_world(accounts=[account])
    world.open("credentials-rejected")
    world.tick()
    assert world.over()
    assert "no other credential is stored" in world.incident.l1_reason


def test_credential_that_may_do_more_than_the_configured_one_is_never_used(revoked):
    before = proof(0, permissions=("payments_read",))
    revoked.store.facts.save_proof(replace(before, at=revoked.now))
    revoked.tick()
    revoked.now += timedelta(seconds=1)
    revoked.store.facts.save_proof(revoked.stripe.prove(0, revoked.now))
    revoked.stripe.proofs[1] = proof(1, permissions=("payments_read", "refunds_write"))
    revoked.open("credentials-rejected")
    revoked.tick()
    assert revoked.over()
    assert "may do more than the configured one: refunds_write" in revoked.incident.l1_reason
    revoked.stripe.proofs[1] = proof(1, permissions=("payments_read",))
    revoked.runner.request_fix("inc-1", "ana", revoked.signals(), revoked.now)
    assert revoked.store.facts.active_slot("stripe-live") == 1


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("braintree", ("merchant_id", "public_key", "private_key")),
        ("paypal", ("client_id", "client_secret")),
    ],
)
def test_whole_credentials_are_compared_at_every_provider(make_world, provider, fields):
    own = {field: f"env:{field}" for field in fields}
    half = {field: f"env:{field}" for field in fields[:-1]}
    account = {"name": "stripe-live", "provider": provider, "mode": "live", **own}
    world = make_world(accounts=[{**account, "fallback_credentials": [half, own]}])
    world.secrets = {f"env:{field}": f"{field}-0123456789" for field in fields}
    world.restart()
    world.open("credentials-rejected")
    world.tick()
    assert "fallback_credentials[0]: it holds no whole credential" in world.incident.l1_reason
    assert "fallback_credentials[1]: it is the same key as the one in use" in world.incident.l1_reason


def test_switch_that_does_not_prove_itself_is_undone(revoked):
    answers = iter([proof(1), proof(1, ok=False, error="auth", code="api_key_expired")])
    last = {}

    def prove(slot, now):
        last.setdefault("proof", None)
        last["proof"] = next(answers, last["proof"])
        made = last["proof"]
        return CredentialProof(
            "stripe-live", 1, made.hint, now, made.ok, made.identity, made.mode, made.error, made.code
        )

    revoked.stripe.prove = prove
    revoked.open("credentials-rejected")
    revoked.tick()
    assert revoked.attempts[0].outcome == "not_verified"
    assert "undone: the configured credential is in use again" in revoked.attempts[0].detail
    assert revoked.store.facts.active_slot("stripe-live") == 0
    assert revoked.stripe.slot == 0


def test_crash_after_the_switch_goes_on_from_it(revoked, killed):
    revoked.open("credentials-rejected")
    original, dies = revoked.stripe.use_slot, [True]

    def use_slot(slot: int) -> None:
        if dies.pop() if dies else False:
            raise killed
        original(slot)

    revoked.stripe.use_slot = use_slot
    with pytest.raises(killed):
        revoked.tick()
    assert revoked.store.facts.active_slot("stripe-live") == 1
    revoked.restart()
    revoked.run(revoked.ended)
    assert revoked.attempts[0].verified
    assert revoked.stripe.slot == 1


def payments(world, brand: str, count: int, failed: int, code: str) -> None:
    made = []
    for i in range(count):
        at = world.now - timedelta(minutes=1 + i % 40)
        status = "failed" if i < failed else "succeeded"
        made.append(
            Attempt(
                "stripe-live",
                f"{brand}{i}",
                at,
                status,
                at,
                payment_id=f"pi_{brand}{i}",
                amount_minor=1000,
                currency="EUR",
                decline_code=code if status == "failed" else None,
                card_brand=brand,
                country="DE",
            )
        )
    world.store.facts.apply_page(
        "stripe-live", FeedPage("charges", count, 1, facts=Facts(attempts=tuple(made))), world.now
    )


def history(world, hours: int = 24) -> None:
    """A day in which 5 % fail, half for want of money and half without a word from the issuer."""
    made = []
    for minute in range(60 * hours, 60, -1):
        for i in range(2):
            at, number = world.now - timedelta(minutes=minute, seconds=-i), 2 * minute + i
            failed = number % 20 == 0
            code = ("insufficient_funds", "do_not_honor")[number // 20 % 2] if failed else None
            made.append(
                Attempt(
                    "stripe-live",
                    f"old{number}",
                    at,
                    "failed" if failed else "succeeded",
                    at,
                    payment_id=f"pi_old{number}",
                    amount_minor=1000,
                    currency="EUR",
                    decline_code=code,
                    card_brand=("visa", "mastercard")[number // 20 % 3 % 2],
                    country="DE",
                )
            )
    world.store.facts.apply_page(
        "stripe-live", FeedPage("charges", 1, 1, facts=Facts(attempts=tuple(made))), world.now
    )


def diagnosed(world) -> str:
    Watch(world.store, world.settings).advance(world.now)
    world.open("success-rate-drop")
    world.tick()
    return world.attempts[0].detail


def test_diagnosis_names_onset_odds_slice_codes_and_side_and_leaves_the_rest_to_a_person(world):
    history(world)
    payments(world, "visa", 40, 30, "do_not_honor")
    payments(world, "mastercard", 60, 3, "insufficient_funds")
    detail = diagnosed(world)
    (attempt,) = world.attempts
    assert (attempt.outcome, attempt.verified, attempt.effect) == ("succeeded", False, "read")
    assert detail.startswith("Since 08:30 UTC 33 of 80 first attempts failed, 4.0 expected; ")
    assert "by chance alone less than once in" in detail
    assert "given the learned baseline" in detail
    assert "of the 29 extra are do_not_honor" in detail
    assert "mostly card brand visa: 30 of 30 failed, " in detail
    assert (
        "Of 33 declines: 33 issuer refusals that may pass later (do_not_honor 30, insufficient_funds 3)."
        in detail
    )
    assert "do_not_honor: The issuer refused without saying why." in detail
    assert "Whose side: the issuers': " in detail
    assert "nothing of ours is known to have changed" in detail
    assert world.incident.l1_reason.startswith("Level 1 diagnoses, a human decides: Since 08:30")
    assert not world.stripe.calls


def test_a_deploy_right_before_makes_it_ours_unless_only_some_issuers_refuse(world):
    history(world)
    payments(world, "visa", 40, 20, "invalid_amount")
    payments(world, "mastercard", 40, 20, "invalid_amount")
    at = world.now - timedelta(minutes=26)
    world.store.changes.add(Change(at, "deploy", "checkout 4.2", "ana", "stripe-live"))
    world.store.changes.add(Change(at, "deploy", "another shop", "ana", "stripe-other"))
    detail = diagnosed(world)
    assert "Whose side: ours: a deploy 6 minutes before (checkout 4.2); " in detail
    assert "refusals of our requests or rules (invalid_amount)" in detail
    assert "another shop" not in detail


def test_diagnosis_says_when_nothing_stands_out(world):
    history(world)
    payments(world, "visa", 40, 20, "mystery")
    payments(world, "mastercard", 40, 20, "mystery")
    detail = diagnosed(world)
    assert "no card brand, country, currency or method stands out" in detail
    assert "40 failures payops cannot place (mystery 40)" in detail
    assert "payops does not know the code 'mystery'" in detail
    assert "Whose side: unknown: " in detail


def test_diagnosis_needs_no_arming(make_world):
    world = make_world(mode="observe")
    world.open("success-rate-drop")
    world.tick()
    assert world.attempts[0].detail.startswith("No first attempt since")
