"""A process that serves a simulated PayPal's events page by page, as fast as it can: its work is in no figure."""

from __future__ import annotations

import socketserver
import sys
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from payops.simulator import scenario as scenarios
from payops.simulator.paypal import events
from payops.simulator.world import World

PER_PAGE = 100
PATH = "/v1/notifications/webhooks-events"
TOKEN = msgspec.json.encode(
    {
        "access_token": "A21AAbench",
        "token_type": "Bearer",
        "expires_in": 32400,
        "app_id": "APP-1",
        "scope": "",
    }
)
SCENARIO = """
schema: payops.scenario/v1
name: pages
seed: 11
start: 2026-01-15T09:00:00Z
warmup: 0s
duration: 2h
providers:
  paypal: {mode: live, payments_per_minute: 20, success_rate: 0.9}
faults: []
"""


def payments() -> list[dict[str, Any]]:
    """The events about captures of a simulated account, as the list shows them."""
    world = World(scenarios.parse(SCENARIO, "pages"))
    world.advance(world.start + timedelta(hours=1))
    (account,) = world.accounts.values()
    captures = [event for event in account.events.rows if event.type.startswith("PAYMENT.CAPTURE.")]
    return [events.looked_up(account, event) for event in captures[: PER_PAGE * 2]]


def bodies(pages: int) -> list[bytes]:
    drawn = payments()
    made = []
    for page in range(pages):
        rows = []
        for place in range(PER_PAGE):
            number = page * PER_PAGE + place
            event = drawn[number % len(drawn)]
            resource = {**event["resource"], "id": f"CAP{number:014d}"}
            rows.append({**event, "id": f"WH-{number:014d}", "resource": resource})
        links = []
        if page + 1 < pages:
            href = f"https://api.paypal.com{PATH}?page_size={PER_PAGE}&page_token={page + 1}"
            links = [{"rel": "next", "href": href}]
        made.append(msgspec.json.encode({"events": rows, "count": PER_PAGE, "links": links}))
    return made


def answer_of(made: list[bytes]) -> type[socketserver.StreamRequestHandler]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nPayPal-Debug-Id: d1\r\nContent-Length: %d\r\n\r\n"
    sent = [head % len(body) + body for body in made]
    token = head % len(TOKEN) + TOKEN

    class Answer(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while line := self.rfile.readline():
                length = 0
                while (header := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                self.rfile.read(length)
                target = urlsplit(line.split()[1].decode())
                if target.path != PATH:
                    self.wfile.write(token)
                    continue
                page = int(parse_qs(target.query).get("page_token", ["0"])[0])
                self.wfile.write(sent[page])

    return Answer


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with _Server(("127.0.0.1", 0), answer_of(bodies(int(sys.argv[1])))) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
