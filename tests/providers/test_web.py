"""The way out to every provider: bounded in time and size, never redirected, every call in the tally."""

from __future__ import annotations

import base64
import contextlib
import gzip
import socket
import ssl
import threading
import time
import traceback
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from payops.providers import web
from payops.providers.port import Patience
from payops.providers.web import NoAnswer, Pace, Web

from .conftest import NOW, error, reply
from .test_errors import cut, reset, trickle

DATE = "Thu, 15 Jan 2026 09:00:00 GMT"


@pytest.fixture
def open_web():
    opened = []

    def opener(*, judge=web.by_status, **patience):
        opened.append(Web(Patience(**patience), use_environment=False, judge=judge))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()


def get(way: Web, url: str, **more):
    return way.send("things", "GET", url, headers={"X-A": "b"}, **more)


def test_an_answer_comes_whole_and_is_counted(stripe, open_web):
    stripe.answer = lambda _: reply(b"abc", 200, Date=DATE)
    way = open_web()
    answer = get(way, f"{stripe.url}/a")
    assert (answer.status, answer.body, answer.headers["request-id"]) == (200, b"abc", "req_1")
    assert stripe.asked[0].headers["x-a"] == "b"
    (call,) = way.drain()
    assert (call.resource, call.bucket, call.http_status) == ("things", None, 200)
    assert way.drain() == (), "a call is told once"


def test_a_header_that_cannot_be_sent_is_never_quoted(stripe, open_web):
    secret = "".join(("s3", "cret"))
    with pytest.raises(NoAnswer) as caught:
        open_web().send("things", "GET", stripe.url, headers={"Authorization": f"Bearer {secret}\nX: y"})
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert stripe.asked == []


@pytest.mark.parametrize(
    ("status", "bucket"),
    [
        (200, None),
        (302, None),
        (400, "invalid_request"),
        (401, "auth"),
        (402, None),
        (403, "permission"),
        (404, "invalid_request"),
        (408, "outage"),
        (409, "conflict"),
        (422, None),
        (429, "rate_limit"),
        (500, "outage"),
        (503, "outage"),
    ],
)
def test_the_tally_has_a_bucket_for_every_status(stripe, open_web, status, bucket):
    stripe.answer = lambda _: reply(b"{}", status)
    way = open_web()
    assert get(way, stripe.url).status == status
    assert [call.bucket for call in way.drain()] == [bucket]


def test_who_knows_the_body_judges_better_than_the_status(stripe, open_web):
    stripe.answer = lambda _: reply(b"slow down", 400)
    way = open_web(judge=lambda status, headers, body: "rate_limit" if b"slow" in body else None)
    get(way, stripe.url)
    assert way.drain()[0].bucket == "rate_limit"


def test_a_redirect_is_not_followed(stripe, open_web):
    stripe.answer = lambda _: reply({}, 302, Location=f"{stripe.url}/elsewhere")
    assert get(open_web(), f"{stripe.url}/a").status == 302
    assert stripe.paths() == ["GET /a"]


@pytest.mark.parametrize("fault", [trickle, cut, reset])
def test_half_an_answer_is_none(stripe, open_web, fault):
    stripe.answer = lambda _: fault
    way = open_web(connect_s=0.3, read_s=0.3)
    with pytest.raises(NoAnswer):
        get(way, stripe.url)
    (call,) = way.drain()
    assert (call.bucket, call.http_status, call.provider_at) == ("network", None, None)


def test_a_trickle_ends_with_the_whole_answer_s_time_not_with_each_byte_s(stripe, open_web):
    stripe.answer = lambda _: for_ever
    started = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no complete answer within 0\.5 s"):
        get(open_web(connect_s=0.5, read_s=0.5), stripe.url)
    assert time.monotonic() - started < 30


def for_ever(handler) -> None:
    """A byte every tenth of a second, until the other side has gone."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(600):
            handler.wfile.write(b" ")
            time.sleep(0.1)


def test_a_large_error_is_read_and_a_huge_answer_is_not(stripe, open_web, monkeypatch):
    stripe.answer = lambda _: error(500, "x" * 500_000)
    way = open_web()
    assert len(get(way, stripe.url).body) > 500_000
    monkeypatch.setattr(web, "MAX_BODY", 1 << 20)
    stripe.answer = lambda _: reply(b"x" * (3 << 20))
    with pytest.raises(NoAnswer, match="larger than 1 MiB"):
        get(way, stripe.url)


def test_what_unpacks_to_more_than_the_bound_is_not_unpacked(stripe, open_web, monkeypatch):
    monkeypatch.setattr(web, "MAX_BODY", 1 << 20)
    packed = gzip.compress(b"\0" * (200 << 20), 1)
    assert len(packed) < 1 << 20
    stripe.answer = lambda _: reply(packed, 200, Content_Encoding="gzip")
    with pytest.raises(NoAnswer, match="larger than"):
        get(open_web(), stripe.url)


@pytest.mark.parametrize("said", ["", "yesterday", "Thu, 99 Jan 2026 09:00:00 GMT", "\x01"])
def test_a_date_that_is_none_is_unknown(said):
    assert web.date({"Date": said}) is None


def test_stated_time_is_neither_waited_for_nor_measured(stripe, open_web):
    way = open_web(stated=True)
    stripe.answer = lambda _: reply(b"{}", 200, X_Simulated_Latency_Ms="4000", Date=DATE)
    assert get(way, stripe.url).taken_ms == 4000
    stripe.answer = lambda _: reply(b"{}", 200, X_Simulated_Latency_Ms="10001")
    with pytest.raises(NoAnswer, match="within 10 s"):
        get(way, stripe.url)
    stripe.answer = lambda _: reset
    with pytest.raises(NoAnswer):
        get(way, stripe.url)
    stripe.answer = lambda _: reply(b"{}", 200, X_Simulated_Latency_Ms="soon")
    get(way, stripe.url)
    calls = way.drain()
    assert [call.taken_ms for call in calls] == [4000, 10_000, 0, 0]
    assert [call.bucket for call in calls] == [None, "network", "network", None]
    assert calls[0].provider_at == NOW


def test_a_stated_latency_counts_in_stepped_time_only(stripe, open_web):
    stripe.answer = lambda _: reply(b"{}", 200, X_Simulated_Latency_Ms="4000000")
    assert get(open_web(), stripe.url).taken_ms < 4_000_000


def test_the_provider_s_clock_is_brought_forward_to_when_it_is_asked_about(stripe, open_web, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(web, "monotonic_s", lambda: clock[0])
    scripted = {"Date": DATE}
    stripe.answer = lambda _: (
        lambda handler: handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: " + scripted["Date"].encode() + b"\r\n\r\n"
        )
    )
    live, stepped = open_web(), open_web(stated=True)
    get(live, stripe.url)
    get(stepped, stripe.url)
    clock[0] += 90
    assert (live.drain()[0].provider_at - NOW).total_seconds() == 90
    assert stepped.drain()[0].provider_at == NOW


def test_the_tally_is_bounded(stripe, open_web, monkeypatch):
    way = open_web()
    for _ in range(3):
        get(way, stripe.url)
    assert way._calls.maxlen == 10_000 and len(way.drain()) == 3


def test_pace_lets_a_burst_of_a_second_go_and_stops_waiting_when_told():
    pace = Pace(1000.0)
    assert all(pace.wait("a") for _ in range(1000))
    slow = Pace(1.0)
    assert slow.wait("a") and slow.wait("b"), "each kind of resource has its own bucket"
    slow.stop()
    assert slow.wait("a") is False


def test_no_pace_waits_for_nothing():
    pace = Pace(None)
    assert all(pace.wait("a") for _ in range(10_000))
    pace.stop()
    assert pace.wait("a") is False


# -- TLS and proxies


@pytest.fixture
def own_certificate(tmp_path):
    """A certificate nobody but its holder trusts, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both, public = tmp_path / "both.pem", tmp_path / "public.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(private + public.read_bytes())
    return both, public


@pytest.fixture
def over_tls(own_certificate):
    """A server that answers 200 to whoever trusts its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate[0])
    with listening() as (server, url):

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = server.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as each:
                        each.recv(4096)
                        each.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        threading.Thread(target=serve, daemon=True).start()
        yield url.replace("http:", "https:")


@contextlib.contextmanager
def listening():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server, f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def test_a_certificate_that_is_not_trusted_ends_the_call(over_tls, open_web):
    way = open_web()
    with pytest.raises(NoAnswer, match="TLS certificate was not accepted"):
        get(way, over_tls)
    assert way.drain()[0].bucket == "network"


def test_a_certificate_is_trusted_by_the_file_that_is_named(over_tls, own_certificate, open_web):
    assert get(open_web(), over_tls, verify=str(own_certificate[1])).body == b"ok"


@pytest.mark.parametrize(("use", "asked"), [(True, True), (False, False)])
def test_the_proxy_of_the_environment_counts_where_it_may(monkeypatch, use, asked):
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with listening() as (server, url), socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", url.replace("http://", "http://ana:s%40crt@"))
        heard: list[bytes] = []

        def refuse() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    heard.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        way = Web(Patience(connect_s=5.0, read_s=5.0), use_environment=use)
        with pytest.raises(NoAnswer) as caught:
            get(way, f"https://{nobody}/x")
    thread.join(10)
    if asked:
        (request,) = heard
        assert request.startswith(f"CONNECT {nobody} ".encode())
        assert base64.b64encode(b"ana:s@crt") in request
        assert "proxy" in str(caught.value)
    else:
        assert heard == [] and "refused" in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "127.0.0.1", "http://"])
def test_only_an_address_of_the_web_is_asked(open_web, url):
    with pytest.raises(NoAnswer, match="not the address"):
        get(open_web(), url)


@pytest.mark.parametrize(
    ("data", "body"), [(None, {}), (b"a=1", {"a": "1"}), ("a=\xe9", {"a": "\xe9"}), ({"a": "b c"}, {"a": "b c"})]
)  # fmt: skip
def test_what_is_sent_arrives(stripe, open_web, data, body):
    open_web().send("x", "post", f"{stripe.url}/x?q=%5B1%5D", headers={}, data=data)
    (request,) = stripe.asked
    assert (request.method, request.params) == ("POST", {"q": "[1]", **body})


def test_a_connection_is_used_again_and_an_unread_answer_is_not(stripe, open_web):
    ports: list[int] = []
    whole = reply(b"x" * 1000)

    def answer(request):
        return whole

    stripe.answer = answer
    way = open_web()
    for _ in range(3):
        get(way, stripe.url)
        (pool,) = way._pools.values()
        ports.append(pool.num_connections)
    assert ports == [1, 1, 1]
    stripe.answer = lambda _: cut
    with pytest.raises(NoAnswer):
        get(way, stripe.url)
    stripe.answer = answer
    assert get(way, stripe.url).body == b"x" * 1000
