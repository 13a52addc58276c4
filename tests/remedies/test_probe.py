"""What counts as an answer from a URL."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from payops.remedies import http_probe
from payops.remedies import probe as probe_module


@pytest.fixture
def server():
    """Answers every GET with the status in its last path segment."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(int(self.path.rsplit("/", 1)[1]))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    httpd.seen = seen
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (301, True), (404, True), (405, True), (500, False), (503, False)]
)
def test_any_status_below_500_is_an_answer(server, status, ok):
    answer = http_probe().answers(f"http://127.0.0.1:{server.server_port}/{status}")
    assert answer == (ok, f"HTTP {status}")


def test_redirects_are_not_followed(server):
    http_probe().answers(f"http://127.0.0.1:{server.server_port}/302")
    assert server.seen == ["/302"]


def test_public_url_is_reached_where_the_route_says(server):
    probe = http_probe({"https://stripe.sim": f"http://127.0.0.1:{server.server_port}/_edge"})
    assert probe.answers("https://stripe.sim/webhooks/200") == (True, "HTTP 200")
    assert server.seen == ["/_edge/webhooks/200"]


def test_route_of_one_host_is_not_that_of_a_longer_name():
    probe = http_probe({"http://stripe.sim": "http://127.0.0.1:1"})
    assert probe.answers("http://stripe.sim.example/200") == (False, "it is not served over TLS")


def test_nothing_listening_is_no_answer_with_its_reason():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert http_probe().answers(f"http://127.0.0.1:{port}/") == (False, "connection refused")


def test_silence_is_no_answer_after_the_timeout(monkeypatch):
    monkeypatch.setattr(probe_module, "TIMEOUT_S", 0.05)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        ok, seen = http_probe().answers(f"http://127.0.0.1:{mute.getsockname()[1]}/")
    assert not ok
    assert seen.startswith("no answer within")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example/hooks", "it is not served over TLS"),
        ("ftp://127.0.0.1/hooks", "it is not an http(s) URL"),
        ("https:///hooks", "it is not an http(s) URL"),
        ("http://127.0.0.1:9/h\u00f6ks", "it cannot be asked"),
        ("https://[::1/hooks", "it cannot be asked"),
        ("https://127.0.0.1:99999/hooks", "it cannot be asked"),
        (f"https://{'a' * 70}.example/hooks", "it cannot be asked"),
    ],
)
def test_url_that_no_provider_would_call_is_no_answer(url, why):
    ok, seen = http_probe().answers(url)
    assert not ok and seen.startswith(why)
