"""Status pages are hints: what they say in their own words, and `unknown` for everything else."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.payments import PROVIDERS
from payops.providers.statuspages import Hint, StatusPage, parse, read_page

SAID = [
    (
        "stripe",
        {"largestatus": "up", "message": "All services are online."},
        "up",
        "All services are online.",
    ),
    (
        "stripe",
        {"largestatus": "degraded", "message": "Webhooks are late."},
        "degraded",
        "Webhooks are late.",
    ),
    ("stripe", {"largestatus": "down"}, "down", "down"),
    ("stripe", {"largestatus": "sideways", "message": "?"}, "unknown", "?"),
    (
        "braintree",
        {"status": {"indicator": "none", "description": "All Systems Operational"}},
        "up",
        "All Systems Operational",
    ),
    ("braintree", {"status": {"indicator": "critical", "description": "Outage"}}, "down", "Outage"),
    (
        "paypal",
        {"result": []},
        "up",
        "all components operational",
    ),
    (
        "paypal",
        {
            "result": [
                {"name": "Checkout", "status": {"production": "Operational", "sandbox": "Service Outage"}},
                {
                    "name": "Webhooks",
                    "status": {"production": "Service Disruption", "sandbox": "Operational"},
                },
            ]
        },
        "degraded",
        "Webhooks: Service Disruption",
    ),
]


@pytest.mark.parametrize(("provider", "body", "state", "said"), SAID)
def test_each_shape_is_read(provider, body, state, said) -> None:
    assert parse(provider, json.dumps(body).encode()) == Hint(provider, state, said)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PROVIDERS),
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["status", "result", "largestatus", "indicator", "name", "message"]),
                    inner,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_anything_else_is_a_hint_too_and_never_an_error(provider, body) -> None:
    assert parse(provider, body).state in ("up", "degraded", "down", "unknown")


def test_terminal_codes_of_a_page_do_not_reach_the_screen() -> None:
    body = json.dumps({"largestatus": "up", "message": "\x1b[31mfine\x07"}).encode()
    assert parse("stripe", body).said == "fine"


def test_a_page_is_read_over_the_wire_and_a_missing_one_is_unknown() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"largestatus": "up", "message": "ok"}).encode()
            self.send_response(200 if self.path == "/current" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        assert read_page(StatusPage("stripe", f"{base}/current")).state == "up"
        assert read_page(StatusPage("stripe", f"{base}/other")).said == "the status page answers HTTP 404"
    finally:
        server.shutdown()
        server.server_close()
    gone = read_page(StatusPage("stripe", f"{base}/current"))
    assert gone.state == "unknown"
    assert "does not answer" in gone.said
