"""`switch-webhook-secret` and `confirm-quarantine`: changes of our own that only what arrives can prove."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.events import Delivery, Facts, WebhookEvent
from payops.domain.plans import Refusal
from payops.signals.mode import unconfirmed
from payops.signals.slots import webhook_slot

ACCOUNT = "stripe-live"
URL = f"https://stripe.sim/webhooks/{ACCOUNT}"
ARM = [{"account": ACCOUNT, "remedies": ["switch-webhook-secret", "confirm-quarantine"]}]


def account(*fallbacks: dict, **more) -> dict:
    return {
        "name": ACCOUNT,
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "webhook_secrets": ["env:W"],
        "fallback_credentials": list(fallbacks),
        "endpoints": [{"name": "own", "url": URL, "idempotent": True}],
        **more,
    }


SECOND = {"webhook_secrets": ["env:W2"]}


@pytest.fixture
def refused(make_world):
    """Since ten minutes every delivery fails its signature; another secret is stored."""

    def make(*fallbacks: dict):
        world = make_world(accounts=[account(*(fallbacks or (SECOND,)))], arm=ARM)
        world.secrets = {
            "env:KEY": "rk_live_first00000001",
            "env:W": "whsec_a",
            "env:W2": "whsec_b",
            "env:W3": "whsec_c",
        }
        world.stripe.status = "enabled"
        world.restart()
        world.history()
        world.miss(6)
        world.poll()
        fail(world, 6)
        world.open("webhook-signature-failing")
        return world

    return make


def fail(world, times: int = 1) -> None:
    for _ in range(times):
        world.store.inbox.refuse(ACCOUNT, world.now, "signature", "the signature fits none")


def arrive(world, name: str, live: bool = True) -> None:
    event = WebhookEvent(ACCOUNT, name, "charge.succeeded", world.now, live)
    world.store.inbox.receive([Delivery(ACCOUNT, event, world.now, "{}", "0" * 64, "signature")])


def in_use(world) -> int:
    return webhook_slot(world.store, world.settings.account(ACCOUNT))


def test_stored_secret_is_promoted_kept_once_an_event_verifies_and_the_refused_are_resent(refused):
    world = refused()
    world.tick()
    assert in_use(world) == 1
    assert world.store.facts.active_slot(ACCOUNT) == 0, "the monitor credential is another matter"
    assert world.attempts[0].phase == "applying"
    assert not world.stripe.sent, "nothing is resent before the secret is proved"
    world.now += timedelta(seconds=5)
    arrive(world, "evt_new")
    world.run(world.ended)
    (attempt,) = world.attempts
    assert attempt.verified
    assert sorted(world.stripe.sent) == [f"evt_{i:04}" for i in range(6)]
    assert in_use(world) == 1


def test_an_event_of_the_other_mode_proves_nothing(refused):
    world = refused()
    world.tick()
    world.now += timedelta(seconds=5)
    arrive(world, "evt_stray", live=False)
    world.step()
    assert world.attempts[0].phase == "applying"
    assert not world.stripe.sent


def test_a_promotion_that_still_refuses_is_undone_and_the_next_secret_is_tried(refused):
    world = refused(SECOND, {"webhook_secrets": ["env:W3"]})
    world.tick()
    assert in_use(world) == 1
    world.now += timedelta(seconds=60)
    fail(world, 3)
    world.step()
    assert world.attempts[0].outcome == "not_verified"
    assert "undone: the configured credential verifies again" in world.attempts[0].detail
    assert in_use(world) == 0
    world.run(lambda: len(world.attempts) == 2)
    assert in_use(world) == 2


@pytest.mark.parametrize(
    ("fallback", "reason"),
    [
        ({"api_key": "env:KEY"}, "no other webhook secret is stored"),
        ({"webhook_secrets": ["env:W"]}, "the same as the one in use"),
    ],
)
def test_without_another_secret_a_person_must_act(refused, fallback, reason):
    world = refused(fallback)
    world.tick()
    assert world.over()
    assert reason in world.incident.l1_reason
    assert in_use(world) == 0
    assert "whsec_a" not in world.incident.l1_reason


def test_an_endpoint_that_is_not_declared_idempotent_needs_an_operator(make_world):
    mine = account(SECOND, endpoints=[{"name": "own", "url": URL}])
    world = make_world(accounts=[mine], arm=ARM)
    world.secrets = {"env:KEY": "rk_live_first00000001", "env:W": "whsec_a", "env:W2": "whsec_b"}
    world.restart()
    world.open("webhook-signature-failing")
    world.tick()
    assert in_use(world) == 0
    assert "not declared idempotent" in world.incident.l1_reason


def test_a_crash_after_the_promotion_goes_on_from_it(refused, killed):
    world = refused()
    original = world.store.facts.set_webhook_slot

    def dies(*args, **kwargs):
        original(*args, **kwargs)
        raise killed

    world.store.facts.set_webhook_slot = dies
    with pytest.raises(killed):
        world.tick()
    world.store.facts.set_webhook_slot = original
    assert in_use(world) == 0, "the promotion and its record are one write"
    world.restart()
    world.step()
    world.now += timedelta(seconds=5)
    arrive(world, "evt_new")
    world.run(world.ended)
    assert world.attempts[0].verified
    assert in_use(world) == 1


def test_what_came_of_the_other_mode_through_the_wrong_secret_is_confirmed_with_the_fix(refused):
    world = refused()
    stray = WebhookEvent(ACCOUNT, "evt_stray", "charge.succeeded", world.now, False)
    world.store.facts.apply_facts(ACCOUNT, Facts(wrong_mode=(stray,)), world.now)
    world.tick()
    world.now += timedelta(seconds=5)
    arrive(world, "evt_new")
    world.run(world.ended)
    assert unconfirmed(world.store, ACCOUNT, world.now).count == 0


@pytest.fixture
def mixed(make_world):
    """Two events of test mode reached the live account."""
    world = make_world(accounts=[account()], arm=ARM)
    strays = tuple(
        WebhookEvent(ACCOUNT, f"evt_test_{i}", "charge.succeeded", world.now, False) for i in range(2)
    )
    world.store.facts.apply_facts(ACCOUNT, Facts(wrong_mode=strays), world.now)
    world.open("mode-mixed-objects")
    return world


def test_what_is_in_quarantine_is_counted_and_confirmed(mixed):
    mixed.tick()
    mixed.run(mixed.ended)
    (attempt,) = mixed.attempts
    assert attempt.cured
    assert "2 test events are in quarantine and in no rate (evt_test_0, evt_test_1)" in attempt.detail
    assert not mixed.stripe.calls
    assert mixed.store.facts.attempts_count(ACCOUNT) == 0


def test_what_comes_after_the_confirmation_is_not_covered_by_it(mixed):
    mixed.tick()
    late = WebhookEvent(ACCOUNT, "evt_late", "charge.succeeded", mixed.now + timedelta(seconds=5), False)
    mixed.store.facts.apply_facts(ACCOUNT, Facts(wrong_mode=(late,)), mixed.now + timedelta(seconds=5))
    mixed.step()
    assert unconfirmed(mixed.store, ACCOUNT, mixed.now).events == ("evt_late",)
    assert not mixed.attempts[0].verified


def test_nothing_to_confirm_is_a_refusal(make_world):
    world = make_world(accounts=[account()], arm=ARM)
    world.open("mode-mixed-objects")
    plan = world.runner.dry_run("inc-1", world.signals(), world.now).plan
    assert plan == Refusal("nothing of the other mode came since the last confirmation")


def test_a_diagnosis_of_the_connection_says_what_is_known_and_needs_no_arming(make_world):
    world = make_world(mode="observe", accounts=[account()])
    world.open("account-restricted")
    world.tick()
    (attempt,) = world.attempts
    assert (attempt.outcome, attempt.verified, attempt.effect) == ("succeeded", False, "read")
    assert "the application's key was not verified" in attempt.detail.replace("The app", "the app")
    assert not world.stripe.calls
