"""Webhooks leave signed, in order, to where the public address leads; what they meet decides what follows."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import stripe

from payops.simulator import ledger
from payops.simulator.deliverer import Deliverer
from payops.simulator.kinds import credentials
from payops.simulator.outside import Outside
from payops.simulator.stripe.kind import signature
from payops.simulator.world import World

from .conftest import ACCOUNT, Live, Receiver, make_scenario

Open = Callable[..., Live]


def fresh(**settings: object) -> World:
    world = World(make_scenario(**settings))  # type: ignore[arg-type]
    world.advance(world.start)
    return world


def secret(world: World) -> str:
    return credentials(world.scenario, world.seed)[ACCOUNT]["webhook_secrets"][0]


def test_body_is_the_event_and_its_signature_is_stripes(receiver: Receiver) -> None:
    world = fresh()
    now = world.start + timedelta(minutes=5)
    assert Deliverer(world, receiver.url).deliver_due(now) == len(receiver.got) > 20
    for path, body, headers in receiver.got:
        assert path == f"/webhooks/{ACCOUNT}"
        header = headers["stripe-signature"]
        assert header.startswith(f"t={int(now.timestamp())},v1=")
        assert stripe.WebhookSignature.verify_header(body.decode(), header, secret(world), tolerance=None)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(body.decode() + " ", header, secret(world), tolerance=None)
        event = json.loads(body)
        assert event["object"] == "event" and event["livemode"] is True


def test_signature_is_what_the_sdk_would_write() -> None:
    world = fresh()
    header = stripe.WebhookSignature.generate_signature_header("{}", "whsec_x", int(world.start.timestamp()))
    assert signature(b"{}", world.start, "whsec_x") == header


def test_deliveries_leave_in_order_and_are_booked(receiver: Receiver) -> None:
    world = fresh(rate=30)
    now = world.start + timedelta(minutes=3)
    due = [send.event.id for send in world.due_deliveries(now)]
    deliverer = Deliverer(world, receiver.url)
    deliverer.deliver_due(now)
    assert [json.loads(body)["id"] for _, body, _ in receiver.got] == due
    assert deliverer.deliver_due(now) == 0
    assert ledger.delivered_ids(world, ACCOUNT) == set(due)


def test_any_answer_but_2xx_is_tried_again(receiver: Receiver) -> None:
    world = fresh()
    now = world.start + timedelta(minutes=2)
    receiver.status = 503
    deliverer = Deliverer(world, receiver.url)
    refused = deliverer.deliver_due(now)
    assert refused > 0 and not ledger.delivered_ids(world, ACCOUNT)
    receiver.status = 200
    deliverer.deliver_due(now + timedelta(minutes=4))
    before = len(receiver.got)
    deliverer.deliver_due(now + timedelta(minutes=5, seconds=1))
    first = {json.loads(body)["id"] for _, body, _ in receiver.got[:refused]}
    assert first <= {json.loads(body)["id"] for _, body, _ in receiver.got[before:]}
    assert first <= ledger.delivered_ids(world, ACCOUNT)


def test_nobody_there_is_a_failed_try_not_an_error() -> None:
    world = fresh()
    now = world.start + timedelta(minutes=2)
    due = {send.event.id for send in world.due_deliveries(now)}
    assert due and Deliverer(world, "http://127.0.0.1:1").deliver_due(now) == len(due)
    assert not ledger.delivered_ids(world, ACCOUNT)
    assert not due & {send.event.id for send in world.due_deliveries(now + timedelta(minutes=4))}
    assert due <= {send.event.id for send in world.due_deliveries(now + timedelta(minutes=5))}


def test_stale_connection_of_a_restarted_receiver_is_opened_anew(receiver: Receiver) -> None:
    outside = Outside(("https://stripe.sim",), receiver.url)
    assert outside.post("https://stripe.sim/a", b"1", {}) == 200
    next(iter(outside._kept.values())).sock.close()
    assert outside.post("https://stripe.sim/b", b"2", {}) == 200
    assert [path for path, *_ in receiver.got] == ["/a", "/b"]
    outside.close()


@pytest.mark.parametrize(
    "url", ["https://example.com/x", "http://10.0.0.1/", "http://localhost.example/", "ftp://127.0.0.1/"]
)
def test_nothing_outside_this_machine_exists(url: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        Outside(("https://stripe.sim",), None).get(url)


def test_endpoint_moved_to_another_address_is_followed(live: Open, receiver: Receiver) -> None:
    world = live()
    url = f"{receiver.url}/elsewhere"
    world.client.v1.webhook_endpoints.update(world.account.own_endpoint.id, {"url": url})
    Deliverer(world.world, None).deliver_due(world.world.start + timedelta(minutes=2))
    assert {path for path, *_ in receiver.got} == {"/elsewhere"}


def edge(live: Live, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", live.server.port, timeout=10)
    connection.request("GET", f"/_edge/{path}")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_edge_shows_what_the_world_outside_gets(live: Open, receiver: Receiver) -> None:
    world = live(receiver=receiver.url, faults="[{kind: receiver_down, provider: stripe, at: 10m}]")
    assert edge(world, f"webhooks/{ACCOUNT}?x=1") == 200
    assert receiver.probes == [f"/webhooks/{ACCOUNT}?x=1"]
    world.after(minutes=11)
    assert edge(world, f"webhooks/{ACCOUNT}") == 503
    assert len(receiver.probes) == 1
    world.after(minutes=21)
    receiver.status = 404
    assert edge(world, f"webhooks/{ACCOUNT}") == 404


def test_edge_answers_for_the_application_although_payops_is_down(live: Open) -> None:
    world = live(receiver="http://127.0.0.1:1", rate=1, options=", endpoints: [{name: shop}]")
    assert [edge(world, path) for path in ("apps/shop", "apps/other")] == [200, 502]


def test_edge_with_nobody_behind_it_is_a_bad_gateway(live: Open) -> None:
    assert edge(live(receiver="http://127.0.0.1:1", rate=1), "healthz") == 502


def test_real_time_delivery_ends_when_told(receiver: Receiver) -> None:
    world = fresh()
    instant = [world.start]
    stop = threading.Event()

    def now():
        instant[0] += timedelta(seconds=30)
        if len(receiver.got) > 20:
            stop.set()
        return instant[0]

    thread = threading.Thread(target=Deliverer(world, receiver.url).run, args=(now, stop))
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive() and len(receiver.got) > 20


def test_two_runs_send_the_same_bytes(receiver: Receiver) -> None:
    for _ in range(2):
        world = fresh(rate=10)
        deliverer = Deliverer(world, receiver.url)
        for minute in range(1, 6):
            deliverer.deliver_due(world.start + timedelta(minutes=minute))
    half = len(receiver.got) // 2
    sent = [(body, headers["stripe-signature"]) for _, body, headers in receiver.got]
    assert half > 50 and sent[:half] == sent[half:]
