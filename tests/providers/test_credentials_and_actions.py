"""What a cheap read proves about a key, and the two writes."""

from __future__ import annotations

import pytest

from payops.domain.errors import ProviderError, UsageError

from .conftest import KEY, NOW, SECRETS, Request, error, reply


def account(livemode: object = True, identity: str = "acct_1"):
    def answer(request: Request):
        if request.path == "/v1/balance":
            return reply({"object": "balance", "livemode": livemode})
        return reply({"object": "account", "id": identity})

    return answer


def test_accepted_key_proves_mode_and_account(stripe, open_account):
    stripe.answer = account()
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.mode, proof.identity, proof.error) == (True, "live", "acct_1", None)
    assert proof.hint == "rk_live_…4f2a" and proof.at == NOW and proof.request_id == "req_1"
    assert stripe.paths() == ["GET /v1/balance", "GET /v1/account"]


def test_each_slot_is_proved_with_its_own_key(stripe, open_account):
    stripe.answer = account(livemode=False)
    proof = open_account().prove(1, NOW)
    assert (proof.slot, proof.mode, proof.hint) == (1, "test", "rk_live_…9b1c")
    assert {request.headers["authorization"] for request in stripe.asked} == {f"Bearer {SECRETS['env:KEY2']}"}


def test_rejected_key_is_a_proof_not_an_error(stripe, open_account):
    stripe.answer = lambda _: error(401, "Expired API Key provided", "api_key_expired")
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.error, proof.code, proof.mode) == (False, "auth", "api_key_expired", None)
    assert "Expired API Key" in proof.message and KEY not in proof.message
    assert proof.request_id == "req_1"


def test_restricted_key_names_its_account_in_the_refusal(stripe, open_account):
    said = "The provided key 'rk_live_x' does not have the required permissions for this endpoint on account 'acct_9Z'."
    stripe.answer = lambda request: (
        reply({"livemode": True}) if request.path == "/v1/balance" else error(403, said)
    )
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.mode, proof.identity) == (True, "live", "acct_9Z")


def test_key_that_may_not_read_the_balance_is_accepted_but_proves_no_mode(stripe, open_account):
    stripe.answer = lambda request: error(
        403, "Having the 'rak_balance_read' permission would allow this on account 'acct_7'"
    )
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.mode, proof.identity, proof.error) == (True, None, "acct_7", None)
    assert "rak_balance_read" in proof.message


@pytest.mark.parametrize("answer", [error(500), reply(b"<html>", 401), error(429), reply(b"{", 200)])
def test_an_outage_proves_nothing(stripe, open_account, answer):
    stripe.answer = lambda _: answer
    with pytest.raises(ProviderError):
        open_account().prove(0, NOW)


def test_credential_feed_carries_the_proof(stripe, open_account):
    stripe.answer = account()
    provider = open_account()
    page = provider.poll("credential", None, NOW)
    assert page.proof is not None and page.proof.ok
    assert page.requests == 2 == next(spec.requests for spec in provider.feeds if spec.name == "credential")


def test_switching_slots_switches_the_key(stripe, open_account):
    stripe.answer = account()
    provider = open_account()
    provider.use_slot(1)
    provider.poll("credential", None, NOW)
    assert stripe.asked[0].headers["authorization"] == f"Bearer {SECRETS['env:KEY2']}"


@pytest.mark.parametrize("slot", [-1, 2, 99])
def test_a_slot_that_is_not_stored_is_named(open_account, slot):
    with pytest.raises(UsageError, match="no stored credential"):
        open_account().use_slot(slot)


def test_stated_api_version_is_sent(stripe, open_account):
    stripe.answer = account()
    open_account(api_version="2024-04-10").prove(0, NOW)
    assert stripe.asked[0].headers["stripe-version"] == "2024-04-10"


# -- writes


def test_endpoint_is_enabled_with_the_given_key(stripe, open_account):
    stripe.answer = lambda _: reply({"id": "we_1", "status": "enabled"})
    answer = open_account().enable_endpoint("we_1", "payops-inc-1-1", NOW)
    (request,) = stripe.asked
    assert (request.method, request.path) == ("POST", "/v1/webhook_endpoints/we_1")
    assert request.params == {"disabled": "false"}
    assert request.headers["idempotency-key"] == "payops-inc-1-1"
    assert answer.request_ids == ("req_1",) and "enabled" in answer.detail


def test_event_is_resent_to_one_endpoint(stripe, open_account):
    stripe.answer = lambda _: reply({"id": "evt_1", "object": "event"})
    answer = open_account().resend_event("evt_1", "we_1", "payops-inc-1-1-evt_1", NOW)
    (request,) = stripe.asked
    assert (request.method, request.path) == ("POST", "/v1/events/evt_1/retry")
    assert request.params == {"webhook_endpoint": "we_1"}
    assert request.headers["idempotency-key"] == "payops-inc-1-1-evt_1"
    assert answer.request_ids == ("req_1",)


@pytest.mark.parametrize(
    ("answer", "bucket"),
    [
        (error(404, "Unrecognized request URL"), "invalid_request"),
        (error(409), "conflict"),
        (error(500), "outage"),
    ],
)
def test_refused_resend_says_why(stripe, open_account, answer, bucket):
    stripe.answer = lambda _: answer
    with pytest.raises(ProviderError) as caught:
        open_account().resend_event("evt_1", "we_1", "k", NOW)
    assert caught.value.bucket == bucket and len(stripe.asked) == 1


@pytest.mark.parametrize("bad", ["", "../accounts", "we_1/x", "we_1?x=1", "we 1", "@evil.example"])
def test_an_id_never_becomes_a_path(stripe, open_account, bad):
    provider = open_account()
    for call in (
        lambda: provider.endpoint(bad, NOW),
        lambda: provider.enable_endpoint(bad, "k", NOW),
        lambda: provider.resend_event(bad, "we_1", "k", NOW),
        lambda: provider.resend_event("evt_1", bad, "k", NOW),
    ):
        with pytest.raises(ProviderError, match="no Stripe id"):
            call()
    assert stripe.asked == []


def test_endpoint_read_back_tells_why_it_is_disabled(stripe, open_account):
    stripe.answer = lambda request: (
        reply({"id": "we_1", "url": "https://x.example", "status": "disabled", "enabled_events": ["*"]})
        if request.path.startswith("/v1")
        else reply({"status_details": {"disabled": {"reason": "user"}}})
    )
    found = open_account().endpoint("we_1", NOW)
    assert (found.status, found.disabled_reason) == ("disabled", "user")


def test_read_back_without_a_reliable_reason_is_an_error(stripe, open_account):
    stripe.answer = lambda request: (
        reply({"id": "we_1", "url": "https://x.example", "status": "disabled"})
        if request.path.startswith("/v1")
        else error(500)
    )
    with pytest.raises(ProviderError):
        open_account().endpoint("we_1", NOW)
