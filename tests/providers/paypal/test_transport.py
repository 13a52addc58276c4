"""The hardened client over real HTTP: tokens, re-authentication, and what may never leak."""

from __future__ import annotations

import base64
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError, UsageError
from payops.providers.paypal import hosts

from .conftest import CLIENT, NOW, SECRET, error, reply, token

WEBHOOKS = reply({"webhooks": []})


def test_one_token_serves_many_calls_on_one_connection_each_way(paypal, opened) -> None:
    paypal.answer = lambda _: WEBHOOKS
    provider = opened()
    for _ in range(3):
        provider.poll("endpoints", None, NOW)
    assert paypal.paths() == ["POST /v1/oauth2/token"] + ["GET /v1/notifications/webhooks"] * 3
    asked = paypal.asked[0]
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    assert asked.headers["authorization"] == f"Basic {basic}"
    assert asked.body == b"grant_type=client_credentials"
    assert paypal.asked[1].headers["authorization"] == "Bearer A21AAfake1"


def test_eight_threads_fetch_one_token(paypal, opened) -> None:
    paypal.answer = lambda _: WEBHOOKS
    provider = opened()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: provider.poll("endpoints", None, NOW), range(16)))
    assert paypal.tokens == 1


def test_a_token_is_renewed_at_nine_tenths_of_its_time_and_when_the_clock_goes_back(paypal, opened) -> None:
    paypal.answer = lambda _: WEBHOOKS
    provider = opened()
    for at, tokens in (
        (NOW, 1),
        (NOW + timedelta(seconds=29_159), 1),
        (NOW + timedelta(seconds=29_160), 2),
        (NOW, 3),
    ):
        provider.poll("endpoints", None, at)
        assert paypal.tokens == tokens


def test_an_expired_token_is_replaced_once(paypal, opened) -> None:
    def answer(request):
        if request.headers["authorization"] == "Bearer A21AAfake1" and len(paypal.asked) > 2:
            return reply({"error": "invalid_token", "error_description": "expired"}, 401)
        return WEBHOOKS

    paypal.answer = answer
    provider = opened()
    provider.poll("endpoints", None, NOW)
    assert provider.poll("endpoints", None, NOW).endpoints == ()
    assert paypal.tokens == 2


@pytest.mark.parametrize("held", [True, False])
def test_a_lasting_401_ends_after_three_requests(paypal, opened, held) -> None:
    provider = opened()
    if held:
        paypal.answer = lambda _: WEBHOOKS
        provider.poll("endpoints", None, NOW)
        paypal.asked.clear()
    paypal.answer = lambda _: reply({"error": "invalid_token"}, 401)
    with pytest.raises(ProviderError) as caught:
        provider.poll("endpoints", None, NOW)
    assert (caught.value.bucket, caught.value.code) == ("auth", "invalid_token")
    assert len(paypal.asked) <= 3


def test_a_client_that_is_refused_a_token_asks_once(paypal, opened) -> None:
    paypal.token = lambda _: reply(
        {"error": "invalid_client", "error_description": "Client Authentication failed"}, 401
    )
    with pytest.raises(ProviderError) as caught:
        opened().poll("events", None, NOW)
    assert (caught.value.bucket, caught.value.code) == ("auth", "invalid_client")
    assert "…4f2a" in str(caught.value)
    assert len(paypal.asked) == 1


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b'{"access_token": 7}', b'{"access_token": "a\\r\\nb"}', b"[]"]
)
def test_a_token_answer_without_a_token_is_an_outage(paypal, opened, answer) -> None:
    paypal.token = lambda _: reply(answer)
    with pytest.raises(ProviderError) as caught:
        opened().poll("events", None, NOW)
    assert caught.value.bucket == "outage"
    assert len(paypal.asked) == 1


def test_headers_of_a_write_stay_out_of_the_token_request_and_reads_have_no_body(paypal, opened) -> None:
    paypal.answer = lambda _: reply({}, 202)
    provider = opened()
    provider.resend_event("WH-1", "8AB12345CD678901E", "key-1", NOW)
    asked_token, resend = paypal.asked
    assert "paypal-request-id" not in asked_token.headers
    assert asked_token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert resend.headers["paypal-request-id"] == "key-1"
    paypal.answer = lambda _: WEBHOOKS
    provider.poll("endpoints", None, NOW)
    assert paypal.asked[-1].body == b""
    assert "content-type" not in paypal.asked[-1].headers


def test_a_redirect_is_not_followed(paypal, opened) -> None:
    paypal.answer = lambda _: reply(b"", 302, Location=f"{paypal.url}/elsewhere")
    with pytest.raises(ProviderError) as caught:
        opened().poll("endpoints", None, NOW)
    assert caught.value.bucket == "outage"
    assert "GET /elsewhere" not in paypal.paths()


@pytest.mark.parametrize(
    ("answer", "bucket", "code"),
    [
        (error(400, "INVALID_REQUEST", "INVALID_PARAMETER"), "invalid_request", "INVALID_PARAMETER"),
        (error(403, "NOT_AUTHORIZED", "PERMISSION_DENIED"), "permission", "PERMISSION_DENIED"),
        (error(404, "RESOURCE_NOT_FOUND"), "invalid_request", "RESOURCE_NOT_FOUND"),
        (
            error(409, "RESOURCE_CONFLICT", "PREVIOUS_REQUEST_IN_PROGRESS"),
            "conflict",
            "PREVIOUS_REQUEST_IN_PROGRESS",
        ),
        (
            error(422, "UNPROCESSABLE_ENTITY", "CAPTURE_FULLY_REFUNDED"),
            "invalid_request",
            "CAPTURE_FULLY_REFUNDED",
        ),
        (error(422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED"), "card", "INSTRUMENT_DECLINED"),
        (error(429, "RATE_LIMIT_REACHED", Retry_After="7"), "rate_limit", "RATE_LIMIT_REACHED"),
        (error(500, "INTERNAL_SERVER_ERROR"), "outage", "INTERNAL_SERVER_ERROR"),
        (error(200, "INTERNAL_SERVICE_ERROR"), "outage", "INTERNAL_SERVICE_ERROR"),
        (reply(b"<html><body>Bad Gateway</body></html>", 502), "outage", None),
        (reply(b"<html>sign in to the hotel</html>", 401), "outage", None),
        (reply(b"<!DOCTYPE html>", 200), "outage", None),
        (reply(b'{"webhooks": [{"id": "W', 200), "outage", None),
        (reply({"unexpected": True}), "outage", None),
        (reply({"webhooks": "none", "links": 7}), "outage", None),
        (reply({"webhooks": [1], "links": 7, "count": "x"}), "outage", None),
        (reply([]), "outage", None),
        (reply(b"x" * 500_000, 500), "outage", None),
        (error(503, "SERVICE_UNAVAILABLE", message="y" * 500_000), "outage", "SERVICE_UNAVAILABLE"),
    ],
)
def test_each_answer_has_its_bucket_and_a_sentence(paypal, opened, answer, bucket, code) -> None:
    paypal.answer = lambda _: answer
    with pytest.raises(ProviderError) as caught:
        opened().poll("endpoints", None, NOW)
    found = caught.value
    assert (found.bucket, found.code) == (bucket, code)
    assert found.request_id == "dbg1"
    assert found.retry_after_s == (7.0 if bucket == "rate_limit" else None)
    assert 10 < len(str(found)) < 600


def test_a_missing_scope_is_named_and_the_other_feeds_go_on(paypal, opened) -> None:
    def answer(request):
        if "reporting" in request.path:
            return error(403, "NOT_AUTHORIZED", "PERMISSION_DENIED", "You do not have permission")
        return WEBHOOKS

    paypal.answer = answer
    provider = opened()
    with pytest.raises(ProviderError) as caught:
        provider.poll("reporting", None, NOW)
    assert caught.value.bucket == "permission"
    assert str(caught.value).startswith("not permitted: reporting scope")
    assert "services/reporting/search/read" in str(caught.value)
    assert provider.poll("endpoints", None, NOW).endpoints == ()


def test_no_secret_reaches_an_error_or_a_log(paypal, opened, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    spoken = f"client {CLIENT} with secret {SECRET} and token A21AAfake1 is wrong"
    paypal.answer = lambda _: error(400, "INVALID_REQUEST", message=spoken)
    provider = opened()
    with pytest.raises(ProviderError) as caught:
        provider.poll("endpoints", None, NOW)
    seen = f"{caught.value} {caught.value!r} {caplog.text} {vars(caught.value)}"
    for secret in (CLIENT, SECRET, "A21AAfake1"):
        assert secret not in seen


def test_nothing_listening_is_network(paypal, opened) -> None:
    provider = opened(api_base="http://127.0.0.1:9")
    with pytest.raises(ProviderError) as caught:
        provider.poll("endpoints", None, NOW)
    assert caught.value.bucket == "network"


def test_without_an_api_base_the_hosts_are_paypals_and_end_without_a_slash() -> None:
    assert hosts.API_BASE == {
        "live": "https://api-m.paypal.com",
        "test": "https://api-m.sandbox.paypal.com",
    }


@pytest.mark.parametrize("bad", ["", "short", "with space in it", "has:colon:in:it"])
def test_what_cannot_be_a_client_id_is_refused_without_being_shown(opened, bad) -> None:
    with pytest.raises(UsageError) as caught:
        opened(secrets={"env:ID": bad})
    assert "env:ID" in str(caught.value)
    assert not bad or bad not in str(caught.value)


def test_the_calls_are_counted_by_resource_with_their_buckets(paypal, opened) -> None:
    paypal.answer = lambda _: error(429, "RATE_LIMIT_REACHED")
    provider = opened()
    with pytest.raises(ProviderError):
        provider.poll("events", None, NOW)
    assert [(call.resource, call.http_status, call.bucket) for call in provider.calls()] == [
        ("token", 200, None),
        ("webhooks-events", 429, "rate_limit"),
    ]
    assert provider.calls() == ()
    assert token(2)[0] == 200
