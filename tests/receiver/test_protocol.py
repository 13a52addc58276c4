"""The short way of a webhook: over the wire it is told from the usual one by nothing."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading

import pytest

from payops.receiver import app, protocol

from .conftest import ACCOUNT, NOW, Sender, body, sign


def request(
    content: bytes, *, path: str = f"/webhooks/{ACCOUNT}", more: str = "", version: str = "1.1"
) -> bytes:
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Stripe-Signature: {sign(content)}\r\n{more}\r\n".encode() + content


def exchange(port: int, *sent: bytes) -> bytes:
    """What comes back until the other side hangs up, or has nothing more to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as raw:
        for part in sent:
            raw.sendall(part)
        said = b""
        with contextlib.suppress(TimeoutError):
            while more := raw.recv(65536):
                said += more
        return said


@pytest.fixture
def short(monkeypatch):
    """Requests that took the short way."""
    taken = []
    begun = protocol.WebhookProtocol._begun

    def watched(self):
        webhook = begun(self)
        taken.append(webhook is not None)
        return webhook

    monkeypatch.setattr(protocol.WebhookProtocol, "_begun", watched)
    return taken


@pytest.mark.parametrize(
    ("more", "path", "version", "is_short"),
    [
        ("", f"/webhooks/{ACCOUNT}", "1.1", True),
        ("Connection: close\r\n", f"/webhooks/{ACCOUNT}", "1.1", True),
        ("Expect: 100-continue\r\n", f"/webhooks/{ACCOUNT}", "1.1", False),
        ("", f"/webhooks/{ACCOUNT}?a=b", "1.1", False),
        ("", f"/webhooks/{ACCOUNT.replace('-', '%2D')}", "1.1", False),
        ("", f"/webhooks/{ACCOUNT}", "1.0", False),
    ],
)
def test_both_ways_end_alike(running, store, short, more, path, version, is_short):
    said = exchange(running.port, request(body(1), more=more, path=path, version=version))
    assert b"HTTP/1.1 200 OK\r\n" in said and said.endswith(b'{"received":true}')
    assert b"content-type: application/json\r\n" in said and b"date: " in said
    assert short == [is_short]
    assert store.inbox.counts(ACCOUNT, NOW).received == 1


def test_many_webhooks_share_a_connection(running, store, short):
    sender = Sender(running.port)
    assert [sender.post(body(n)) for n in range(5)] == [200] * 5
    assert sender.post(body(9), "t=1,v1=0") == 400
    assert sender.request("GET", "/healthz")[0] == 200
    assert sender.post(body(6)) == 200
    assert store.inbox.counts(ACCOUNT, NOW).received == 6 and short.count(True) == 7


def test_a_sender_that_does_not_wait_gets_one_answer_and_the_connection_ends(running, store):
    said = exchange(running.port, request(body(1)) + request(body(2)) + request(body(3)))
    assert said.count(b"HTTP/1.1 ") == 1 and b"connection: close" in said
    assert store.inbox.counts(ACCOUNT, NOW).received == 1


def test_a_webhook_behind_an_unanswered_probe_waits_for_its_turn(running, store):
    probe = f"GET /webhooks/{ACCOUNT} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    said = exchange(running.port, probe + request(body(1)))
    assert said.count(b"HTTP/1.1 200") == 2 and said.endswith(b'{"received":true}')


def test_what_is_no_http_is_refused(running, store):
    said = exchange(running.port, request(body(1))[:-1] + b"}\x00\x01 nonsense\r\n\r\n")
    assert b"HTTP/1.1 400" in said or b"HTTP/1.1 200" in said
    said = exchange(running.port, b"\x16\x03\x01 hello\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400")


def test_a_length_that_is_none_is_not_believed(running, store):
    for length in ("-1", "1e3", "0x10", "99999999999999999999", "5, 5"):
        head = f"POST /webhooks/{ACCOUNT} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\nab"
        said = exchange(running.port, head.encode())
        assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), length
    assert store.inbox.counts(ACCOUNT, NOW).received == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_store_that_hangs_makes_nobody_wait_for_ever(running, store, monkeypatch, chunked):
    release, real = threading.Event(), store.inbox.receive
    monkeypatch.setattr(store.inbox, "receive", lambda what: (release.wait(10), real(what))[1])
    for room in (protocol, app):
        monkeypatch.setattr(room, "WRITE_TIMEOUT_S", 0.05)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    content = body(1)
    headers = {"Stripe-Signature": sign(content), **({"Transfer-Encoding": "chunked"} if chunked else {})}
    connection.request(
        "POST",
        f"/webhooks/{ACCOUNT}",
        iter([content]) if chunked else content,
        headers,
        encode_chunked=chunked,
    )
    assert connection.getresponse().status == 503
    release.set()


def test_an_error_of_ours_asks_the_sender_to_come_back(running, store, verifiers, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(verifiers[ACCOUNT], "verify", lambda *_: 1 / 0)
        assert Sender(running.port).post(body(1)) == 503
    assert Sender(running.port).post(body(1)) == 200


def test_a_sender_that_leaves_while_it_is_stored_disturbs_nobody(running, store, monkeypatch):
    started, release, real = threading.Event(), threading.Event(), store.inbox.receive

    def slow(what):
        started.set()
        release.wait(10)
        return real(what)

    monkeypatch.setattr(store.inbox, "receive", slow)
    with socket.create_connection(("127.0.0.1", running.port)) as raw:
        raw.sendall(request(body(1)))
        assert started.wait(5)
    release.set()
    assert Sender(running.port).post(body(2)) == 200
    assert store.inbox.counts(ACCOUNT, NOW).received == 2
