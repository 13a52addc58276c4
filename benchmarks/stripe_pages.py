"""A server of its own process that answers with pages of charge events, made beforehand from the simulator's shapes.

`python -m benchmarks.stripe_pages PAGES` prints its port and answers until it is killed. Every page holds 100
payments; `/v1/events?starting_after=…` leads from one to the next, as at Stripe.
"""

from __future__ import annotations

import socketserver
import sys
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from payops.clock import to_epoch, utc_now
from payops.simulator import scenario as scenarios
from payops.simulator.stripe.shapes import Shapes
from payops.simulator.world import World

PER_PAGE = 100
_SCENARIO = """
schema: payops.scenario/v1
name: pages
seed: 1
start: 2026-01-15T09:00:00Z
warmup: 30m
duration: 1h
providers:
  stripe: {mode: live, payments_per_minute: 10}
"""


def event_id(number: int) -> str:
    """The `number`th newest event."""
    return f"evt_{number:012d}"


def bodies(pages: int) -> list[bytes]:
    """Each page as it goes over the wire, newest first, all within the last day."""
    world = World(scenarios.parse(_SCENARIO, "pages"))
    world.advance(world.start)
    account = world.accounts["stripe-live"]
    shapes = Shapes(account)  # type: ignore[arg-type]
    charges = [each for each in account.events.rows if each.type in ("charge.succeeded", "charge.failed")]
    drawn: list[dict[str, Any]] = [shapes.event(each) for each in charges[:PER_PAGE]]
    newest = to_epoch(utc_now() - timedelta(minutes=2))
    made = []
    for page in range(pages):
        rows = []
        for place in range(PER_PAGE):
            number = page * PER_PAGE + place
            event = {**drawn[place % len(drawn)], "id": event_id(number), "created": newest - number * 2}
            thing = {
                **event["data"]["object"],
                "id": f"ch_{number:012d}",
                "created": event["created"],
                "payment_intent": f"pi_{number:012d}",
            }
            rows.append({**event, "data": {"object": thing}})
        listed = {"object": "list", "url": "/v1/events", "has_more": page + 1 < pages, "data": rows}
        made.append(msgspec.json.encode(listed))
    return made


def answer_of(made: list[bytes]) -> type[socketserver.StreamRequestHandler]:
    heads = {
        body: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        for body in made
    }

    class Answer(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while line := self.rfile.readline():
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                query = parse_qs(urlsplit(line.split()[1].decode()).query)
                after = query.get("starting_after", [""])[0]
                page = (int(after.removeprefix("evt_")) + 1) // PER_PAGE if after else 0
                body = made[min(page, len(made) - 1)]
                self.wfile.write(heads[body] + body)

    return Answer


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with _Server(("127.0.0.1", 0), answer_of(bodies(int(sys.argv[1])))) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
