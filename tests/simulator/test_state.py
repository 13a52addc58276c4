"""With a state file the world goes on where it was, whenever the process was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from payops import config
from payops.domain.catalogue import REMEDY_IDS
from payops.domain.errors import UsageError
from payops.remedies.probe import http_probe
from payops.simulator import journal, ledger
from payops.simulator.kinds import credentials
from payops.simulator.scenario import Scenario
from payops.simulator.serve import serve
from payops.simulator.stripe.api import Request, StripeApi
from payops.simulator.world import World

from .conftest import ACCOUNT, Receiver, make_scenario, sdk
from .test_world import picture

SCENARIO = make_scenario(
    rate=10,
    faults="""
  - {kind: webhook_endpoint_disabled, provider: stripe, at: 5m}
  - {kind: receiver_down, provider: stripe, at: 12m, until: 14m}
""",
)


def opened(path: Path, scenario: Scenario = SCENARIO) -> tuple[World, StripeApi]:
    """A world with its state in `path`, as `payops simulate --state` opens it."""
    past = journal.read(path, scenario, scenario.seed)
    world = World(scenario, start=None if past is None else past.start)
    api = StripeApi(world)
    if past is None:
        world.recorder = journal.begin(path, world)
    else:
        journal.replay(past, world, {"stripe": api})
        world.recorder = journal.Journal(path)
    return world, api


def live_a_little(world: World, api: StripeApi) -> None:
    """Deliveries answered well and badly, an endpoint enabled, events resent, money refunded twice over one key."""
    key = credentials(SCENARIO)[ACCOUNT]["api_key"]
    account = world.accounts[ACCOUNT]

    def post(path: str, body: str, idempotency: str) -> int:
        headers = {"authorization": f"Bearer {key}", "idempotency-key": idempotency}
        return api.respond(Request("POST", path, body=body, headers=headers)).status

    for minute in range(1, 31):
        now = world.start + timedelta(minutes=minute)
        for number, send in enumerate(world.due_deliveries(now)):
            (world.delivery_failed if number % 5 == 0 else world.delivered)(send, now)
        if minute == 9:
            endpoint = f"/v1/webhook_endpoints/{account.own_endpoint.id}"
            assert post(endpoint, "disabled=false", "e") == 200
        if minute == 10:
            for event in [e for e in account.events.rows if not e.waiting][-5:]:
                body = f"webhook_endpoint={account.own_endpoint.id}"
                assert post(f"/v1/events/{event.id}/retry", body, event.id) == 200
        if minute == 20:
            charge = next(c for c in account.charges.rows if c.decline is None)
            for _ in range(2):
                assert post("/v1/refunds", f"charge={charge.id}&amount=7", "r") == 200
            assert post("/v1/refunds", "charge=ch_no", "bad") == 400


def test_replayed_world_is_the_same_world(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    world, api = opened(path)
    world.advance(world.start)
    live_a_little(world, api)
    again, api_again = opened(path)
    again.advance(world.now)
    assert picture(again) == picture(world)
    assert ledger.books(again) == ledger.books(world)
    assert again.accounts[ACCOUNT].own_endpoint.received == world.accounts[ACCOUNT].own_endpoint.received
    assert api_again._kept == api._kept
    later = world.now + timedelta(hours=2)
    for each in (world, again):
        each.advance(later)
    assert picture(again) == picture(world)


def test_writes_at_one_instant_are_replayed_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    world, api = opened(path)
    world.advance(world.start)
    account = world.accounts[ACCOUNT]
    headers = {"authorization": f"Bearer {credentials(SCENARIO)[ACCOUNT]['api_key']}"}
    ours, event = account.own_endpoint.id, account.events.rows[-1].id
    for call, body in (
        (f"/v1/events/{event}/retry", f"webhook_endpoint={ours}"),
        (f"/v1/webhook_endpoints/{ours}", "disabled=true"),
    ):
        assert api.respond(Request("POST", call, body=body, headers=headers)).status == 200
    again, _ = opened(path)
    for each in (world, again):
        each.advance(world.start + timedelta(seconds=1))
    assert picture(again) == picture(world)
    assert [send.event.id for send in world.due_deliveries(world.now)] == [event]


@pytest.mark.parametrize("tail", [b'{"at":17', b"\x00\x00", b'{"input":"delivery"}'])
def test_torn_last_line_never_happened(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "state.jsonl"
    world, api = opened(path)
    world.advance(world.start)
    live_a_little(world, api)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    again, _ = opened(path)
    again.advance(world.now)
    assert picture(again) == picture(world)
    assert path.read_bytes() == whole, "the next record starts on a line of its own"


def test_state_that_holds_no_whole_line_is_a_new_world(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    path.write_bytes(b'{"format":"payops.sim')
    world, _ = opened(path)
    assert world.start == SCENARIO.start
    assert json.loads(path.read_text().splitlines()[0])["start"] == world.start_ms


def test_state_of_another_world_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    opened(path)
    other = make_scenario(rate=11)
    for scenario, seed in ((SCENARIO, 99), (other, other.seed)):
        with pytest.raises(UsageError, match=r"state\.jsonl: belongs to another scenario or seed"):
            journal.read(path, scenario, seed)


def test_damaged_state_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    opened(path)
    path.write_bytes(path.read_bytes() + b"garbage\n")
    with pytest.raises(UsageError, match=r"state\.jsonl:2: not a record"):
        journal.read(path, SCENARIO, SCENARIO.seed)


# From here on in real processes and real time.

CHILD = """
import json, sys, threading
from pathlib import Path
from payops.simulator.serve import serve
scenario, state, config, receiver = sys.argv[1:]
serve(scenario, state=Path(state), write_config=Path(config), receiver=receiver,
      ready=lambda urls: print(json.dumps(urls), flush=True), stop_event=threading.Event())
"""
LIVELY = """schema: payops.scenario/v1
name: lively
seed: 5
warmup: 10m
duration: 1h
providers:
  stripe: {mode: live, payments_per_minute: 600, fallback_credential: true}
"""


@pytest.fixture
def child(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[[], tuple[subprocess.Popen[str], str]]]:
    scenario = tmp_path / "lively.yaml"
    scenario.write_text(LIVELY, "utf-8")
    running: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], str]:
        arguments = [
            str(scenario),
            str(tmp_path / "state.jsonl"),
            str(tmp_path / "payops.toml"),
            receiver.url,
        ]
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        running.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["stripe"]

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "not within the limit"
        time.sleep(0.02)


def test_killed_simulator_comes_back_with_all_it_had(
    tmp_path: Path, receiver: Receiver, child: Callable[[], tuple[subprocess.Popen[str], str]]
) -> None:
    process, url = child()
    key = config.resolve_secret(f"file:payops.secrets/{ACCOUNT}.api-key", tmp_path)
    client = sdk(url, key)
    ours = client.v1.webhook_endpoints.list().data[0]
    client.v1.webhook_endpoints.update(ours.id, {"description": "before the kill"})
    charge = next(c for c in client.v1.charges.list({"limit": 100}).data if c.paid)
    once = {"idempotency_key": "refund-1"}
    refund = client.v1.refunds.create({"charge": charge.id, "amount": 5}, once)
    until(lambda: len(receiver.got) > 20)
    seen = {e.id: e.to_dict() for e in client.v1.events.list({"limit": 100}).data}
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(receiver.got)

    _, url = child()
    client = sdk(url, key)
    assert client.v1.webhook_endpoints.retrieve(ours.id).description == "before the kill"
    assert client.v1.refunds.create({"charge": charge.id, "amount": 5}, once).id == refund.id
    assert client.v1.charges.retrieve(charge.id).amount_refunded == 5
    for event_id, event in seen.items():
        again = client.v1.events.retrieve(event_id).to_dict()
        assert {**again, "pending_webhooks": 0} == {**event, "pending_webhooks": 0}
    until(lambda: len(receiver.got) > before + 20)
    undelivered = client.v1.events.list({"delivery_success": False, "limit": 100})
    until(
        lambda: (
            {e.id for e in undelivered.data} <= {json.loads(body)["id"] for _, body, _ in list(receiver.got)}
        )
    )
    counts: dict[str, int] = {}
    for _, body, _ in list(receiver.got):
        event_id = json.loads(body)["id"]
        counts[event_id] = counts.get(event_id, 0) + 1
    again = [event_id for event_id, n in counts.items() if n > 1]
    assert len(again) <= 1, "only the delivery under way at the kill may be sent twice"


def test_written_configuration_is_valid_and_private(tmp_path: Path, receiver: Receiver) -> None:
    path, scenario = tmp_path / "payops.toml", tmp_path / "lively.yaml"
    scenario.write_text(LIVELY, "utf-8")
    stop, urls = threading.Event(), []

    def ready(found: dict[str, str]) -> None:
        urls.append(found["stripe"])
        stop.set()

    for _ in range(2):  # the same command again may write its own file again
        stop.clear()
        serve(str(scenario), write_config=path, receiver=receiver.url, ready=ready, stop_event=stop)
    settings = config.load(str(path))
    account = settings.account(ACCOUNT)
    stored = credentials(make_scenario(options=", fallback_credential: true"), 5)[ACCOUNT]
    assert account.api_base == urls[-1] and account.api_key is not None
    assert config.resolve_secret(account.api_key, tmp_path) == stored["api_key"]
    assert config.resolve_secret(account.webhook_secrets[0], tmp_path) == stored["webhook_secrets"][0]
    fallback = account.fallback_credentials[0]
    assert fallback.api_key is not None
    assert config.resolve_secret(fallback.api_key, tmp_path) == stored["fallback_credentials"][0]["api_key"]
    assert [(e.name, e.url, e.topology, e.idempotent) for e in account.endpoints] == [
        ("payops", f"{receiver.url}/webhooks/{ACCOUNT}", "observer", True)
    ]
    assert [operator.name for operator in settings.operators] == ["demo", "demo2"]
    assert settings.mode == "armed"
    assert settings.arm[0].remedies == REMEDY_IDS
    assert f":{settings.receiver.port}" in receiver.url
    for file in (path, *(tmp_path / "payops.secrets").iterdir()):
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("published", [True, False])
def test_providers_know_payops_where_it_is_published(
    tmp_path: Path, receiver: Receiver, published: bool
) -> None:
    """Three servers, each on a port of its own; the applications are where somebody can reach them."""
    path, scenario = tmp_path / "payops.toml", tmp_path / "s.yaml"
    scenario.write_text(
        "schema: payops.scenario/v1\nname: all\nwarmup: 1m\nproviders:\n"
        "  stripe: {payments_per_minute: 1, endpoints: [{name: shop}]}\n"
        "  braintree: {payments_per_minute: 1}\n  paypal: {payments_per_minute: 1}\n",
        "utf-8",
    )
    stop, found = threading.Event(), []

    def ready(urls: dict[str, str]) -> None:
        found.append(urls)
        stop.set()

    serve(
        str(scenario),
        write_config=path,
        receiver=receiver.url,
        published=published,
        ready=ready,
        stop_event=stop,
    )
    assert list(found[0]) == ["stripe", "braintree", "paypal"] and len(set(found[0].values())) == 3
    settings = config.load(str(path))
    for account in settings.accounts:
        base = f"https://{account.provider}.sim" if published else receiver.url
        urls = {endpoint.name: endpoint.url for endpoint in account.endpoints}
        assert urls["payops"] == f"{base}/webhooks/{account.name}"
        assert account.api_base == found[0][account.provider]
        if "shop" in urls:
            assert urls["shop"] == f"{base if published else found[0]['stripe']}/apps/shop"


def test_foreign_configuration_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "payops.toml"
    path.write_text("mine = true\n", "utf-8")
    with pytest.raises(UsageError, match="was not written by payops simulate"):
        serve("healthy", write_config=path, ready=lambda urls: None, stop_event=threading.Event())
    assert path.read_text("utf-8") == "mine = true\n"


def test_disarmed_account_gets_no_arm_entry(tmp_path: Path) -> None:
    path, scenario = tmp_path / "payops.toml", tmp_path / "s.yaml"
    scenario.write_text(LIVELY.replace("fallback_credential: true", "armed: false"), "utf-8")
    stop = threading.Event()
    serve(str(scenario), write_config=path, ready=lambda urls: stop.set(), stop_event=stop)
    settings = config.load(str(path))
    assert settings.arm == ()
    assert settings.accounts[0].endpoints[0].url == f"http://127.0.0.1:8787/webhooks/{ACCOUNT}"


def test_the_simulator_answers_for_the_application_where_the_configuration_says_it_is(tmp_path: Path) -> None:
    path, scenario = tmp_path / "payops.toml", tmp_path / "s.yaml"
    scenario.write_text(LIVELY.replace("fallback_credential: true", "endpoints: [{name: shop}]"), "utf-8")
    stop, seen = threading.Event(), []

    def ready(urls: dict[str, str]) -> None:
        shop = next(e for e in config.load(str(path)).accounts[0].endpoints if e.name == "shop")
        seen.append(shop.url.removeprefix(urls["stripe"]))
        seen.append(http_probe().answers(shop.url))
        seen.append(http_probe().answers(f"{shop.url}2")[0])
        stop.set()

    serve(str(scenario), write_config=path, ready=ready, stop_event=stop)
    assert seen == ["/apps/shop", (True, "HTTP 200"), False]


def test_port_in_use_is_one_line_and_leaves_no_files(tmp_path: Path, receiver: Receiver) -> None:
    port = int(receiver.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=rf"port {port} on 127\.0\.0\.1 cannot be used"):
        serve(
            "healthy",
            ports=(port,),
            state=tmp_path / "state",
            write_config=tmp_path / "payops.toml",
            ready=lambda urls: None,
            stop_event=threading.Event(),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "receiver_url", ["8787", "https://127.0.0.1:1", "http://example.com:80", "http://[", "http://127.0.0.1"]
)
def test_receiver_must_be_an_address_of_this_machine(receiver_url: str) -> None:
    with pytest.raises(UsageError, match="--receiver must be"):
        serve("healthy", receiver=receiver_url, ready=lambda urls: None, stop_event=threading.Event())


def test_keys_are_the_same_for_the_same_seed_and_differ_by_kind() -> None:
    scenario = make_scenario(options=", fallback_credential: true, application_credential: true")
    stored = credentials(scenario)[ACCOUNT]
    assert stored == credentials(scenario, scenario.seed)[ACCOUNT] != credentials(scenario, 99)[ACCOUNT]
    keys = [
        stored["api_key"],
        stored["fallback_credentials"][0]["api_key"],
        stored["application_credential"],
    ]
    assert len(set(keys)) == 3 and all(key.startswith("rk_live_sim") for key in keys)
    assert stored["webhook_secrets"][0].startswith("whsec_")
    assert credentials(make_scenario())[ACCOUNT]["fallback_credentials"] == []


def test_a_written_configuration_says_where_applications_take_and_keep_their_events(
    tmp_path: Path, receiver: Receiver
) -> None:
    path, scenario = tmp_path / "payops.toml", tmp_path / "s.yaml"
    scenario.write_text(
        "schema: payops.scenario/v1\nname: all\nwarmup: 1m\nproviders:\n"
        "  stripe: {payments_per_minute: 1, endpoints: [{name: shop, topology: relay}]}\n"
        "  paypal: {payments_per_minute: 1, endpoints: [{name: books, topology: import}]}\n",
        "utf-8",
    )
    stop, urls = threading.Event(), []

    def ready(found: dict[str, str]) -> None:
        urls.append(found)
        stop.set()

    serve(str(scenario), write_config=path, receiver=receiver.url, ready=ready, stop_event=stop)
    settings = config.load(str(path))
    (shop,) = settings.account(ACCOUNT).endpoints
    assert (shop.name, shop.topology, shop.url) == ("shop", "relay", f"{receiver.url}/webhooks/{ACCOUNT}")
    assert shop.forward_to == f"{urls[0]['stripe']}/apps/shop"
    ours, books = settings.account("paypal-live").endpoints
    assert (ours.topology, books.topology) == ("observer", "import")
    assert books.source == "payops.inboxes/paypal-live.books.jsonl" and (tmp_path / books.source).is_file()
