"""What a token proves: acceptance, identity, mode with its evidence, scopes held and missing."""

from __future__ import annotations

import pytest

from payops.domain.errors import ProviderError, UsageError
from payops.providers.paypal.proving import NEEDED
from payops.providers.port import APPLICATION

from .conftest import NOW, error, reply, token


def test_a_live_app_of_its_own_is_proven_live(paypal, opened) -> None:
    paypal.token = lambda n: token(n, scope=" ".join(("openid", *NEEDED)))
    proof = opened().prove(0, NOW)
    assert (proof.ok, proof.identity, proof.mode, proof.missing) == (True, "APP-1OWN", "live", ())
    assert "APP-1OWN" in proof.evidence
    assert set(NEEDED) < set(proof.permissions)
    assert proof.request_id == "dbg1"
    assert proof.hint == "…4f2a"


def test_the_sandboxs_shared_app_id_proves_test_mode(paypal, opened) -> None:
    paypal.token = lambda n: token(n, app_id="APP-80W284485P519543T")
    proof = opened().prove(0, NOW)
    assert (proof.ok, proof.mode) == (True, "test")
    assert proof.identity is None, "every sandbox account shows it"
    assert "APP-80W284485P519543T" in proof.evidence


@pytest.mark.parametrize(("host", "mode"), [("api.sandbox.paypal.com", "test"), ("api.paypal.com", "live")])
def test_without_an_app_id_the_links_of_the_webhooks_tell_the_mode(paypal, opened, host, mode) -> None:
    paypal.token = lambda n: token(n, app_id=None)
    link = {"href": f"https://{host}/v1/notifications/webhooks/WH1", "rel": "self"}
    paypal.answer = lambda _: reply({"webhooks": [{"id": "WH1", "url": "https://x", "links": [link]}]})
    proof = opened().prove(0, NOW)
    assert (proof.identity, proof.mode) == (None, mode)
    assert host in proof.evidence


def test_scopes_that_are_not_granted_are_named(paypal, opened) -> None:
    proof = opened().prove(0, NOW)
    assert "https://uri.paypal.com/services/reporting/search/read" in proof.missing
    assert "https://uri.paypal.com/services/applications/webhooks" not in proof.missing


def test_a_token_that_names_no_scopes_leaves_permissions_unknown(paypal, opened) -> None:
    paypal.token = lambda n: token(n, scope=None)
    proof = opened().prove(0, NOW)
    assert (proof.permissions, proof.missing) == (None, ())


def test_a_rejected_client_is_a_proof_and_no_other_host_is_asked(paypal, opened) -> None:
    paypal.token = lambda _: reply({"error": "invalid_client", "error_description": "failed"}, 401)
    proof = opened().prove(0, NOW)
    assert (proof.ok, proof.error, proof.code, proof.mode) == (False, "auth", "invalid_client", None)
    assert paypal.paths() == ["POST /v1/oauth2/token"]


def test_each_proof_asks_anew_and_its_token_is_used_from_then_on(paypal, opened) -> None:
    paypal.answer = lambda _: reply({"webhooks": []})
    provider = opened()
    provider.poll("endpoints", None, NOW)
    provider.prove(0, NOW)
    provider.poll("endpoints", None, NOW)
    assert paypal.tokens == 2
    assert paypal.asked[-1].headers["authorization"] == "Bearer A21AAfake2"


def test_the_applications_credential_is_probed_by_its_token_alone(paypal, opened) -> None:
    proof = opened().prove(APPLICATION, NOW)
    assert (proof.slot, proof.ok, proof.hint, proof.missing) == (APPLICATION, True, "…1111", ())
    assert paypal.paths() == ["POST /v1/oauth2/token"]


def test_a_fallback_is_called_with_its_own_token(paypal, opened) -> None:
    paypal.answer = lambda _: reply({"webhooks": []})
    provider = opened()
    provider.poll("endpoints", None, NOW)
    provider.use_slot(1)
    provider.poll("endpoints", None, NOW)
    assert [each.headers["authorization"] for each in paypal.asked][1::2] == [
        "Bearer A21AAfake1",
        "Bearer A21AAfake2",
    ]


def test_an_outage_proves_nothing(paypal, opened) -> None:
    paypal.token = lambda _: error(503, "SERVICE_UNAVAILABLE")
    with pytest.raises(ProviderError) as caught:
        opened().prove(0, NOW)
    assert caught.value.bucket == "outage"


def test_the_application_s_credential_is_never_called_with(opened) -> None:
    with pytest.raises(UsageError, match="no stored credential of ours"):
        opened().use_slot(APPLICATION)


def test_what_a_credential_of_the_other_mode_reads_is_an_error_and_no_empty_feed(paypal, opened) -> None:
    paypal.token = lambda n: token(n, app_id="APP-80W284485P519543T")
    paypal.answer = lambda _: reply({"webhooks": []})
    with pytest.raises(ProviderError, match="reads test data, but account") as caught:
        opened().poll("endpoints", None, NOW)
    assert caught.value.bucket == "invalid_request"
    assert len([path for path in paypal.paths() if "oauth2" in path]) == 1, "it costs no request of its own"
