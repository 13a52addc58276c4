"""What is accepted, what is refused and how it is counted: real SDK signatures over loopback."""

from __future__ import annotations

import http.client
import json
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256

import pytest

from payops.domain.errors import StoreError

from .conftest import ACCOUNT, NOW, SECRET, T0, Sender, body, sign


def refused(store) -> list[tuple[str, str, int]]:
    return store.inbox.refused_since(ACCOUNT, NOW)


def test_signed_event_is_on_disk_when_it_is_answered(sender, store):
    content = body(1)
    assert sender.post(content) == 200
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row.sha256 == sha256(content).hexdigest()
    assert (row.state, row.received_at, row.delivery_count) == ("received", NOW, 1)
    assert json.loads(row.body)["data"]["object"]["id"] == "ch_1"


def test_event_is_stored_redacted_but_its_hash_is_of_what_came(sender, store):
    content = body(1, description="card 4242 4242 4242 4242")
    assert sender.post(content) == 200
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert "4242 4242" not in row.body and row.sha256 == sha256(content).hexdigest()


def test_a_second_delivery_is_answered_and_counted_but_not_kept_twice(sender, store):
    for _ in range(3):
        assert sender.post(body(1)) == 200
    assert store.inbox.row(ACCOUNT, "evt_1").delivery_count == 3
    assert store.inbox.counts(ACCOUNT, NOW).received == 1


def test_hundreds_of_concurrent_duplicates_make_one_row(running, store):
    content = body(1)
    header = sign(content)

    def send(_) -> list[int]:
        mine = Sender(running.port)
        return [mine.post(content, header) for _ in range(20)]

    with ThreadPoolExecutor(16) as threads:
        answers = [status for statuses in threads.map(send, range(16)) for status in statuses]
    assert answers == [200] * 320
    assert store.inbox.counts(ACCOUNT, NOW).received == 1
    assert store.inbox.row(ACCOUNT, "evt_1").delivery_count == 320


def test_requests_that_wait_together_share_a_transaction(running, store, monkeypatch):
    batches: list[int] = []
    real, first, go = store.inbox.receive, threading.Event(), threading.Event()

    def slow(deliveries):
        batches.append(len(deliveries))
        first.set()
        assert go.wait(5)
        return real(deliveries)

    monkeypatch.setattr(store.inbox, "receive", slow)
    with ThreadPoolExecutor(17) as threads:
        sends = [threads.submit(lambda n: Sender(running.port).post(body(n)), 0)]
        assert first.wait(5)
        sends += [threads.submit(lambda n: Sender(running.port).post(body(n)), n) for n in range(1, 17)]
        probe = Sender(running.port)
        for _ in range(500):
            if json.loads(probe.request("GET", "/healthz")[1])["waiting"] == 16:
                break
        go.set()
        assert [send.result(10) for send in sends] == [200] * 17
    assert batches == [1, 16]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (None, "header"),
        ("nonsense", "header"),
        (sign(body(1), "whsec_other"), "signature"),
        (sign(body(2)), "signature"),
        (sign(body(1), at=T0 - 301), "timestamp"),
        (sign(body(1), at=T0 + 301), "timestamp"),
    ],
)
def test_what_is_not_verified_gets_400_and_a_count_and_no_reason(sender, store, header, kind):
    assert sender.post(body(1), header) == 400
    assert [(each[0], each[2]) for each in refused(store)] == [(kind, 1)]
    assert not store.inbox.has(ACCOUNT, "evt_1")
    _, said = sender.request("POST", f"/webhooks/{ACCOUNT}", body(1), {"Stripe-Signature": header or ""})
    assert said == b'{"error":"not accepted"}'


def test_two_signature_headers_are_refused(running, store):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    connection.putrequest("POST", f"/webhooks/{ACCOUNT}")
    content = body(1)
    for value in (sign(content), sign(content)):
        connection.putheader("Stripe-Signature", value)
    connection.putheader("Content-Length", str(len(content)))
    connection.endheaders(content)
    assert connection.getresponse().status == 400
    assert [each[0] for each in refused(store)] == ["header"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"[" * 300_000, b'{"a":' * 100_000, b"", b"null", b"{}"]
)
def test_signed_nonsense_is_refused(sender, store, content):
    import hashlib
    import hmac

    mac = hmac.new(SECRET.encode(), f"{T0}.".encode() + content, hashlib.sha256).hexdigest()
    assert sender.post(content, f"t={T0},v1={mac}") == 400
    assert [each[0] for each in refused(store)] == ["body"]


def test_ten_megabytes_get_413(running, store):
    content = b"x" * (10 << 20)
    assert Sender(running.port).post(content, "t=1,v1=0") == 413
    assert refused(store) == [("body", "larger than 1 MiB", 1)]


def test_a_body_that_claims_a_gigabyte_is_not_read(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as raw:
        raw.sendall(
            f"POST /webhooks/{ACCOUNT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n".encode()
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")


def test_an_endless_chunked_body_gets_413_and_the_connection_ends(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as raw:
        raw.sendall(
            f"POST /webhooks/{ACCOUNT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        sent = 0
        with suppress(ConnectionError):  # it may hang up while we still send
            while sent < 64:
                raw.sendall(chunk)
                sent += 1
                if select.select([raw], [], [], 0)[0]:
                    break
        assert sent < 64
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")


def test_exactly_one_mebibyte_is_accepted(sender):
    content = body(1)
    content = content[:-1] + b', "pad": "' + b"x" * ((1 << 20) - len(content) - 11) + b'"}'
    assert len(content) == 1 << 20
    assert sender.post(content) == 200
    longer = content[:-2] + b'x"}'
    assert sender.post(longer) == 413


def test_chunked_body_is_accepted(sender, store):
    content = body(1)
    status, _ = sender.request(
        "POST",
        f"/webhooks/{ACCOUNT}",
        iter([content[:10], content[10:]]),
        {"Stripe-Signature": sign(content), "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    assert status == 200 and store.inbox.has(ACCOUNT, "evt_1")


def test_a_sender_that_hangs_up_leaves_nothing_behind(running, sender, store):
    content = body(1)
    with socket.create_connection(("127.0.0.1", running.port)) as raw:
        head = f"POST /webhooks/{ACCOUNT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
        raw.sendall(f"{head}Stripe-Signature: {sign(content)}\r\n\r\n".encode() + content[:20])
    assert sender.post(body(2)) == 200
    assert not store.inbox.has(ACCOUNT, "evt_1")


def test_a_verified_delivery_at_an_address_nobody_has_says_where_the_provider_sends_to(sender, store, clock):
    path = f"/webhooks/{ACCOUNT}-old"
    assert sender.post(body(1), path=path) == 404
    assert sender.post(body(2), path="/webhooks/elsewhere", signature=sign(body(2), "whsec_other")) == 404
    assert store.inbox.refused_since(ACCOUNT, NOW) == [("path", f"sent to {path}", 1)]
    assert store.inbox.last_refused_at(ACCOUNT, "path") == NOW
    assert store.inbox.last_refused_at(ACCOUNT, "signature") is None
    assert store.inbox.counts(ACCOUNT, NOW).received == 0


@pytest.mark.parametrize(
    "path", ["/webhooks/nobody", "/webhooks/", "/webhooks", "/", "/webhooks/stripe-live/x", "//x"]
)
def test_unknown_paths_are_404(sender, store, path):
    assert sender.post(body(1), path=path) == 404
    assert sender.request("GET", path)[0] == 404
    assert all(kind == "path" for kind, _, _ in refused(store))
    assert store.inbox.counts(ACCOUNT, NOW).received == 0


def test_a_probe_of_the_url_is_answered(sender):
    assert sender.request("GET", f"/webhooks/{ACCOUNT}")[0] == 200
    assert sender.request("HEAD", f"/webhooks/{ACCOUNT}") == (200, b"")
    assert sender.request("PUT", f"/webhooks/{ACCOUNT}")[0] == 405


def test_health_is_json(sender):
    status, said = sender.request("GET", "/healthz")
    assert status == 200 and json.loads(said) == {"status": "ok", "waiting": 0}


def test_accounts_may_come_and_go_while_it_runs(sender, verifiers):
    verifiers["other"] = verifiers.pop(ACCOUNT)
    assert sender.post(body(1)) == 404
    assert sender.post(body(1), path="/webhooks/other") == 200


def test_what_cannot_be_made_durable_is_never_answered_200(sender, store, monkeypatch):
    def full(_):
        raise StoreError("payops.db: database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store.inbox, "receive", full)
        assert sender.post(body(1)) == 503
    assert not store.inbox.has(ACCOUNT, "evt_1")
    assert sender.post(body(1)) == 200


def test_one_delivery_that_cannot_be_stored_does_not_take_its_neighbours_with_it(running, store, monkeypatch):
    real = store.inbox.receive

    def picky(deliveries):
        if any(each.event.event_id == "evt_7" for each in deliveries):
            raise ValueError("cannot be stored")
        return real(deliveries)

    monkeypatch.setattr(store.inbox, "receive", picky)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda n: Sender(running.port).post(body(n)), range(16)))
    assert answers == [503 if n == 7 else 200 for n in range(16)]
    assert store.inbox.counts(ACCOUNT, NOW).received == 15
