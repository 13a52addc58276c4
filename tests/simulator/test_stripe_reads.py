"""The real SDK reads the simulated API: lists, cursors, filters, expansion, and errors of the right class."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable

import pytest
import stripe

from payops.simulator.stripe.keys import api_key
from payops.simulator.stripe.params import decode

from .conftest import ACCOUNT, Live, make_scenario

Open = Callable[..., Live]


def raw(live: Live, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: str = ""):
    connection = http.client.HTTPConnection("127.0.0.1", live.server.port, timeout=10)
    sent = {"Authorization": f"Bearer {live.key}"} if headers is None else headers
    connection.request(method, path, body=body or None, headers=sent)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer, json.loads(text)


def test_key_proves_account_and_mode(live: Open) -> None:
    world = live()
    assert world.client.v1.balance.retrieve().livemode is True
    account = world.client.v1.accounts.retrieve_current()
    assert account.id == world.account.id and account.charges_enabled is True


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_paging_back_meets_every_event_once_newest_first(live: Open, limit: int) -> None:
    world = live(rate=2)
    ids = [e.id for e in world.client.v1.events.list({"limit": limit}).auto_paging_iter()]
    assert ids == [event.id for event in reversed(world.account.events.rows)]


def test_paging_forward_is_chronological(live: Open) -> None:
    world = live(rate=2)
    rows = world.account.events.rows
    pages = world.client.v1.events.list({"limit": 10, "ending_before": rows[4].id})
    assert [e.id for e in pages.auto_paging_iter()] == [event.id for event in rows[5:]]


def test_page_before_a_cursor_is_next_to_it(live: Open) -> None:
    world = live(rate=2)
    rows = world.account.events.rows
    page = world.client.v1.events.list({"limit": 3, "ending_before": rows[4].id})
    assert [e.id for e in page.data] == [rows[7].id, rows[6].id, rows[5].id]
    assert page.has_more is True


@pytest.mark.parametrize(
    ("bounds", "keep"),
    [
        ({"gte": 0}, lambda second, at: second >= at),
        ({"gt": 0}, lambda second, at: second > at),
        ({"lte": 0}, lambda second, at: second <= at),
        ({"lt": 0}, lambda second, at: second < at),
        (0, lambda second, at: second == at),
    ],
)
def test_created_filters_by_whole_seconds(
    live: Open, bounds: object, keep: Callable[[int, int], bool]
) -> None:
    world = live()
    rows = world.account.charges.rows
    at = rows[len(rows) // 2].at_ms // 1000
    created = dict.fromkeys(bounds, at) if isinstance(bounds, dict) else at
    listed = world.client.v1.charges.list({"limit": 100, "created": created}).auto_paging_iter()
    wanted = [row.id for row in reversed(rows) if keep(row.at_ms // 1000, at)]
    assert wanted and [charge.id for charge in listed] == wanted


def test_events_are_filtered_by_type_group_and_list(live: Open) -> None:
    events = live().client.v1.events
    assert {e.type for e in events.list({"type": "charge.failed", "limit": 100}).data} == {"charge.failed"}
    listed = events.list({"types": ["charge.failed", "charge.succeeded"], "limit": 100}).data
    assert {e.type for e in listed} == {"charge.failed", "charge.succeeded"}
    group = events.list({"type": "payment_intent.*", "limit": 100}).data
    assert {e.type.split(".")[0] for e in group} == {"payment_intent"}


def test_charges_of_one_payment_and_refunds_of_one_charge(live: Open) -> None:
    world = live(rate=20, warmup="4h")
    payment = next(p for p in world.account.payments.rows if len(p.charges) > 1)
    listed = world.client.v1.charges.list({"payment_intent": payment.id}).data
    assert [c.id for c in listed] == [c.id for c in reversed(payment.charges)]
    refund = world.account.refunds.rows[0]
    assert world.client.v1.refunds.list({"charge": refund.charge.id}).data[0].id == refund.id
    assert world.client.v1.refunds.retrieve(refund.id).payment_intent == refund.charge.payment.id


def test_undelivered_events_are_listed_until_answered(live: Open) -> None:
    world = live()
    world.after(minutes=3)
    sends = world.world.due_deliveries(world.world.now)
    events = world.client.v1.events
    failing = events.list({"delivery_success": False, "limit": 100}).data
    assert {e.id for e in failing} >= {send.event.id for send in sends}
    assert events.retrieve(sends[0].event.id).pending_webhooks == 1
    for send in sends:
        world.world.delivered(send, world.world.now)
    left = {e.id for e in events.list({"delivery_success": False, "limit": 100}).data}
    assert not left & {send.event.id for send in sends}
    assert events.retrieve(sends[0].event.id).pending_webhooks == 0
    delivered = {e.id for e in events.list({"delivery_success": True, "limit": 100}).data}
    assert sends[0].event.id in delivered


def test_expand_replaces_ids_and_refuses_what_is_none(live: Open) -> None:
    world = live()
    page = world.client.v1.payment_intents.list({"expand": ["data.latest_charge.customer"], "limit": 20})
    assert all(p.latest_charge.object == "charge" for p in page.data)
    known = next(p for p in page.data if p.customer)
    assert known.latest_charge.customer.object == "customer"
    with pytest.raises(stripe.InvalidRequestError, match=r"try expanding 'data\.latest_charge'"):
        world.client.v1.payment_intents.list({"expand": ["latest_charge"]})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        world.client.v1.charges.list({"expand": ["data.amount"]})


def test_a_page_of_a_hundred_events_is_fast(live: Open) -> None:
    world = live(rate=30, warmup="2h")
    best = 1.0
    for _ in range(8):
        began = time.perf_counter()
        raw(world, "/v1/events?limit=100&types[]=charge.succeeded&types[]=charge.failed")
        best = min(best, time.perf_counter() - began)
    assert best < 0.060  # 15 ms on an idle core, client included


REFUSED = [
    ("/v1/charges?foo=1", 400, "parameter_unknown", "Received unknown parameter: foo"),
    ("/v1/charges?foo=1&bar[x]=1", 400, "parameter_unknown", "Received unknown parameters: foo, bar"),
    ("/v1/charges?created[from]=1", 400, "parameter_unknown", "created[from]"),
    ("/v1/charges?limit=0", 400, "parameter_invalid_integer", "greater than or equal to 1"),
    ("/v1/charges?limit=101", 400, "parameter_invalid_integer", "less than or equal to 100"),
    ("/v1/charges?limit=ten", 400, "parameter_invalid_integer", "Invalid integer: ten"),
    ("/v1/charges?starting_after=ch_no", 400, "resource_missing", "No such charge: 'ch_no'"),
    ("/v1/events?delivery_success=no", 400, None, "Invalid boolean: no"),
    ("/v1/events?type=a&types[]=b", 400, "parameters_exclusive", "type, types"),
    ("/v1/events?" + "&".join(["types[]=a"] * 21), 400, None, "maximum 20"),
    ("/v1/charges?starting_after=a&ending_before=b", 400, "parameters_exclusive", "starting_after"),
    ("/v1/charges/ch_no", 404, "resource_missing", "No such charge: 'ch_no'"),
    ("/v1/webhook_endpoints/we_no", 404, "resource_missing", "No such webhook endpoint: 'we_no'"),
    ("/v1/tokens", 404, None, "Unrecognized request URL (GET: /v1/tokens)"),
    ("/v2/core/accounts", 404, None, "Unrecognized request URL"),
    ("/v1/charges?a[=1", 400, None, "Invalid"),
    ("/", 404, None, "Unrecognized request URL"),
]


@pytest.mark.parametrize(("path", "status", "code", "words"), REFUSED)
def test_refusal_has_stripes_status_code_and_words(
    live: Open, path: str, status: int, code: str | None, words: str
) -> None:
    answer, body = raw(live(rate=1), path)
    assert (answer.status, body["error"].get("code")) == (status, code)
    assert words in body["error"]["message"]
    assert answer.headers["Request-Id"].startswith("req_")


def test_keys_are_judged_as_stripe_does(live: Open) -> None:
    world = live(rate=1)
    answer, body = raw(world, "/v1/balance", headers={})
    assert answer.status == 401 and "You did not provide an API key" in body["error"]["message"]
    with pytest.raises(
        stripe.AuthenticationError, match=r"Invalid API Key provided: rk_live_\*+wxyz"
    ) as caught:
        world.sdk("rk_live_abcdefghijklmnopqrstuvwxyz").v1.balance.retrieve()
    assert caught.value.http_status == 401
    answer, body = raw(
        world, "/v1/balance", {"Authorization": f"Bearer {world.key}", "Stripe-Account": "acct_other"}
    )
    assert (answer.status, body["error"]["code"]) == (403, "account_invalid")


def test_other_mode_is_empty_and_says_where_the_object_is(live: Open) -> None:
    world = live()
    other = world.sdk(api_key(world.world.seed, ACCOUNT, "other", "test"))
    assert other.v1.balance.retrieve().livemode is False
    assert other.v1.accounts.retrieve_current().id == world.account.id
    assert other.v1.events.list({"limit": 100}).data == []
    charge = world.account.charges.rows[0].id
    with pytest.raises(
        stripe.InvalidRequestError,
        match=f"No such charge: '{charge}'; a similar object exists in live mode, but a test mode key was used",
    ) as caught:
        other.v1.charges.retrieve(charge)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_revoked_key_is_refused_and_the_fallback_goes_on(live: Open) -> None:
    world = live(
        faults="[{kind: key_revoked, provider: stripe, at: 10m, until: 20m}]",
        options=", fallback_credential: true",
    )
    fallback = world.sdk(api_key(world.world.seed, ACCOUNT, "fallback", "live"))
    world.after(minutes=9)
    assert world.client.v1.balance.retrieve().livemode is True
    world.after(minutes=11)
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided") as caught:
        world.client.v1.balance.retrieve()
    assert "code" not in caught.value.json_body["error"]
    assert fallback.v1.accounts.retrieve_current().id == world.account.id
    world.after(minutes=21)
    assert world.client.v1.balance.retrieve().livemode is True


def test_expired_key_is_told_apart_from_a_revoked_one(live: Open) -> None:
    world = live(faults="[{kind: key_expired, provider: stripe, at: 10m}]", rate=1)
    world.after(minutes=11)
    with pytest.raises(stripe.AuthenticationError, match="Expired API Key provided") as caught:
        world.client.v1.balance.retrieve()
    assert caught.value.json_body["error"]["code"] == "api_key_expired"


def test_key_of_the_wrong_mode_sees_the_other_mode(live: Open) -> None:
    world = live(faults="[{kind: key_wrong_mode, provider: stripe, at: 10m}]")
    world.after(minutes=11)
    assert world.client.v1.balance.retrieve().livemode is False
    assert world.client.v1.charges.list({"limit": 5}).data == []
    fallback = world.sdk(api_key(world.world.seed, ACCOUNT, "fallback", "live"))
    assert fallback.v1.balance.retrieve().livemode is True


def test_answers_carry_request_id_and_version(live: Open) -> None:
    world = live(rate=1)
    headers = {"Authorization": f"Bearer {world.key}", "Stripe-Version": "2024-04-10"}
    answer, _ = raw(world, "/v1/balance", headers)
    assert answer.headers["Stripe-Version"] == "2024-04-10"
    assert answer.headers["Content-Type"] == "application/json"
    bad, body = raw(world, "/v1/balance", {**headers, "Stripe-Version": "latest"})
    assert bad.status == 400 and "version" in body["error"]["message"]


def test_request_ids_depend_on_instant_and_request_only() -> None:
    """Parallel polls may come in any order; an incident's request ids are still the same in every run."""
    from payops.simulator.stripe.api import Request, StripeApi
    from payops.simulator.world import World

    def ask(paths: list[str]) -> dict[str, list[str]]:
        world = World(make_scenario(rate=1))
        world.advance(world.start)
        api, ids = StripeApi(world), {}
        for path in paths:
            answer = api.respond(Request("GET", path))
            ids.setdefault(path, []).append(answer.headers["Request-Id"])
        return ids

    one = ask(["/v1/balance", "/v1/events", "/v1/balance"])
    two = ask(["/v1/events", "/v1/balance", "/v1/balance"])
    assert one == two
    assert len({i for ids in one.values() for i in ids}) == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        ("a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
        ("a%5Bb%5D=%C3%A9+1", {"a": {"b": "é 1"}}),
        ("a[b][]=1", {"a": {"b": ["1"]}}),
    ],
)
def test_forms_are_decoded_as_stripe_does(text: str, value: object) -> None:
    assert decode(text) == value


def test_connection_is_kept_for_the_next_request(live: Open) -> None:
    world = live(rate=1)
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=10)
    connection.connect()
    mine = connection.sock.getsockname()
    for _ in range(3):
        connection.request("GET", "/v1/balance", headers={"Authorization": f"Bearer {world.key}"})
        assert connection.getresponse().read()
        assert connection.sock.getsockname() == mine
    connection.close()
