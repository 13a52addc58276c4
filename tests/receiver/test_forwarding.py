"""Relay: what was answered 2xx reaches the application, byte for byte while the bytes are in memory, once it answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop import Shop
from stripe import WebhookSignature

from payops import config
from payops.config import Settings
from payops.domain.errors import NotPossible, ProviderError
from payops.domain.events import Delivery, Owed, WebhookEvent
from payops.domain.forwarding import HOLD, MOST_TRIES, Forwarding, next_due
from payops.receiver import Receiver
from payops.receiver.forwarding import FRESH, Fetch, Forwarder, Relay, targets
from payops.receiver.held import Held
from payops.store import Store

from .conftest import ACCOUNT, NOW, SECRET, body, sign

RESIGN = "whsec_of_the_application"
SHOP = (ACCOUNT, "shop")
PAN = "4111111111111111"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as opened:
        yield opened


def settings(url: str, **endpoint: object) -> Settings:
    keys = {"merchant_id": "env:A", "public_key": "env:B", "private_key": "env:C"}
    relay = {"name": "shop", "topology": "relay", "forward_to": url}
    return config.parse(
        {
            "schema": config.SCHEMA,
            "accounts": [
                {
                    "name": ACCOUNT,
                    "provider": "stripe",
                    "mode": "live",
                    "api_key": "env:K",
                    "webhook_secrets": ["env:W"],
                    "endpoints": [{**relay, "url": f"https://ops.example/webhooks/{ACCOUNT}", **endpoint}],
                },
                {
                    "name": "bt",
                    "provider": "braintree",
                    "mode": "live",
                    **keys,
                    "endpoints": [{**relay, "url": "https://ops.example/webhooks/bt"}],
                },
            ],
        },
        base=Path(),
        source="test",
    )


class House:
    """One process that receives and forwards."""

    def __init__(
        self, store: Store, verifiers: Any, url: str, name: str, fetch: Fetch | None, **endpoint: object
    ):
        applications = targets(settings(url, **endpoint), lambda reference: RESIGN, {})
        self.now = NOW
        self.store = store
        self.relay = Relay(applications, name)
        self.receiver = Receiver(store, verifiers, lambda: self.now, self.relay)
        self.forwarder = Forwarder(store, applications, self.relay, fetch)

    def receive(self, content: bytes, **headers: str) -> int:
        """One request into the application, as a server would call it."""
        signed = {"Stripe-Signature": sign(content, at=int(self.now.timestamp())), **headers}
        said: list[Any] = []

        async def asked() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def answered(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": f"/webhooks/{ACCOUNT}",
            "headers": [(name.encode(), value.encode()) for name, value in signed.items()],
        }
        asyncio.run(self.receiver(scope, asked, answered))
        return int(said[0]["status"])

    def row(self, n: int = 1) -> Forwarding:
        found = self.store.forwards.get(*SHOP, f"evt_{n}")
        assert found is not None
        return found

    def forward(self, later: timedelta = timedelta()) -> int:
        self.now += later
        return self.forwarder.forward_due(self.now)


@pytest.fixture
def house(store: Store, verifiers: Any, shop: Shop) -> Iterator[House]:
    opened = House(store, verifiers, shop.url, "one", None)
    yield opened
    opened.receiver.close()
    opened.forwarder.close()


def test_the_application_gets_the_very_bytes_and_the_provider_s_signature(house: House, shop: Shop) -> None:
    content = json.dumps(json.loads(body(1)), indent=3).encode() + b"\n "
    assert (
        house.receive(content, **{"Content-Type": "application/json; charset=utf-8", "X-Secret": "no"}) == 200
    )
    assert house.forward() == 1
    (taken,) = shop.taken
    assert taken.body == content
    assert taken.path == "/hook"
    assert WebhookSignature.verify_header(content.decode(), taken.headers["Stripe-Signature"], SECRET)
    assert taken.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "X-Secret" not in taken.headers
    assert (house.row().state, house.row().content, house.row().last_status) == ("delivered", "received", 200)
    assert house.relay.held.get(ACCOUNT, "evt_1") is None
    assert house.forward(timedelta(days=1)) == 0


def test_card_data_passes_through_memory_and_never_reaches_the_disk(house: House, shop: Shop) -> None:
    content = json.dumps({**json.loads(body(1)), "note": f"card {PAN}"}).encode()
    assert house.receive(content) == 200
    house.forward()
    assert PAN.encode() in shop.taken[0].body
    assert house.store.path is not None
    for file in house.store.path.parent.iterdir():
        assert PAN.encode() not in file.read_bytes()


def test_what_fails_is_tried_less_and_less_often_and_then_a_dead_letter(house: House, shop: Shop) -> None:
    shop.answer = lambda taken: 503
    house.receive(body(1))
    waits = []
    while house.row().state == "waiting":
        due = house.row().due_at
        assert due is not None
        waits.append(due - house.now)
        assert house.forward(due - house.now) == 1
        assert house.forward() == 0
    assert len(shop.taken) == house.row().tries == MOST_TRIES
    assert waits[1:6] == sorted(waits[1:6]) and timedelta(hours=18) < sum(waits, timedelta()) < timedelta(
        days=1
    )
    assert (house.row().state, house.row().last_status, house.row().due_at) == ("dead", 503, None)
    assert house.row().last_error == "the application answered 503"
    assert house.store.forwards.counts(*SHOP).dead == 1


@pytest.mark.parametrize("status", [301, 307, 404, 410, 500])
def test_only_2xx_is_processed_and_no_redirect_is_followed(house: House, shop: Shop, status: int) -> None:
    shop.answer = lambda taken: status
    shop.extra = {"Location": shop.url}
    house.receive(body(1))
    house.forward()
    assert len(shop.taken) == 1
    assert (house.row().state, house.row().last_status) == ("waiting", status)


def test_an_application_that_is_not_there_costs_a_try_and_says_so(store: Store, verifiers: Any) -> None:
    with Shop() as gone:
        url = gone.url
    house = House(store, verifiers, url, "one", None)
    house.receive(body(1))
    house.forward()
    assert (house.row().state, house.row().last_status, house.row().last_error) == (
        "waiting", None, "connection refused",
    )  # fmt: skip
    house.receiver.close()


def test_after_a_crash_the_event_is_fetched_by_its_id_once_nobody_holds_it(
    store: Store, verifiers: Any, shop: Shop, house: House
) -> None:
    house.receive(body(1))
    asked: list[str] = []

    def fetch(account: str, event_id: str, now: datetime) -> bytes:
        asked.append(event_id)
        return b'{"id": "evt_1"}'

    other = House(store, verifiers, shop.url, "two", fetch)
    assert other.forward() == 0  # the first may still be alive, and has the bytes
    assert other.forward(HOLD) == 1
    (taken,) = shop.taken
    assert (asked, taken.body) == (["evt_1"], b'{"id": "evt_1"}')
    assert "Stripe-Signature" not in taken.headers
    assert (other.row().state, other.row().content) == ("delivered", "fetched")


def test_a_process_that_cannot_fetch_lets_go_of_what_it_does_not_hold(house: House, shop: Shop) -> None:
    house.receive(body(1))
    house.relay.held.drop(ACCOUNT, "evt_1")
    assert house.forward() == 0
    assert (house.row().state, house.row().tries, house.row().holder) == ("waiting", 0, "")


def test_an_unsigned_event_that_is_refused_says_why(store: Store, verifiers: Any, shop: Shop) -> None:
    shop.answer = lambda taken: 200 if "Stripe-Signature" in taken.headers else 400
    house = House(store, verifiers, shop.url, "two", lambda account, event_id, now: b"{}")
    store.inbox.receive([_delivery(ACCOUNT, "evt_1")])
    house.forward(HOLD)
    assert house.row().last_error == (
        "the application answered 400: it was fetched from the provider, whose signature it cannot carry"
    )


def test_with_the_application_s_secret_a_late_or_fetched_event_is_signed_again(
    store: Store, verifiers: Any, shop: Shop
) -> None:
    house = House(
        store, verifiers, shop.url, "one", lambda *_: b'{"id":"evt_2"}', resign_secret="env:SHOP_WHSEC"
    )
    shop.answer = lambda taken: 503
    house.receive(body(1))
    house.forward()
    shop.answer = lambda taken: 200
    house.forward(FRESH + timedelta(minutes=1))
    store.forwards.owe_again(*SHOP, ["evt_2"], "", house.now)
    house.forward()
    early, late, fetched = shop.taken
    assert early.body == late.body == body(1)
    assert early.headers["Stripe-Signature"] == sign(body(1))
    for taken in (late, fetched):
        signature = taken.headers["Stripe-Signature"]
        assert WebhookSignature.verify_header(taken.body.decode(), signature, RESIGN)
        assert signature.startswith(f"t={int(house.now.timestamp())},")
    assert (house.row().content, house.row(2).content) == ("signed again", "fetched and signed")
    house.receiver.close()


def test_what_can_be_neither_held_nor_fetched_is_a_dead_letter_that_names_its_object(
    store: Store, verifiers: Any, shop: Shop
) -> None:
    def fetch(*_: object) -> bytes:
        raise AssertionError("Braintree is not asked")

    house = House(store, verifiers, shop.url, "two", fetch)
    store.inbox.receive([_delivery("bt", "bt_1")])
    house.forward(HOLD)
    row = store.forwards.get("bt", "shop", "bt_1")
    assert row is not None and row.state == "dead" and row.last_error is not None
    assert "held in memory only" in row.last_error and "ch_bt_1" in row.last_error
    assert shop.taken == []


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ProviderError("outage", "down", provider="stripe", account=ACCOUNT), "waiting"),
        (ProviderError("invalid_request", "no such event", provider="stripe", account=ACCOUNT), "dead"),
        (NotPossible("not now"), "waiting"),
    ],
)
def test_an_event_that_is_not_fetched_is_tried_again_unless_it_is_gone(
    store: Store, verifiers: Any, shop: Shop, error: Exception, state: str
) -> None:
    def fetch(*_: object) -> bytes:
        raise error

    house = House(store, verifiers, shop.url, "two", fetch)
    store.inbox.receive([_delivery(ACCOUNT, "evt_1")])
    house.forward(HOLD)
    assert (house.row().state, house.row().tries, shop.taken) == (state, 1, [])


def test_a_delivery_that_comes_again_brings_its_bytes_back(
    store: Store, verifiers: Any, shop: Shop, house: House
) -> None:
    shop.answer = lambda taken: 500
    house.receive(body(1))
    house.forward()
    again = House(store, verifiers, shop.url, "two", None)
    again.now = NOW + timedelta(minutes=1)
    shop.answer = lambda taken: 200
    again.receive(body(1))
    assert again.forward() == 1
    assert (again.row().state, again.row().content, shop.taken[-1].body) == ("delivered", "received", body(1))
    again.receive(body(1))
    assert again.forward(timedelta(days=2)) == 0  # what the application took is not sent to it again
    again.receiver.close()


def test_a_try_is_made_by_one_of_many_who_want_to(
    store: Store, verifiers: Any, shop: Shop, house: House
) -> None:
    for n in range(1, 31):
        house.receive(body(n))
    others = [House(store, verifiers, shop.url, "one", None) for _ in range(3)]
    for other in others:
        other.forwarder._relay = house.relay
    threads = [threading.Thread(target=each.forward) for each in (house, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shop.events) == sorted(f"evt_{n}" for n in range(1, 31))
    assert store.forwards.counts(*SHOP).waiting == 0


def test_a_try_cut_off_by_a_crash_was_counted_and_is_made_again(
    store: Store, house: House, shop: Shop
) -> None:
    house.receive(body(1))
    assert store.forwards.claim(house.row(), NOW, "one") is not None  # and then the process died
    assert house.forward() == 0
    assert house.forward(timedelta(minutes=1)) == 1
    assert (house.row().state, house.row().tries) == ("delivered", 2)


def test_events_reach_the_application_in_the_order_they_became_due(house: House, shop: Shop) -> None:
    for n in (3, 1, 2):
        house.receive(body(n))
        house.now += timedelta(seconds=1)
    house.forward()
    assert shop.events == ["evt_3", "evt_1", "evt_2"]


def test_neither_the_url_nor_the_secret_nor_a_body_is_shown_by_accident(house: House, shop: Shop) -> None:
    (target, *_) = targets(
        settings("https://shop.example/hook?token=abc", resign_secret="env:S"), lambda _: RESIGN, {}
    ).values()
    house.receive(body(1))
    shown = f"{target!r} {house.relay.held.get(ACCOUNT, 'evt_1')!r}"
    assert "token=abc" not in shown and RESIGN not in shown and "cus_1" not in shown and "v1=" not in shown


def test_held_bytes_are_bounded_and_the_oldest_let_go_first() -> None:
    held = Held(most_bytes=250)
    for n in range(4):
        held.keep("a", f"evt_{n}", b"x" * 100, [(b"Stripe-Signature", b"t=1"), (b"Cookie", b"no")], NOW)
    assert [held.get("a", f"evt_{n}") is not None for n in range(4)] == [False, False, True, True]
    held.keep("a", "evt_2", b"y" * 10, [], NOW)
    kept = held.get("a", "evt_2")
    assert kept is not None and kept.body == b"y" * 10
    held.keep("a", "evt_9", b"z" * 140, [], NOW)
    assert held.get("a", "evt_3") is not None


@given(st.text(max_size=40), st.integers(1, MOST_TRIES + 3))
def test_the_next_try_is_later_than_the_longest_try_takes_until_there_is_none(
    event_id: str, tries: int
) -> None:
    due = next_due(event_id, tries, NOW)
    assert (due is None) == (tries >= MOST_TRIES)
    if due is not None:
        assert timedelta(seconds=20) < due - NOW <= timedelta(hours=7)
        assert due == next_due(event_id, tries, NOW)


def _delivery(account: str, event_id: str) -> Delivery:
    event = WebhookEvent(account, event_id, "charge.succeeded", NOW, True, f"ch_{event_id}")
    return Delivery(account, event, NOW, "{}", "ab", "signature", Owed(("shop",), "gone", NOW + HOLD))


def test_what_is_owed_to_a_relay_that_is_gone_from_the_configuration_is_given_up_and_said(
    house: House, store: Store
) -> None:
    house.receive(body(1))
    store.forwards.tidy(NOW, [SHOP])
    assert house.row().state == "waiting"
    store.forwards.tidy(NOW + timedelta(days=1), [(ACCOUNT, "other")])
    assert (house.row().state, "no such relay" in (house.row().last_error or "")) == ("dead", True)


def test_a_header_that_came_twice_is_forwarded_with_both_values() -> None:
    held = Held()
    twice = [
        (b"Stripe-Signature", b"t=1,v1=a"),
        (b"stripe-signature", b"t=2,v1=b"),
        (b"PAYPAL-AUTH-ALGO", b"x"),
    ]
    held.keep("a", "evt_1", b"{}", twice, NOW)
    kept = held.get("a", "evt_1")
    assert kept is not None
    assert kept.headers == (("stripe-signature", "t=1,v1=a,t=2,v1=b"), ("PAYPAL-AUTH-ALGO", "x"))


def test_to_whom_an_event_is_owed_is_told_of_every_relay(store: Store) -> None:
    owed = Owed(("books", "shop", "zoo"), "p", NOW)
    store.inbox.receive([replace(_delivery(ACCOUNT, f"evt_{n}"), owed=owed) for n in (1, 2)])
    assert [row.endpoint for row in store.forwards.of_event(ACCOUNT, "evt_1")] == ["books", "shop", "zoo"]
    assert store.forwards.of_event(ACCOUNT, "evt_3") == store.forwards.of_event("other", "evt_1") == []
