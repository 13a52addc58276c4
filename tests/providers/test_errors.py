"""Every way a call can go wrong has its bucket, a sentence, and never shows the key."""

from __future__ import annotations

import socket
import struct
import threading
import time

import pytest

from payops.domain.errors import ProviderError, UsageError

from .conftest import KEY, NOW, T0, charge_event, error, listing, reply

HTML = b"<!DOCTYPE html><html><body>Bad Gateway</body></html>"
CASES = [
    (error(401, f"Invalid API Key provided: {KEY}"), "auth", "api_key_invalid"),
    (error(401, "Expired API Key provided: rk_x"), "auth", "api_key_expired"),
    (error(401, "This API key has been revoked."), "auth", "api_key_revoked"),
    (error(401, "This call needs a secret key, not a publishable key."), "auth", "secret_key_required"),
    (error(401, "something new"), "auth", None),
    (error(401, "Expired API Key provided", "api_key_expired"), "auth", "api_key_expired"),
    (error(403, "Having the 'rak_event_read' permission would allow"), "permission", None),
    (error(429, "slow down", "rate_limit"), "rate_limit", "rate_limit"),
    (error(400, "slow down", "rate_limit", "invalid_request_error"), "rate_limit", "rate_limit"),
    (error(429, "locked", "lock_timeout"), "conflict", "lock_timeout"),
    (
        error(429, "locked", "lock_timeout", Stripe_Rate_Limited_Reason="resource-specific"),
        "rate_limit",
        "lock_timeout",
    ),
    (
        error(400, "unknown parameter", "parameter_unknown", "invalid_request_error"),
        "invalid_request",
        "parameter_unknown",
    ),
    (error(400, "Keys for idempotent requests", None, "idempotency_error"), "invalid_request", None),
    (
        error(404, "No such thing", "resource_missing", "invalid_request_error"),
        "invalid_request",
        "resource_missing",
    ),
    (error(409, "in use", "idempotency_key_in_use"), "conflict", "idempotency_key_in_use"),
    (error(402, "declined", "card_declined", "card_error"), "card", "card_declined"),
    (error(500, "boom"), "outage", None),
    (error(503, "boom"), "outage", None),
    (reply(HTML, 502), "outage", None),
    (reply(b"<html>Pas trouv\xe9 \xff</html>", 502), "outage", None),
    (reply(b"\xff\xfe\x00", 200), "outage", None),
    (reply(HTML, 401), "outage", None),
    (reply(HTML, 403), "outage", None),
    (reply(HTML, 429), "rate_limit", None),
    (reply(HTML, 200), "outage", None),
    (reply(b"", 200), "outage", None),
    (reply(b"", 500), "outage", None),
    (reply(b'{"object": "list", "data": [{"id": "ev', 200), "outage", None),
    (reply(b'{"error": {"message": "Inv', 401), "outage", None),
    (reply({"error": {"type": "api_error", "message": "no"}}, 200), "outage", None),
    (reply([], 200), "outage", None),
    (reply({"object": "list"}, 200), "outage", None),
    (reply({"data": 3}, 200), "outage", None),
    (reply(b"[" * 100_000, 200), "outage", None),
    (reply({"error": "access_denied"}, 401), "outage", None),
    (reply({"error": {"code": 5, "message": ["x"], "type": {}}}, 401), "auth", None),
    (reply({}, 302, Location="http://127.0.0.1:1/elsewhere"), "outage", None),
    (error(418, "teapot"), "invalid_request", None),
]


@pytest.mark.parametrize(("answer", "bucket", "code"), CASES, ids=lambda value: str(value)[:40])
def test_answer_has_its_bucket_its_code_and_its_request_id(stripe, open_account, answer, bucket, code):
    stripe.answer = lambda _: answer
    with pytest.raises(ProviderError) as caught:
        open_account().poll("events", None, NOW)
    failure = caught.value
    assert (failure.bucket, failure.code) == (bucket, code)
    assert failure.request_id == "req_1"
    assert failure.http_status == answer[0]
    assert (failure.provider, failure.account) == ("stripe", "stripe-live")
    assert KEY not in str(failure) and "\n" not in str(failure) and len(str(failure)) < 500
    assert len(stripe.asked) == 1, "the SDK must not retry on its own"


def test_rejected_key_is_named_by_its_last_characters(stripe, open_account):
    stripe.answer = lambda _: error(401, f"Invalid API Key provided: {KEY}")
    with pytest.raises(ProviderError, match=r"Stripe rejected key rk_live_…4f2a with `api_key_invalid`"):
        open_account().poll("events", None, NOW)


def test_missing_permission_is_named(stripe, open_account):
    stripe.answer = lambda _: error(403, "Having the 'rak_event_read' permission would allow this")
    with pytest.raises(ProviderError, match="grant it rak_event_read"):
        open_account().poll("events", None, NOW)


def test_stated_waiting_time_is_kept(stripe, open_account):
    stripe.answer = lambda _: error(429, "slow", Retry_After="7", Stripe_Rate_Limited_Reason="endpoint-rate")
    with pytest.raises(ProviderError, match="endpoint-rate") as caught:
        open_account().poll("events", None, NOW)
    assert caught.value.retry_after_s == 7.0


def test_huge_error_body_gives_a_short_message(stripe, open_account):
    stripe.answer = lambda _: error(500, "x" * 500_000)
    with pytest.raises(ProviderError) as caught:
        open_account().poll("events", None, NOW)
    assert len(str(caught.value)) < 500


def test_terminal_codes_in_an_error_are_gone(stripe, open_account):
    stripe.answer = lambda _: error(400, "a\x1b]52;c;xx\x07b\x1b[2Jc\nd", "c\x1b[0m")
    with pytest.raises(ProviderError) as caught:
        open_account().poll("events", None, NOW)
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def hang(_handler) -> None:
    time.sleep(3)


def trickle(handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(30):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def cut(handler) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data": [')


def reset(handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (hang, "no complete answer within 0.5 s"),
        (trickle, "no complete answer within 0.5 s"),
        (cut, "broke off"),
        (reset, "broke off"),
    ],
)
def test_no_answer_is_a_network_error_in_time(stripe, open_account, fault, sentence):
    stripe.answer = lambda _: fault
    started = time.monotonic()
    with pytest.raises(ProviderError, match=sentence) as caught:
        open_account(timeout_s=(0.5, 0.5)).poll("events", None, NOW)
    assert caught.value.bucket == "network"
    assert time.monotonic() - started < 15


def test_nobody_listening_is_a_network_error(open_account):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ProviderError, match="connection refused") as caught:
        open_account(api_base=base).poll("events", None, NOW)
    assert caught.value.bucket == "network"


def test_a_call_after_closing_fails_at_once(stripe, open_account):
    provider = open_account()
    provider.close()
    with pytest.raises(ProviderError, match="closing"):
        provider.poll("events", None, NOW)
    assert stripe.asked == []


def test_the_proxy_of_the_environment_never_sees_loopback(stripe, open_account, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    stripe.answer = listing([charge_event(1, T0)])
    assert open_account().poll("events", None, NOW).read == 1


def test_the_sdk_writes_nothing_below_home(stripe, open_account, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    stripe.answer = listing([charge_event(1, T0)])
    open_account().poll("events", None, NOW)
    assert list(tmp_path.rglob("*")) == []
    assert "telemetry" not in stripe.asked[0].headers["x-stripe-client-user-agent"]
    assert "x-stripe-client-telemetry" not in stripe.asked[0].headers


def test_a_netrc_does_not_replace_the_key(stripe, open_account, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    stripe.answer = listing([charge_event(1, T0)])
    open_account().poll("events", None, NOW)
    assert stripe.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_threads_share_one_adapter(stripe, open_account):
    stripe.answer = listing([charge_event(n, T0 - n) for n in range(5)])
    provider = open_account(timeout_s=(3.0, 10.0))
    reads: list[int] = []
    threads = [
        threading.Thread(target=lambda: reads.append(provider.poll("events", None, NOW).read))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == [5] * 8


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("pk_live_abcdefgh", "publishable"),
        ("whsec_abcdefgh", "webhook signing secret"),
        ("sk_live_abcdefghijkl4f2a", "sk_live_…4f2a.*accept_unrestricted_key"),
        ("", "not a Stripe key"),
        ("rk_live_with space", "not a Stripe key"),
        ("rk_live_schlüssel", "not a Stripe key"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_before_any_call(stripe, open_account, key, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        open_account(secrets={"env:KEY": key})
    assert "env:KEY" in str(caught.value)
    assert len(key) < 9 or key not in str(caught.value)
    assert stripe.asked == []


def test_an_unrestricted_key_may_be_accepted(open_account):
    open_account(secrets={"env:KEY": "sk_live_abcdefghijkl4f2a\n"}, accept_unrestricted_key=True)


def test_unknown_feed_is_named(open_account):
    with pytest.raises(UsageError, match=r"'charges'.*events, endpoints"):
        open_account().poll("charges", None, NOW)
