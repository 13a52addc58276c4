"""A thousand Braintree payments from a loopback server: our feed, the floor under it, and the SDK's own search."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree

from payops.config import AccountSettings
from payops.providers import Patience, open_provider

from .harness import Figure, cpu_of, paired, python

PAYMENTS = 1000
PAGE = 50
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
FIELDS = (
    "id",
    "type",
    "status",
    "amount",
    "currency-iso-code",
    "order-id",
    "created-at",
    "updated-at",
    "processor-response-code",
    "gateway-rejection-reason",
    "subscription-id",
    "payment-instrument-type",
    "customer/id",
    "credit-card/card-type",
    "credit-card/country-of-issuance",
)
_ADDRESS = "".join(
    f"<{name}>some value</{name}>"
    for name in (
        "id",
        "first-name",
        "last-name",
        "company",
        "street-address",
        "extended-address",
        "locality",
        "region",
        "postal-code",
        "country-name",
        "country-code-alpha2",
        "country-code-alpha3",
        "country-code-numeric",
    )
)
_EMPTY = "".join(
    f'<{name} nil="true"/>'
    for name in (
        "gateway-rejection-reason",
        "subscription-id",
        "plan-id",
        "refunded-transaction-id",
        "voice-referral-number",
        "purchase-order-number",
        "tax-amount",
        "channel",
        "discount-amount",
        "shipping-amount",
        "shipping-tax-amount",
        "ships-from-postal-code",
        "service-fee-amount",
        "escrow-status",
        "three-d-secure-info",
        "acquirer-reference-number",
        "network-token",
        "sca-exemption-requested",
        "retried-transaction-id",
    )
)
_MORE = "".join(
    f"<{name}>a word or two of it</{name}>"
    for name in (
        "merchant-account-id",
        "merchant-identification-number",
        "merchant-name",
        "avs-postal-code-response-code",
        "avs-street-address-response-code",
        "cvv-response-code",
        "processor-authorization-code",
        "processor-response-text",
        "processor-response-type",
        "processor-settlement-response-code",
        "processor-settlement-response-text",
        "network-response-code",
        "network-response-text",
        "network-transaction-id",
        "additional-processor-response",
        "settlement-batch-id",
        "retrieval-reference-number",
        "graphql-id",
        "global-id",
        "terminal-identification-number",
    )
)
_CARD = "".join(
    f"<{name}>Unknown</{name}>"
    for name in (
        "token",
        "bin",
        "last-4",
        "expiration-month",
        "expiration-year",
        "customer-location",
        "cardholder-name",
        "image-url",
        "prepaid",
        "healthcare",
        "debit",
        "durbin-regulated",
        "commercial",
        "payroll",
        "issuing-bank",
        "product-id",
        "unique-number-identifier",
        "global-id",
        "account-type",
    )
)


def _transaction(number: int) -> str:
    """About 6 kB: a sale as the gateway shows it, with its addresses, card and history."""
    at = f"{NOW - timedelta(seconds=60 * number):%Y-%m-%dT%H:%M:%SZ}"
    steps = "".join(
        f'<status-event><timestamp type="datetime">{at}</timestamp><status>{status}</status>'
        f"<amount>19.99</amount><user>shop</user><transaction-source>api</transaction-source></status-event>"
        for status in ("authorized", "submitted_for_settlement", "settling", "settled")
    )
    return (
        f"<transaction><id>t{number:07d}</id><status>settled</status><type>sale</type>"
        f"<currency-iso-code>USD</currency-iso-code><amount>19.99</amount><order-id>order-{number}</order-id>"
        f'<created-at type="datetime">{at}</created-at><updated-at type="datetime">{at}</updated-at>'
        f"<customer>{_ADDRESS}</customer><billing>{_ADDRESS}</billing><shipping>{_ADDRESS}</shipping>"
        f"<processor-response-code>1000</processor-response-code>{_MORE}{_EMPTY}"
        '<refund-ids type="array"/><retry-ids type="array"/><disputes type="array"/>'
        '<add-ons type="array"/><discounts type="array"/><recurring type="boolean">false</recurring>'
        f"<credit-card><card-type>Visa</card-type><country-of-issuance>DEU</country-of-issuance>{_CARD}</credit-card>"
        f"<payment-instrument-type>credit_card</payment-instrument-type>"
        f'<status-history type="array">{steps}</status-history>'
        "<descriptor><name>shop</name><phone/><url/></descriptor></transaction>"
    )


def serve() -> None:
    """The loopback server, in a process of its own: its CPU is nobody's."""
    shown = {f"t{number:07d}": _transaction(number).encode() for number in range(PAYMENTS)}
    ids = b"".join(b"<item>%s</item>" % each.encode() for each in shown)
    listing = (
        b'<search-results><page-size type="integer">50</page-size><ids type="array">%s</ids></search-results>'
    )
    page = (
        b'<credit-card-transactions type="collection"><current-page-number type="integer">1</current-page-number>'
        b'<page-size type="integer">50</page-size><total-items type="integer">%d</total-items>%s'
        b"</credit-card-transactions>"
    )
    token = b"<client-token><value>eyJlbnZpcm9ubWVudCI6InByb2R1Y3Rpb24ifQ==</value></client-token>"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if self.path.endswith("client_token"):
                body = token
            elif self.path.endswith("_ids"):
                body = listing % ids
            else:
                wanted = re.findall("<item>([^<]+)</item>", asked)
                body = page % (len(wanted), b"".join(shown[each] for each in wanted))
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def _server() -> Iterator[int]:
    child = subprocess.Popen(python("-m", f"{__package__}.braintree_poll"), stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline())
    finally:
        child.terminate()
        child.wait()


def _ours(port: int) -> None:
    settings = AccountSettings.model_validate(
        {
            "name": "braintree-live",
            "provider": "braintree",
            "mode": "live",
            "api_base": f"http://127.0.0.1:{port}",
            **dict.fromkeys(("merchant_id", "public_key", "private_key"), "env:KEY"),
        }
    )
    provider = open_provider(settings, lambda _: "k" * 16, Patience(requests_per_s=None))
    cursor, read, more = None, 0, True
    while more:
        page = provider.poll("transactions", cursor, NOW)
        cursor, more = page.cursor, page.more
        read += len(page.facts.attempts)
    provider.close()
    assert read == PAYMENTS, read


def _floor(port: int) -> None:
    """Both steps over one connection, and the fields needed out of ElementTree."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def post(path: str, body: str) -> ElementTree.Element:
        connection.request("POST", path, body, {"Content-Type": "application/xml"})
        return ElementTree.fromstring(connection.getresponse().read())

    ids = [
        item.text or ""
        for item in post("/transactions/advanced_search_ids", "<search/>").iterfind("ids/item")
    ]
    found = []
    for first in range(0, len(ids), PAGE):
        items = "".join(f"<item>{each}</item>" for each in ids[first : first + PAGE])
        root = post("/transactions/advanced_search", f"<search><ids type='array'>{items}</ids></search>")
        found += [[each.findtext(name) for name in FIELDS] for each in root.iterfind("transaction")]
    connection.close()
    assert len(found) == PAYMENTS


def _sdk(port: int) -> None:
    from payops.providers.braintree.sdk import BraintreeGateway, Configuration, Environment

    address = ("127.0.0.1", str(port))
    environment = Environment("bench", *address, "http://127.0.0.1:1", False, None, *address)
    gateway = BraintreeGateway(config=Configuration(environment, "k" * 16, "k" * 16, "k" * 16))
    from braintree import TransactionSearch

    found = gateway.transaction.search(TransactionSearch.created_at >= NOW - timedelta(days=1))
    assert sum(1 for each in found.items if each.amount) == PAYMENTS


def figures() -> list[Figure]:
    with _server() as port:
        ours = f"{PAYMENTS:,} Braintree payments, search to value"
        sdk = f"{PAYMENTS:,} by the SDK's search, over ours"
        return [
            paired(
                ours,
                lambda: cpu_of(lambda: _ours(port)),
                lambda: cpu_of(lambda: _floor(port)),
                "at most 2 x http.client + ElementTree with the fields needed",
            ),
            paired(
                sdk,
                lambda: cpu_of(lambda: _sdk(port)),
                lambda: cpu_of(lambda: _ours(port)),
                "at least 4 x",
            ),
        ]


if __name__ == "__main__":
    serve()
    sys.exit()
