"""A scripted Braintree on loopback: a list of transactions searched in two steps, and whatever else a test answers."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from payops.clock import iso
from payops.config import AccountSettings
from payops.providers import Patience, open_provider

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
SECRETS = {
    "env:MERCHANT": "merchantabc12345",
    "env:PUBLIC": "publickey1234abcd",
    "env:PRIVATE": "privatekeyprivatekeyprivatekey99",
    "env:PUBLIC2": "publickey2222efgh",
    "env:PRIVATE2": "privatekey2privatekey2privatek77",
    "env:APP": "merchantabc12345:apppublic0000ijkl:appprivateappprivateapppriv55",
}
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Request:
    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    @property
    def below(self) -> str:
        """The path below the merchant's."""
        return re.sub(r"^/merchants/[^/]+", "", self.path)


@dataclass
class Scripted:
    """`transactions` is what a search finds, newest first; `routes` answer by `METHOD path` before anything else."""

    transactions: list[dict] = field(default_factory=list)
    routes: dict[str, Callable[[Request], Reply | Callable]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    environment: str = "production"
    cap: int = 20_000
    url: str = ""

    def answer(self, request: Request) -> Reply | Callable:
        route = self.routes.get(f"{request.method} {request.below}") or self.routes.get("*")
        if route is not None:
            return route(request)
        if request.below == "/transactions/advanced_search_ids":
            return self.ids(request)
        if request.below == "/transactions/advanced_search":
            wanted = {item.text for item in request.xml.iterfind("ids/item")}
            return collection([each for each in self.transactions if each["id"] in wanted])
        if request.below == "/merchant_accounts/":
            return xml(
                '<merchant-accounts type="collection"><current-page-number type="integer">1</current-page-number>'
                '<page-size type="integer">50</page-size><total-items type="integer">1</total-items>'
                "<merchant-account><id>shop_usd</id><status>active</status>"
                '<default type="boolean">true</default></merchant-account></merchant-accounts>'
            )
        if request.below == "/client_token":
            token = json.dumps({"environment": self.environment, "merchantId": "merchantabc12345"})
            value = base64.b64encode(token.encode()).decode()
            return xml(f"<client-token><value>{value}</value></client-token>", 201)
        if request.below == "/disputes/advanced_search":
            return xml('<disputes type="collection"><total-items type="integer">0</total-items></disputes>')
        if request.below.endswith("advanced_search_ids"):
            return listing([])
        if request.below.startswith("/transactions/"):
            for each in self.transactions:
                if each["id"] == request.below.split("/")[2]:
                    return xml(transaction(each))
        return 404, {}, b""

    def ids(self, request: Request) -> Reply:
        """As Braintree lists: by the criteria given, to the minute, with a minute added to the upper bound."""
        found = self.transactions
        for criterion in request.xml:
            name = criterion.tag
            if name in ("status", "type"):
                words = {item.text for item in criterion}
                found = [each for each in found if each.get(name) in words]
            elif name == "order_id":
                found = [each for each in found if each.get("order-id") == criterion.findtext("is")]
            else:
                low, high = (_minute(criterion.findtext(bound)) for bound in ("min", "max"))
                column = {"created_at": "created-at"}.get(name, name)
                found = [
                    each
                    for each in found
                    if column in each
                    and (low is None or _minute(each[column]) >= low)
                    and (high is None or _minute(each[column]) < high + timedelta(minutes=1))
                ]
        return listing([each["id"] for each in found[: self.cap]])

    def searches(self) -> list[str]:
        return [each.below for each in self.asked if "advanced_search" in each.path]


def _minute(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(second=0)


def xml(body: str | bytes, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
    return status, {"X-Request-Id": "req-1", **{k.replace("_", "-"): v for k, v in headers.items()}}, content


def listing(ids: list[str]) -> Reply:
    items = "".join(f"<item>{each}</item>" for each in ids)
    return xml(
        '<search-results><page-size type="integer">50</page-size>'
        f'<ids type="array">{items}</ids></search-results>'
    )


def collection(found: list[dict]) -> Reply:
    return xml(
        '<credit-card-transactions type="collection"><current-page-number type="integer">1</current-page-number>'
        '<page-size type="integer">50</page-size>'
        f'<total-items type="integer">{len(found)}</total-items>{"".join(map(transaction, found))}'
        "</credit-card-transactions>"
    )


def invalid(*codes: str, message: str = "no", extra: str = "", status: int = 422) -> Reply:
    rows = "".join(
        f'<error><code>{code}</code><attribute type="symbol">base</attribute><message>m</message></error>'
        for code in codes
    )
    return xml(
        '<api-error-response><errors><errors type="array"/>'
        f'<transaction><errors type="array">{rows}</errors></transaction></errors>'
        f"<params/><message>{escape(message)}</message>{extra}</api-error-response>",
        status,
    )


def transaction(fields: dict) -> str:
    """The XML of one transaction; fields with an underscore are only for searching."""
    parts = []
    for name, value in fields.items():
        if "_" in name:
            continue
        if value is None:
            parts.append(f'<{name} nil="true"/>')
        elif isinstance(value, list):
            items = "".join(each if each.startswith("<") else f"<item>{each}</item>" for each in value)
            parts.append(f'<{name} type="array">{items}</{name}>')
        elif str(value).startswith("<"):
            parts.append(f"<{name}>{value}</{name}>")
        else:
            parts.append(f"<{name}>{escape(str(value))}</{name}>")
    return f"<transaction>{''.join(parts)}</transaction>"


def sale(n: int, at: datetime, **fields: object) -> dict:
    named = {name.rstrip("_") if name.endswith("__") else name: value for name, value in fields.items()}
    status = str(named.get("status", "submitted_for_settlement"))
    return {
        "id": f"t{n:06d}",
        "type": "sale",
        "status": status,
        "currency-iso-code": "USD",
        "amount": "19.99",
        "order-id": f"order-{n}",
        "created-at": iso(at),
        "updated-at": iso(at),
        "processor-response-code": "1000",
        "payment-instrument-type": "credit_card",
        "customer": "<id>cus1</id>",
        "credit-card": "<card-type>American Express</card-type><country-of-issuance>DEU</country-of-issuance>",
        "refund-ids": [],
        "status-history": [
            f"<status-event><timestamp>{iso(at)}</timestamp><status>{status}</status>"
            "<transaction-source>api</transaction-source></status-event>"
        ],
        **{name.replace("__", "-"): value for name, value in named.items()},
    }


def settings(api_base: str, **over: object) -> AccountSettings:
    return AccountSettings.model_validate(
        {
            "name": "braintree-live",
            "provider": "braintree",
            "mode": "live",
            "merchant_id": "env:MERCHANT",
            "public_key": "env:PUBLIC",
            "private_key": "env:PRIVATE",
            "api_base": api_base,
            "application_credential": "env:APP",
            "fallback_credentials": [{"public_key": "env:PUBLIC2", "private_key": "env:PRIVATE2"}],
            **over,
        }
    )


@pytest.fixture
def braintree() -> Iterator[Scripted]:
    scripted = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, path, query, body, headers)
            scripted.asked.append(request)
            answer = scripted.answer(request)
            if callable(answer):
                self.close_connection = True
                answer(self)
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {"Content-Type": "application/xml", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    yield scripted
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_account(braintree):
    """An adapter on the scripted server; patient, so that a loaded machine changes nothing."""
    opened = []

    def opener(*, secrets=None, timeout_s=(10.0, 30.0), **over):
        provider = open_provider(
            settings(over.pop("api_base", braintree.url), **over),
            {**SECRETS, **(secrets or {})}.__getitem__,
            Patience(*timeout_s, requests_per_s=None),
        )
        opened.append(provider)
        return provider

    yield opener
    for provider in opened:
        provider.close()


def read(
    provider, feed: str = "transactions", now: datetime = NOW, cursor: str | None = None, most: int = 1000
):
    """All pages of one pass, as the engine reads them."""
    pages = []
    for _ in range(most):
        page = provider.poll(feed, cursor, now)
        cursor = page.cursor
        pages.append(page)
        if not page.more:
            return pages
    raise AssertionError("reading does not end")


def attempts(pages) -> list[str]:
    return [each.attempt_id for page in pages for each in page.facts.attempts]
