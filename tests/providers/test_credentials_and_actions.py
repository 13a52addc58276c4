"""What a cheap read proves about a key, and the two writes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError, UsageError
from payops.providers.port import APPLICATION

from .conftest import KEY, NOW, SECRETS, T0, Request, charge_event, error, listing, reply


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


def test_key_that_may_not_read_the_balance_proves_its_mode_by_its_prefix(stripe, open_account):
    stripe.answer = lambda request: error(
        403, "Having the 'rak_balance_read' permission would allow this on account 'acct_7'"
    )
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.mode, proof.identity, proof.error) == (True, "live", "acct_7", None)
    assert proof.evidence == "key prefix" and proof.missing == ("rak_balance_read",)


def test_the_balance_is_believed_before_the_prefix(stripe, open_account):
    stripe.answer = account(livemode=False)
    proof = open_account().prove(0, NOW)
    assert (proof.mode, proof.evidence) == ("test", "balance.livemode")


def test_a_key_that_states_no_mode_anywhere_proves_none(stripe, open_account):
    stripe.answer = account(livemode=None)
    proof = open_account(secrets={"env:KEY": "rk_org_abcdefghijklmnop"}).prove(0, NOW)
    assert (proof.ok, proof.mode, proof.evidence) == (True, None, "")


@pytest.mark.parametrize("answer", [error(500), reply(b"<html>", 401), error(429), reply(b"{", 200)])
def test_an_outage_proves_nothing(stripe, open_account, answer):
    stripe.answer = lambda _: answer
    with pytest.raises(ProviderError):
        open_account().prove(0, NOW)


def credential_reads(stripe, provider, at):
    before = len(stripe.asked)
    page = provider.poll("credential", None, at)
    assert page.requests == len(stripe.asked) - before
    return page, stripe.paths()[before:]


def test_credential_feed_carries_the_proof_and_asks_whose_it_is_once(stripe, open_account):
    stripe.answer = account()
    provider = open_account()
    page, asked = credential_reads(stripe, provider, NOW)
    assert page.proof is not None and page.proof.ok and page.proof.identity == "acct_1"
    assert asked[:2] == ["GET /v1/balance", "GET /v1/account"]
    page, asked = credential_reads(stripe, provider, NOW + timedelta(minutes=1))
    assert asked == ["GET /v1/balance"] and page.proof.identity == "acct_1"
    assert len(asked) == next(spec.requests for spec in provider.feeds if spec.name == "credential")


def test_a_rejected_key_is_asked_again_whose_it_is(stripe, open_account):
    stripe.answer = account()
    provider = open_account()
    provider.poll("credential", None, NOW)
    stripe.answer = lambda _: error(401, "Expired API Key provided", "api_key_expired")
    assert provider.poll("credential", None, NOW).proof.ok is False
    stripe.answer = account(identity="acct_2")
    assert provider.poll("credential", None, NOW).proof.identity == "acct_2"


# -- permissions


def refusing(permission: str, path: str):
    allowed = account()
    said = f"Having the '{permission}' permission would allow this request to continue"
    return lambda request: error(403, said) if request.path == path else allowed(request)


def test_a_permission_a_feed_was_refused_is_missing_until_it_is_granted(stripe, open_account):
    provider = open_account()
    stripe.answer = refusing("rak_event_read", "/v1/events")
    with pytest.raises(ProviderError, match="grant it rak_event_read"):
        provider.poll("events", None, NOW)
    assert provider.prove(0, NOW).missing == ("rak_event_read",)
    assert provider.prove(1, NOW).missing == (), "the other key was not refused anything"
    stripe.answer = with_events([charge_event(1, T0)])
    provider.poll("events", None, NOW)
    assert provider.prove(0, NOW).missing == ()


def with_events(events):
    listed, known = listing(events), account()
    return lambda request: known(request) if request.path != "/v1/events" else listed(request)


def test_what_no_feed_reads_is_tried_once_an_hour(stripe, open_account):
    provider = open_account()
    stripe.answer = account()
    tried = set()
    for hour in range(4):
        for minute in (0, 1, 59):
            _, asked = credential_reads(stripe, provider, NOW + timedelta(hours=hour, minutes=minute))
            extra = set(asked) - {"GET /v1/balance", "GET /v1/account"}
            assert len(extra) == (1 if minute == 0 else 0)
            tried |= extra
    assert tried == {
        f"GET /v1/{name}" for name in ("subscriptions", "invoices", "customers", "payment_intents")
    }
    stripe.answer = refusing("rak_invoice_read", "/v1/invoices")
    found = [
        provider.poll("credential", None, NOW + timedelta(hours=4 + hour)).proof.missing for hour in range(4)
    ]
    assert found[-1] == ("rak_invoice_read",)


# -- the application's own credential

APP = "sk_live_applicationkey0000x1y2"


def test_the_application_s_key_gets_one_read_and_no_use(stripe, open_account):
    stripe.answer = account()
    provider = open_account(secrets={"env:APP": APP}, application_credential="env:APP")
    proof = provider.prove(APPLICATION, NOW)
    assert (proof.slot, proof.ok, proof.mode) == (APPLICATION, True, "live")
    assert stripe.paths() == ["GET /v1/balance"]
    assert stripe.asked[0].headers["authorization"] == f"Bearer {APP}"
    with pytest.raises(UsageError, match="application"):
        provider.use_slot(APPLICATION)


def test_the_credential_feed_tells_of_the_application_s_key_too(stripe, open_account):
    known = account()
    stripe.answer = lambda request: (
        error(401, "Expired API Key provided", "api_key_expired")
        if request.headers["authorization"].endswith("x1y2")
        else known(request)
    )
    provider = open_account(secrets={"env:APP": APP}, application_credential="env:APP")
    page, _ = credential_reads(stripe, provider, NOW)
    assert page.proof.ok is True
    assert (page.application_proof.ok, page.application_proof.code) == (False, "api_key_expired")
    assert APP not in repr(page.application_proof)
    page, asked = credential_reads(stripe, provider, NOW)
    assert len(asked) == next(spec.requests for spec in provider.feeds if spec.name == "credential")


def test_an_outage_of_the_application_s_probe_hides_nothing(stripe, open_account):
    known = account()
    stripe.answer = lambda request: (
        error(500) if request.headers["authorization"].endswith("x1y2") else known(request)
    )
    provider = open_account(secrets={"env:APP": APP}, application_credential="env:APP")
    page = provider.poll("credential", None, NOW)
    assert page.proof.ok and page.application_proof is None


def test_no_application_credential_is_named(open_account):
    with pytest.raises(UsageError, match="no application_credential"):
        open_account().prove(APPLICATION, NOW)


def test_an_object_of_the_other_mode_is_evidence_against_the_key(stripe, open_account):
    said = "No such event: 'evt_1'; a similar object exists in test mode, but a live mode key was used to make this request."
    provider = open_account()
    stripe.answer = lambda _: error(404, said, "resource_missing", "invalid_request_error")
    with pytest.raises(ProviderError, match="other mode") as caught:
        provider.resend_event("evt_1", "we_1", "k", NOW)
    assert (caught.value.bucket, caught.value.code) == ("invalid_request", "wrong_mode")


def test_switching_slots_switches_the_key(stripe, open_account):
    stripe.answer = account()
    provider = open_account()
    provider.use_slot(1)
    provider.poll("credential", None, NOW)
    assert stripe.asked[0].headers["authorization"] == f"Bearer {SECRETS['env:KEY2']}"


@pytest.mark.parametrize("slot", [-2, 2, 99])
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
