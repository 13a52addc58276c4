"""What nobody should send, at each provider's address: signed as the simulated providers sign it, then spoiled."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest

from payops.demo.settings import edges, secret_of, world_settings
from payops.engine.outside import Outside
from payops.engine.wiring import open_verifiers
from payops.providers.port import Patience
from payops.receiver import Receiver, protocol
from payops.simulator.kinds import kind
from payops.simulator.scenario import load
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

from .conftest import NOW, Clock, Sender

PROVIDERS = ("stripe", "braintree", "paypal")
SCENARIO = """\
schema: payops.scenario/v1
name: one of each
seed: 3
start: 2026-01-14T07:00:00Z
warmup: 0h
duration: 30h
providers:
  stripe: {mode: live, payments_per_minute: 0.1}
  braintree: {mode: live, payments_per_minute: 0.1}
  paypal: {mode: live, payments_per_minute: 0.1}
"""


@dataclass(frozen=True)
class Sent:
    """A webhook as its provider sends it."""

    account: str
    event_id: str
    body: bytes
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return f"/webhooks/{self.account}"


class Providers:
    """A world a day old, and the newest its providers have to send at NOW."""

    def __init__(self, folder) -> None:
        path = folder / "scenario.yaml"
        path.write_text(SCENARIO)
        self.scenario = load(str(path))
        self.world = World(self.scenario, 3, self.scenario.start)
        self.servers = [ProviderServer(self.world, each, receiver=None).start() for each in PROVIDERS]
        urls = dict(zip(PROVIDERS, (server.url for server in self.servers), strict=True))
        self.settings, secrets = world_settings(self.scenario, 3, urls, folder / "unused.db")
        self.outside = Outside(
            lambda reference: secret_of(secrets, reference),
            routes=edges(urls),
            patience=Patience(10.0, 30.0, requests_per_s=None),
            now=None,
        )
        self.world.advance(NOW)
        self.sends = {}
        for send in self.world.due_deliveries(NOW):
            self.sends[self.world.account_of(send).provider] = send

    def sent(self, provider: str, at=NOW, **changes) -> Sent:
        """One webhook of a provider; `changes` are to its event."""
        send = self.sends[provider]
        account = self.world.account_of(send)
        body, headers = kind(provider).delivery(
            account, replace(send, event=replace(send.event, **changes)), at
        )
        return Sent(account.name, send.event.id, body, dict(headers))


@pytest.fixture(scope="module")
def providers(tmp_path_factory) -> Iterator[Providers]:
    made = Providers(tmp_path_factory.mktemp("world"))
    yield made
    for server in made.servers:
        server.stop()


@pytest.fixture
def receiver(store: Store, providers: Providers, clock: Clock) -> Receiver:
    return Receiver(store, open_verifiers(providers.settings, providers.outside, store), clock)


@pytest.fixture(params=PROVIDERS)
def sent(request, providers: Providers) -> Sent:
    return providers.sent(request.param)


def post(sender: Sender, sent: Sent, **kind) -> int:
    return sender.request("POST", sent.path, sent.body, sent.headers, **kind)[0]


def kinds(store: Store, sent: Sent) -> list[str]:
    return [kind for kind, _, _ in store.inbox.refused_since(sent.account, NOW - timedelta(days=60))]


def received(store: Store, sent: Sent) -> int:
    return store.inbox.counts(sent.account, NOW + timedelta(days=9)).received


def test_what_the_provider_sends_is_accepted(sender, store, sent):
    assert post(sender, sent) == 200
    assert (received(store, sent), kinds(store, sent)) == (1, [])


def test_a_tampered_body_is_refused(sender, store, sent):
    at = len(sent.body) // 2
    spoiled = sent.body[:at] + bytes([sent.body[at] ^ 1]) + sent.body[at + 1 :]
    assert post(sender, replace(sent, body=spoiled)) == 400
    assert received(store, sent) == 0 and len(kinds(store, sent)) == 1


def test_without_its_signature_it_is_refused(sender, store, providers):
    for provider in PROVIDERS:
        sent = providers.sent(provider)
        form = [(name, value) for name, value in parse_qsl(sent.body.decode()) if name != "bt_signature"]
        bare = replace(
            sent,
            headers={name: value for name, value in sent.headers.items() if "sig" not in name.lower()},
            body=urlencode(form).encode() if provider == "braintree" else sent.body,
        )
        assert post(sender, bare) == 400
        assert (received(store, sent), kinds(store, sent)) == (0, ["header"])


def test_a_signature_given_twice_is_refused(running, store, providers):
    for provider in PROVIDERS:
        sent = providers.sent(provider)
        body = sent.body
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        connection.putrequest("POST", sent.path)
        for name, value in sent.headers.items():
            connection.putheader(name, value)
            if "sig" in name.lower():
                connection.putheader(name, value)
        if provider == "braintree":
            body += b"&" + body.partition(b"&")[0]
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        assert connection.getresponse().status == 400
        assert received(store, sent) == 0 and len(kinds(store, sent)) == 1


@pytest.mark.parametrize("days", [-30, 30])
def test_from_the_past_or_the_future_it_is_refused(sender, store, clock, sent, days):
    clock.forward(days=days)
    assert post(sender, sent) == 400
    # PayPal's certificate is out of its time as well.
    assert received(store, sent) == 0 and kinds(store, sent)[0] in ("timestamp", "header")


def test_a_replay_is_one_event(sender, store, clock, sent):
    assert [post(sender, sent) for _ in range(3)] == [200] * 3
    clock.forward(minutes=10)
    # Stripe signs each try anew; the others send the same for days, and so it may come again.
    assert post(sender, sent) == (400 if sent.account.startswith("stripe") else 200)
    assert received(store, sent) == 1


def test_the_content_type_is_not_what_is_judged(sender, store, sent):
    headers = {**sent.headers, "Content-Type": "image/png"}
    assert post(sender, replace(sent, headers=headers)) == 200
    assert received(store, sent) == 1


def test_in_chunks_it_is_the_same(sender, store, sent):
    chunked = {**sent.headers, "Transfer-Encoding": "chunked"}
    parts = iter([sent.body[:7], sent.body[7:]])
    assert sender.request("POST", sent.path, parts, chunked, encode_chunked=True)[0] == 200
    assert received(store, sent) == 1


def test_ten_megabytes_are_refused(sender, store, sent):
    assert post(sender, replace(sent, body=b"x" * (10 << 20))) == 413
    assert received(store, sent) == 0


def test_a_body_in_small_pieces_is_waited_for_and_one_that_stops_is_not(running, store, sent, monkeypatch):
    head = f"POST {sent.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent.body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as raw:
        raw.sendall(head.encode() + sent.body[:1])
        for start in range(1, len(sent.body), 400):
            raw.sendall(sent.body[start : start + 400])
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
    for room in (protocol, receiver_app()):
        monkeypatch.setattr(room, "BODY_TIMEOUT_S", 0.05)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as raw:
        raw.sendall(head.encode() + sent.body[:-1])
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408") and b"connection: close" in answer
    assert received(store, sent) == 1


def receiver_app():
    import payops.receiver.app

    return payops.receiver.app


@pytest.mark.parametrize("body", [b"\xff\xfe{", b"[" * 200_000, b"bt_payload=\xff&bt_signature=a|b"], ids=len)
def test_what_is_no_text_or_too_deep_is_refused(sender, store, sent, body):
    assert post(sender, replace(sent, body=body)) == 400
    assert received(store, sent) == 0 and len(kinds(store, sent)) == 1


def test_an_event_of_another_account_is_refused(sender, store, providers):
    sent = {provider: providers.sent(provider) for provider in PROVIDERS}
    for provider in PROVIDERS:
        for other in PROVIDERS:
            if other != provider:
                astray = replace(sent[other], account=sent[provider].account)
                assert post(sender, astray) == 400
    assert [received(store, each) for each in sent.values()] == [0, 0, 0]


def test_an_event_of_an_unknown_type_is_kept_and_counted_and_teaches_nothing(
    receiver, sender, store, providers
):
    for provider in PROVIDERS:
        told = providers.sends[provider].event.snapshot
        if isinstance(told, str):
            old = base64.b64decode(told).decode()
            start, end = old.index("<kind>") + 6, old.index("</kind>")
            told = base64.encodebytes((old[:start] + "brand_new" + old[end:]).encode()).decode()
        sent = providers.sent(provider, type="brand.new", snapshot=told)
        assert post(sender, sent) == 200
        assert receiver.process_pending(NOW) == 1
        counts = store.inbox.counts(sent.account, NOW)
        assert (counts.received, counts.unprocessed, counts.dead) == (1, 0, 0)
        assert store.facts.attempts_count(sent.account) == 0
        assert any(each.startswith("brand") for each in store.facts.types_received(sent.account))


def test_a_refused_sender_learns_nothing(sender, sent):
    spoiled = replace(sent, body=sent.body[:-1])
    status, said = sender.request("POST", spoiled.path, spoiled.body, spoiled.headers)
    assert (status, json.loads(said)) == (400, {"error": "not accepted"})
