"""The same seed makes the same world; what was done to it is done again from the journal."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.simulator import journal, ledger
from payops.simulator.declines import WORDS
from payops.simulator.kinds import credentials
from payops.simulator.paypal import events
from payops.simulator.paypal.api import ROUTES, PayPalApi
from payops.simulator.paypal.declines import BY_WORD
from payops.simulator.paypal.params import BODIES, QUERIES, REQUIRED
from payops.simulator.wire import Request
from payops.simulator.world import World

FAULTS = """
  - {kind: receiver_down, provider: paypal, at: 2m, until: 5m}
  - {kind: authorization_expiring, provider: paypal, at: 1m}
  - {kind: subscription_past_due, provider: paypal, at: 1m, count: 3}
  - {kind: dispute_opened, provider: paypal, at: 3m}
  - {kind: account_restricted, provider: paypal, at: 20m, until: 25m}
"""


def picture(world: World) -> object:
    """Everything there is to see of a world, in order."""
    (account,) = world.accounts.values()
    shapes = account.shapes
    return (
        [events.looked_up(account, event) for event in account.events.rows],
        [shapes.order(p) for p in account.payments.rows if p.subscription is None],
        [shapes.refund(refund) for refund in account.refunds.rows],
        [shapes.subscription(each) for each in account.subscriptions.rows],
        [shapes.dispute(each, whole=True) for each in account.disputes.rows],
        [(each.id, each.secret, each.url, each.enabled_events) for each in account.endpoints.rows],
        [send.key for send in account.deliveries.ready()],
        account.taken,
    )


def test_same_seed_same_world_whatever_the_steps(scenario_of):
    scenario = scenario_of(faults=FAULTS, success=0.8, warmup="1h")
    jumped, walked = World(scenario), World(scenario)
    end = jumped.start + timedelta(minutes=40)
    jumped.advance(end)
    while walked.now < end:
        walked.advance(min(end, walked.now + timedelta(seconds=97)))
    assert picture(jumped) == picture(walked)
    assert credentials(scenario) == credentials(scenario)
    other = World(scenario, seed=4)
    other.advance(end)
    assert picture(other) != picture(jumped)


def opened(path, scenario):
    past = journal.read(path, scenario, scenario.seed)
    world = World(scenario, start=None if past is None else past.start)
    api = PayPalApi(world)
    if past is None:
        world.recorder = journal.begin(path, world)
    else:
        journal.replay(past, world, {"paypal": api})
        world.recorder = journal.Journal(path)
    return world, api


class Caller:
    """Speaks to the API as a function."""

    def __init__(self, world, api, stored):
        self.world, self.api, self.stored = world, api, stored
        self.refresh()

    def refresh(self):
        from base64 import b64encode

        pair = f"{self.stored['client_id']}:{self.stored['client_secret']}".encode()
        answer = self.api.respond(
            Request(
                "POST",
                "/v1/oauth2/token",
                body="grant_type=client_credentials",
                headers={"authorization": f"Basic {b64encode(pair).decode()}"},
            )
        )
        self.token = json.loads(answer.body)["access_token"]

    def __call__(self, method, path, body=None, key=None, query=""):
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        if key is not None:
            headers["paypal-request-id"] = key
        text = "" if body is None else json.dumps(body)
        return self.api.respond(Request(method, path, query, text, headers))


def test_everything_done_through_the_api_is_there_again_after_a_kill(scenario_of, tmp_path):
    scenario = scenario_of(faults=FAULTS, success=0.8, warmup="1h", options=", fallback_credential: true")
    path = tmp_path / "state.jsonl"
    world, api = opened(path, scenario)
    world.advance(world.start)
    call = Caller(world, api, credentials(scenario)["paypal-live"])
    (account,) = world.accounts.values()
    for minute in range(1, 16):
        now = world.start + timedelta(minutes=minute)
        for number, send in enumerate(world.due_deliveries(now)):
            (world.delivery_failed if number % 5 == 0 else world.delivered)(send, now)
    capture = next(c for c in account.charges.rows if account.shows_capture(c) and not c.decline)
    reserved = [c for c in account.charges.rows if c.expires_ms is not None]
    owing = next(each for each in account.subscriptions.rows if each.outstanding)
    webhook = account.own_endpoint.secret
    money = account.shapes.subscription(owing)["billing_info"]["outstanding_balance"]
    done = [
        ("POST", f"/v2/payments/captures/{capture.id}/refund", {}, "k1", 201),
        ("POST", f"/v2/payments/captures/{capture.id}/refund", {}, "k1", 201),
        ("POST", f"/v2/payments/captures/{capture.id}/refund", {}, "k2", 422),
        ("POST", f"/v2/payments/authorizations/{reserved[0].id}/capture", {"final_capture": True}, "k3", 201),
        ("POST", f"/v2/payments/authorizations/{reserved[1].id}/void", None, None, 204),
        (
            "POST",
            f"/v1/billing/subscriptions/{owing.id}/capture",
            {"note": "n", "capture_type": "OUTSTANDING_BALANCE", "amount": money},
            "k4",
            200,
        ),
        (
            "POST",
            f"/v1/billing/subscriptions/{account.subscriptions.rows[-1].id}/suspend",
            {"reason": "r"},
            None,
            204,
        ),
        ("POST", f"/v1/notifications/webhooks-events/{account.events.rows[0].id}/resend", {}, None, 202),
        (
            "POST",
            "/v1/notifications/simulate-event",
            {"webhook_id": webhook, "event_type": "PAYMENT.CAPTURE.COMPLETED"},
            None,
            202,
        ),
        (
            "PATCH",
            f"/v1/notifications/webhooks/{webhook}",
            [{"op": "replace", "path": "/url", "value": "https://paypal.sim/elsewhere"}],
            None,
            200,
        ),
        (
            "POST",
            "/v1/notifications/webhooks",
            {"url": "https://shop.example/hook", "event_types": [{"name": "*"}]},
            None,
            201,
        ),
    ]
    for method, address, body, key, status in done:
        answer = call(method, address, body, key)
        assert answer.status == status, (address, answer.body)
    again, api_again = opened(path, scenario)
    again.advance(world.now)
    assert picture(again) == picture(world)
    assert ledger.books(again) == ledger.books(world)
    assert api_again._kept == api._kept
    for each in (world, again):
        each.advance(world.start + timedelta(hours=2))
    assert picture(again) == picture(world)


def test_every_word_of_a_refusal_has_its_own_wording():
    assert set(BY_WORD) == set(WORDS)
    assert sum(decline.share for decline in BY_WORD.values()) == pytest.approx(1)


def test_tables_of_parameters_name_calls_there_are():
    assert set(QUERIES) | set(BODIES) | set(REQUIRED) <= set(ROUTES)
    for called, names in REQUIRED.items():
        assert set(names) <= set({**QUERIES, **BODIES}[called])


@pytest.fixture(scope="module")
def caller():
    from payops.simulator import scenario as scenarios

    scenario = scenarios.parse(
        "schema: payops.scenario/v1\nname: quiet\nseed: 3\nstart: 2026-01-15T09:00:00Z\nwarmup: 1m\n"
        "providers:\n  paypal: {mode: live, payments_per_minute: 0}\n",
        "quiet.yaml",
    )
    world = World(scenario)
    world.advance(world.start)
    return Caller(world, PayPalApi(world), credentials(scenario)["paypal-live"])


LISTS = [called.partition(" ")[2] for called in ROUTES if called.startswith("GET ") and "{" not in called]


@pytest.mark.parametrize("path", LISTS)
def test_unknown_parameter_is_refused_by_name(caller, path):
    given = {"start_date": "2026-01-15T00:00:00Z", "end_date": "2026-01-15T01:00:00Z"}
    known = "&".join(f"{k}={v}" for k, v in given.items()) if "reporting" in path else ""
    answer = caller("GET", path, query=f"{known}&starting_after=x")
    body = json.loads(answer.body)
    assert (answer.status, body["details"][0]["field"]) == (400, "starting_after")
    assert body["name"] == ("VALIDATION_ERROR" if "notifications" in path else "INVALID_REQUEST")
    assert body["debug_id"] == answer.headers["PayPal-Debug-Id"]


def test_body_null_of_a_get_is_no_body(caller):
    answer = caller.api.respond(
        Request(
            "GET",
            "/v1/notifications/webhooks",
            "",
            "null",
            {"authorization": f"Bearer {caller.token}", "content-type": "application/json"},
        )
    )
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("PUT", "/v1/notifications/webhooks", 405, "METHOD_NOT_SUPPORTED"),
        ("DELETE", "/v2/payments/captures/X", 405, "METHOD_NOT_SUPPORTED"),
        ("GET", "/v2/payments/captures", 404, "RESOURCE_NOT_FOUND"),
        ("GET", "/", 404, "RESOURCE_NOT_FOUND"),
    ],
)
def test_method_or_address_that_is_not_there(caller, method, path, status, name):
    answer = caller(method, path)
    assert (answer.status, json.loads(answer.body)["name"]) == (status, name)


def test_body_that_is_no_json_or_says_so_wrongly(caller):
    path = "/v1/notifications/webhooks"
    headers = {"authorization": f"Bearer {caller.token}", "content-type": "application/json"}
    answer = caller.api.respond(Request("POST", path, "", "{", headers))
    assert (answer.status, json.loads(answer.body)["details"][0]["issue"]) == (400, "MALFORMED_REQUEST_JSON")
    answer = caller.api.respond(Request("POST", path, "", "{}", {**headers, "content-type": "text/plain"}))
    assert (answer.status, json.loads(answer.body)["name"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


_NAMES = {name for fields in BODIES.values() for name in fields} | {
    "value",
    "currency_code",
    "op",
    "path",
    "name",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(_NAMES)), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(called=st.sampled_from(sorted(ROUTES)), body=JSON, query=st.text("abc=&_%+0ü[]", max_size=12))
def test_no_request_breaks_the_api(caller, called, body, query):
    method, _, path = called.partition(" ")
    answer = caller(method, path.replace("{id}", "X"), body, query=query)
    assert answer.status in (200, 201, 202, 204, 400, 404, 422)
    if answer.body:
        json.loads(answer.body)
