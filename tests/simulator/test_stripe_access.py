"""Who may call the simulated Stripe, in which mode, how it refuses, and what it sends besides."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import stripe

from payops.simulator.deliverer import Deliverer
from payops.simulator.kinds import credentials, kind
from payops.simulator.server import STATED_LATENCY
from payops.simulator.stripe.account import of_stripe
from payops.simulator.stripe.calls import HANDLERS
from payops.simulator.stripe.keys import api_key
from payops.simulator.stripe.params import PERMITTED
from payops.simulator.stripe.permissions import PERMISSION, lacking
from payops.simulator.stripe.vocabulary import API_VERSION, DRIFTED_VERSION

from .conftest import ACCOUNT, Live, Receiver

Open = Callable[..., Live]


def get(world: Live, path: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {world.key}"})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_every_call_has_its_parameters_and_its_permission() -> None:
    assert HANDLERS.keys() == PERMITTED.keys() == PERMISSION.keys()


def test_a_permission_taken_is_named_with_the_account(live: Open) -> None:
    world = live(faults="[{kind: permission_missing, provider: stripe, at: 1m, until: 10m}]", rate=1)
    world.after(minutes=2)
    with pytest.raises(stripe.PermissionError) as caught:
        world.client.v1.events.list()
    message = str(caught.value)
    assert caught.value.http_status == 403
    assert f"on account '{world.account.id}'" in message and "'rak_event_read'" in message
    assert world.key not in message
    assert world.client.v1.charges.list().data, "other permissions are held"
    fallback = world.sdk(api_key(world.world.seed, ACCOUNT, "fallback", "live"))
    assert fallback.v1.events.list().data
    world.after(minutes=11)
    assert world.client.v1.events.list().data


@pytest.mark.parametrize(
    ("denied", "called", "missing"),
    [
        ("rak_charge_read", ("GET", "/v1/refunds"), "rak_charge_read"),
        ("rak_charge_read", ("POST", "/v1/refunds"), "rak_charge_write"),
        ("rak_charge_write", ("POST", "/v1/refunds"), "rak_charge_write"),
        ("rak_charge_write", ("GET", "/v1/charges"), None),
        ("rak_event_read", ("GET", "/v1/balance"), None),
    ],
)
def test_without_reading_there_is_no_writing(
    denied: str, called: tuple[str, str], missing: str | None
) -> None:
    assert lacking({denied}, called) == missing


def test_too_many_requests_name_the_limit_and_no_time(live: Open) -> None:
    world = live(faults="[{kind: rate_limited, provider: stripe, at: 1m, until: 3m}]", rate=1)
    world.after(minutes=2)
    with pytest.raises(stripe.RateLimitError) as caught:
        world.client.v1.balance.retrieve()
    assert caught.value.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert "Retry-After" not in caught.value.headers
    world.after(minutes=4)
    assert world.client.v1.balance.retrieve().livemode is True


def test_an_object_somebody_else_is_changing_is_locked(live: Open) -> None:
    world = live(rate=5)
    charge = next(c for c in reversed(world.account.charges.rows) if c.decline is None and not c.refunds)
    place = (ACCOUNT, charge.id)
    world.server.api._changing[place] = "req_another"  # type: ignore[attr-defined]
    with pytest.raises(stripe.RateLimitError) as caught:
        world.client.v1.refunds.create({"charge": charge.id, "amount": 5}, {"idempotency_key": "k"})
    assert caught.value.json_body["error"]["code"] == "lock_timeout"  # type: ignore[index]
    assert "Stripe-Rate-Limited-Reason" not in caught.value.headers
    del world.server.api._changing[place]  # type: ignore[attr-defined]
    refund = world.client.v1.refunds.create({"charge": charge.id, "amount": 5}, {"idempotency_key": "k"})
    assert [each.id for each in charge.refunds] == [refund.id]


def test_an_outage_is_stripes_own_error(live: Open) -> None:
    world = live(faults="[{kind: provider_outage, provider: stripe, at: 1m}]", rate=1)
    world.after(minutes=2)
    with pytest.raises(stripe.APIError) as caught:
        world.client.v1.balance.retrieve()
    assert caught.value.http_status == 500


def test_a_dropped_connection_is_no_answer(live: Open) -> None:
    world = live(faults="[{kind: network_drop, provider: stripe, at: 1m}]", rate=1)
    world.after(minutes=2)
    with pytest.raises(stripe.APIConnectionError):
        world.client.v1.balance.retrieve()


def test_slowness_is_stated_and_nobody_waits(live: Open) -> None:
    world = live(faults="[{kind: provider_slow, provider: stripe, at: 1m, latency_ms: 45000}]", rate=1)
    assert STATED_LATENCY not in get(world, "/v1/balance")[2]
    world.after(minutes=2)
    status, _, headers = get(world, "/v1/balance")
    assert (status, headers[STATED_LATENCY]) == (200, "45000")


@pytest.mark.parametrize("seconds", [600, -600])
def test_the_date_header_is_the_providers_clock(live: Open, seconds: int) -> None:
    world = live(faults=f"[{{kind: clock_skew, provider: stripe, at: 1m, seconds: {seconds}}}]", rate=1)
    world.after(minutes=2)
    date = parsedate_to_datetime(get(world, "/v1/balance")[2]["Date"])
    assert (date - world.world.now).total_seconds() == seconds


def test_a_restricted_account_says_what_is_due(live: Open) -> None:
    world = live(faults="[{kind: account_restricted, provider: stripe, at: 1m}]", rate=1)
    before = world.client.v1.accounts.retrieve_current()
    assert (before.charges_enabled, before.requirements.disabled_reason) == (True, None)
    world.after(minutes=2)
    account = world.client.v1.accounts.retrieve_current()
    assert (account.charges_enabled, account.payouts_enabled) == (False, False)
    assert account.requirements.disabled_reason == "requirements.past_due"
    assert "representative.id_number" in account.requirements.currently_due


def test_the_accounts_version_changes_for_events_made_from_then_on(live: Open) -> None:
    world = live(faults="[{kind: api_version_drift, provider: stripe, at: 10m}]", rate=10)
    world.after(minutes=20)
    border = world.world.start_ms // 1000 + 600
    listed = world.client.v1.events.list({"limit": 100, "created": {"gte": border - 120}})
    events = list(listed.auto_paging_iter())
    assert {e.api_version for e in events if e.created < border} == {API_VERSION}
    assert {e.api_version for e in events if e.created > border} == {DRIFTED_VERSION}
    assert get(world, "/v1/balance")[2]["Stripe-Version"] == DRIFTED_VERSION


# The other mode


def test_a_test_object_that_strayed_in_is_sent_and_in_no_list(live: Open, receiver: Receiver) -> None:
    world = live(faults="[{kind: test_object_in_live, provider: stripe, at: 1m}]", rate=2)
    now = world.world.start + timedelta(minutes=2)
    Deliverer(world.world, receiver.url).deliver_due(now)
    sent = [json.loads(body) for _, body, _ in receiver.got]
    stray = next(event for event in sent if event["livemode"] is False)
    charge = stray["data"]["object"]
    assert charge["livemode"] is False and charge["payment_method_details"]["card"]["last4"] == "4242"
    live_ids = {event["data"]["object"]["id"] for event in sent if event["livemode"]}
    assert charge["id"] not in live_ids
    listed = {e.id for e in world.client.v1.events.list({"limit": 100}).auto_paging_iter()}
    assert stray["id"] not in listed
    assert charge["id"] not in {c.id for c in world.client.v1.charges.list({"limit": 100}).auto_paging_iter()}
    words = "a similar object exists in test mode, but a live mode key was used"
    for read in (world.client.v1.events.retrieve, world.client.v1.charges.retrieve):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            read(stray["id"] if read == world.client.v1.events.retrieve else charge["id"])
    tester = world.sdk(api_key(world.world.seed, ACCOUNT, "other", "test"))
    assert tester.v1.charges.retrieve(charge["id"]).livemode is False
    assert [e.id for e in tester.v1.events.list().data] == [stray["id"]]


def test_with_the_other_modes_secret_stored_only_its_events_verify(live: Open, receiver: Receiver) -> None:
    world = live(
        faults="[{kind: webhook_wrong_mode_secret, provider: stripe, at: 1m}]",
        options=", fallback_credential: true",
        rate=4,
    )
    stored = credentials(world.world.scenario)[ACCOUNT]
    secrets = {
        "stored": stored["webhook_secrets"][0],
        "right": stored["fallback_credentials"][0]["webhook_secrets"][0],
    }

    def arrived(minutes: int, answer: int) -> set[tuple[bool, str]]:
        """(mode of the event, which stored secret opens it) of all that comes by then."""
        receiver.got.clear()
        receiver.status = answer
        Deliverer(world.world, receiver.url).deliver_due(world.world.start + timedelta(minutes=minutes))
        return {
            (json.loads(body)["livemode"], name)
            for _, body, headers in receiver.got
            for name, secret in secrets.items()
            if opens(body, headers["stripe-signature"], secret)
        }

    world.after(minutes=1)
    for send in world.world.due_deliveries(world.world.now):
        world.world.delivered(send, world.world.now)
    assert arrived(6, 400) == {(True, "right"), (False, "stored")}
    assert arrived(12, 200) >= {(True, "right")}
    arrived(20, 200)
    assert arrived(40, 200) == {(True, "right")}, "once the right secret is in its place nothing strays in"


def opens(body: bytes, header: str, secret: str) -> bool:
    try:
        return stripe.WebhookSignature.verify_header(body.decode(), header, secret, tolerance=None)
    except stripe.SignatureVerificationError:
        return False


def test_while_a_secret_is_rolled_either_opens_a_delivery(live: Open) -> None:
    world = live(rate=4)
    account = of_stripe(world.account)
    endpoint = account.own_endpoint
    old = endpoint.secret
    account.roll(world.world.now_ms, endpoint, 3_600_000)
    for minutes, secrets in ((10, {old, endpoint.secret}), (70, {endpoint.secret})):
        now = world.world.start + timedelta(minutes=minutes)
        send = world.world.due_deliveries(now)[-1]
        body, headers = kind("stripe").delivery(account, send, now)
        header = headers["Stripe-Signature"]
        assert header.count("v1=") == len(secrets)
        assert {each for each in (old, endpoint.secret) if opens(body, header, each)} == secrets


# Event destinations (v2)


def test_a_destination_tells_who_switched_it_off(live: Open) -> None:
    world = live(faults="[{kind: webhook_endpoint_disabled, provider: stripe, at: 1m}]", rate=1)
    destinations = world.client.v2.core.event_destinations
    ours = destinations.list({"include": ["webhook_endpoint.url"]}).data[0]
    assert (ours.status, ours.status_details) == ("enabled", None)
    assert ours.webhook_endpoint.url == "https://stripe.sim/webhooks/stripe-live"
    world.after(minutes=2)
    off = destinations.retrieve(ours.id)
    assert off.status == "disabled" and off.status_details.disabled.reason != "user"
    assert destinations.enable(ours.id).status == "enabled"
    assert world.client.v1.webhook_endpoints.retrieve(ours.id).status == "enabled"
    assert destinations.disable(ours.id).status_details.disabled.reason == "user"
    world.client.v1.webhook_endpoints.update(ours.id, {"disabled": False})
    world.client.v1.webhook_endpoints.update(ours.id, {"disabled": True})
    assert destinations.retrieve(ours.id).status_details.disabled.reason == "user"


def test_a_ping_reaches_its_endpoint_and_is_in_no_list(live: Open, receiver: Receiver) -> None:
    world = live(rate=1)
    ours = world.account.own_endpoint
    event = world.client.v2.core.event_destinations.ping(ours.id)
    assert event.type == "v2.core.event_destination.ping" and event.related_object.id == ours.id
    Deliverer(world.world, receiver.url).deliver_due(world.world.start)
    ((_, body, headers),) = receiver.got
    assert json.loads(body)["id"] == event.id and opens(body, headers["stripe-signature"], ours.secret)
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        world.client.v1.events.retrieve(event.id)


@pytest.mark.parametrize("body", ["[", "[]", '"x"', '{"include": "x"}', '{"disabled": true}'])
def test_a_v2_body_that_is_no_known_json_is_refused(live: Open, body: str) -> None:
    world = live(rate=1)
    path = f"/v2/core/event_destinations/{world.account.own_endpoint.id}/disable"
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=10)
    connection.request("POST", path, body=body, headers={"Authorization": f"Bearer {world.key}"})
    answer = connection.getresponse()
    assert answer.status == 400 and json.loads(answer.read())["error"]["type"] == "invalid_request_error"
    connection.close()
    assert world.account.own_endpoint.enabled
