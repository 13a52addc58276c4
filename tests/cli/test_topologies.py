"""`payops webhooks` where an application is relayed to, and where its own inbox is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click.testing
import pytest
from shop import Shop

from payops import config
from payops.cli.main import payops
from payops.clock import iso, to_epoch, utc_now
from payops.domain.errors import PayopsError, ProviderError
from payops.domain.events import (
    ApiCall,
    CredentialProof,
    Delivery,
    Endpoint,
    Facts,
    FeedPage,
    Owed,
    WebhookEvent,
)
from payops.domain.payments import Attempt
from payops.engine import replay
from payops.providers.port import ActionAnswer
from payops.receiver.importing import import_inboxes
from payops.store import Store

ACCOUNT = "stripe-live"
NOW = utc_now().replace(microsecond=0) - timedelta(hours=1)
CONFIG = """
schema = "payops.config/v1"
store = "payops.db"
[[operators]]
name = "ana"
roles = ["operator"]
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "file:key"
webhook_secrets = ["file:whsec"]
[[accounts.endpoints]]
name = "shop"
url = "https://ops.example/webhooks/stripe-live"
topology = "relay"
forward_to = "{url}?token=do-not-show"
[[accounts.endpoints]]
name = "books"
url = "https://books.example/hook"
topology = "import"
source = "books.jsonl"
[[accounts]]
name = "bt"
provider = "braintree"
mode = "live"
merchant_id = "file:bt"
public_key = "file:bt"
private_key = "file:bt"
[[accounts.endpoints]]
name = "bt-shop"
url = "https://ops.example/webhooks/bt"
topology = "relay"
forward_to = "{url}"
"""
ACTING = ("--operator", "ana", "--reason", "the shop lost them", "--yes", "--json")
Run = Callable[..., click.testing.Result]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path, shop: Shop) -> Path:
    written = tmp_path / "payops.toml"
    written.write_text(CONFIG.format(url=shop.url))
    secrets = {"key": "rk_live_1234567890abcdefghijkl", "whsec": "whsec_1234567890abcdef", "bt": "abc123"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return written


@pytest.fixture
def run(path: Path) -> Run:
    def invoke(*args: str, code: int = 0) -> click.testing.Result:
        result = click.testing.CliRunner().invoke(payops, ["webhooks", *args, "--config", str(path)])
        if not isinstance(result.exception, PayopsError):
            assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def delivery(n: int, account: str = ACCOUNT) -> Delivery:
    created = NOW + timedelta(minutes=n)
    charge = {
        "id": f"ch_{n}", "object": "charge", "created": to_epoch(created), "livemode": True, "amount": 100 * n,
        "currency": "eur", "status": "succeeded",
    }  # fmt: skip
    content = {
        "id": f"evt_{n}", "object": "event", "type": "charge.succeeded", "created": to_epoch(created),
        "livemode": True, "data": {"object": charge},
    }  # fmt: skip
    event = WebhookEvent(account, f"evt_{n}", "charge.succeeded", created, True, f"ch_{n}", 100 * n, "eur")
    shop = "shop" if account == ACCOUNT else "bt-shop"
    owed = Owed((shop,), "gone", created)
    return Delivery(account, event, created, json.dumps(content), "ab" * 32, "signature", owed)


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(config.load(str(path)).store_path, now=utc_now()) as opened:
        opened.inbox.receive([delivery(n) for n in range(1, 6)])
        yield opened


class Provider:
    """Knows every event but those named gone."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.resent: list[tuple[str, str]] = []
        self.gone: set[str] = set()

    def use_slot(self, slot: int) -> None: ...

    def fetch_event(self, event_id: str, now: datetime) -> bytes:
        self.asked.append(event_id)
        if event_id in self.gone:
            raise ProviderError("invalid_request", "no such event", provider="stripe", account=ACCOUNT)
        return json.dumps({"id": event_id}).encode()

    def resend_event(self, event_id: str, endpoint_id: str, key: str, now: datetime) -> ActionAnswer:
        self.resent.append((event_id, endpoint_id))
        return ActionAnswer(("req_1",))

    def calls(self) -> tuple[ApiCall, ...]:
        return (ApiCall("events", 10, None, 200, NOW),)

    def close(self) -> None: ...


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    opened = Provider()
    monkeypatch.setattr(replay, "open_provider", lambda *_: opened)
    return opened


def document(result: click.testing.Result) -> Any:
    return json.loads(result.stdout)


def test_a_replay_to_a_relay_fetches_oldest_first_behind_a_canary_and_counts_what_was_taken(
    store: Store, run: Run, provider: Provider, shop: Shop
) -> None:
    planned = document(run("replay", "--account", ACCOUNT, "--to", "shop", "--dry-run", "--json"))
    assert (planned["events"], planned["money"]) == (5, [{"currency": "EUR", "amount_minor": 1500}])
    assert (shop.taken, provider.asked) == ([], [])
    done = document(run("replay", "--account", ACCOUNT, "--to", "shop", *ACTING))
    assert (done["replayed"], done["failed"], done["left"]) == (5, 0, 0)
    assert shop.events == provider.asked == [f"evt_{n}" for n in range(1, 6)]
    assert json.loads(shop.taken[0].body) == {"id": "evt_1"}
    assert store.forwards.counts(ACCOUNT, "shop").waiting == 0
    asked = [row for row in store.audit.rows() if row.what == "ask replay"]
    assert len(asked) == 2, "a canary, and the rest"


def test_the_rest_is_not_begun_when_the_application_does_not_take_the_canary(
    store: Store, run: Run, provider: Provider, shop: Shop
) -> None:
    shop.answer = lambda taken: 500
    done = document(run("replay", "--account", ACCOUNT, "--to", "shop", *ACTING, code=1))
    assert (done["replayed"], done["failed"], done["left"], shop.events) == (0, 1, 4, ["evt_1"])
    assert "canary failed" in done["message"] and "answered 500" in done["message"]
    row = store.forwards.get(ACCOUNT, "shop", "evt_1")
    assert row is not None and (row.state, row.tries) == ("waiting", 1)  # and is tried again by itself


def test_what_the_provider_does_not_have_any_more_is_a_dead_letter_that_can_be_found(
    store: Store, run: Run, provider: Provider, shop: Shop
) -> None:
    provider.gone = {"evt_2"}
    done = document(run("replay", "--account", ACCOUNT, "--to", "shop", *ACTING, code=1))
    assert (done["replayed"], done["failed"]) == (4, 1)
    dead = document(run("list", "--forwarding", "dead", "--json"))
    assert [event["event_id"] for event in dead["events"]] == ["evt_2"]
    (forwarding,) = document(run("show", "evt_2", "--json"))["forwarding"]
    assert (forwarding["endpoint"], forwarding["state"], forwarding["tries"]) == ("shop", "dead", 1)
    assert "no such event" in forwarding["last_error"]
    assert "forwarding to shop: dead after 1 tries" in run("show", "evt_2").stdout
    provider.gone = set()
    again = document(run("replay", "--forwarding", "dead", "--to", "shop", *ACTING))
    assert (again["replayed"], shop.events[-1]) == (1, "evt_2")


def test_what_a_later_state_has_overtaken_is_not_sent_to_an_application(
    store: Store, run: Run, provider: Provider
) -> None:
    later = NOW + timedelta(hours=1)
    known = Attempt(
        account=ACCOUNT, attempt_id="ch_3", at=NOW, changed_at=later, status="succeeded", payment_id="pi_3",
        amount_minor=300, currency="EUR",
    )  # fmt: skip
    store.facts.apply_facts(ACCOUNT, Facts(attempts=(known,)), later)
    planned = document(run("replay", "--account", ACCOUNT, "--to", "shop", "--dry-run", "--json"))
    assert planned["events"] == 4
    (skipped,) = planned["skipped"]
    assert (skipped["event_id"], "overtaken" in skipped["why"]) == ("evt_3", True)


def test_a_relay_s_event_can_be_sent_again_by_the_provider_with_its_own_signature(
    store: Store, run: Run, provider: Provider, shop: Shop
) -> None:
    store.forwards.owe_again(ACCOUNT, "shop", ["evt_1"], "", NOW)
    (row, *_) = store.forwards.due(utc_now(), "", others=True, limit=9)
    store.forwards.delivered(row, 200, "received", NOW)
    ours = Endpoint(ACCOUNT, "we_1", "https://ops.example/webhooks/stripe-live", "enabled", ("*",), True)
    store.facts.save_endpoint(ours, NOW)
    store.facts.save_proof(CredentialProof(ACCOUNT, 0, "rk_…", NOW, True, "acct_1", "live"))
    told = document(run("replay", "evt_1", "--to", "shop", "--resend", *ACTING))
    assert (told["replayed"], provider.resent, provider.asked, shop.taken) == (1, [("evt_1", "we_1")], [], [])
    waiting = store.forwards.get(ACCOUNT, "shop", "evt_1")
    assert waiting is not None and (waiting.state, waiting.tries) == ("waiting", 0)
    assert (
        store.forwards.due(
            utc_now(),
            "engine",
            others=True,
            limit=99,
            only=(ACCOUNT, "shop"),
            but=[f"evt_{n}" for n in range(2, 6)],
        )
        == []
    )
    now = utc_now()
    store.inbox.receive([replace(delivery(1), received_at=now, owed=Owed(("shop",), "receiver", now))])
    (due,) = store.forwards.due(now, "receiver", others=False, limit=9)
    assert (due.event_id, due.holder) == ("evt_1", "receiver")
    assert "is not relayed" in str(
        run("replay", "evt_1", "--to", "books", "--resend", *ACTING, code=2).exception
    )
    assert "needs --to" in str(run("replay", "evt_1", "--resend", *ACTING, code=2).exception)


def test_while_everything_is_stopped_nothing_is_sent(
    store: Store, run: Run, provider: Provider, shop: Shop
) -> None:
    store.switches.stop("ana", "look first", NOW)
    done = document(run("replay", "evt_1", "--to", "shop", *ACTING, code=1))
    assert "stopped by ana" in done["message"] and shop.taken == []


def test_braintree_has_nothing_to_fetch_and_the_objects_are_named(store: Store, run: Run) -> None:
    store.inbox.receive([delivery(7, "bt")])
    refused = run("replay", "evt_7", "--to", "bt-shop", "--dry-run", code=1)
    assert "no list of events" in str(refused.exception) and "the objects are ch_7" in str(refused.exception)


def test_an_event_only_the_provider_lists_can_be_sent_to_an_application(
    store: Store, run: Run, provider: Provider, shop: Shop
) -> None:
    event = replace(delivery(9).event, event_id="evt_listed")
    store.facts.apply_facts(ACCOUNT, Facts(events=(event,)), NOW)
    assert "in the inbox" in str(run("replay", "evt_listed", "--dry-run", code=2).exception)
    document(run("replay", "evt_listed", "--to", "shop", *ACTING))
    assert shop.events == ["evt_listed"]


def test_the_board_says_how_forwarding_and_reading_stand_and_shows_no_secret(
    store: Store, run: Run, path: Path
) -> None:
    events = [delivery(n).event for n in range(1, 8)]
    store.facts.apply_page(
        ACCOUNT, FeedPage("events", 7, 1, data_as_of=utc_now(), facts=Facts(events=tuple(events))), utc_now()
    )
    lines = [
        {"event_id": f"evt_{n}", "received_at": iso(NOW), "processed_at": iso(NOW)} for n in (1, 2, 3, 4)
    ]
    (path.parent / "books.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    import_inboxes(store, config.load(str(path)), utc_now())
    (shop, books, _) = document(run("endpoints", "--json"))["endpoints"]
    assert (shop["topology"], shop["received"], shop["unprocessed"], shop["dead"]) == ("relay", 5, 5, 0)
    assert (shop["forwarding"]["waiting"], shop["forwarding"]["last_taken_at"], shop["import"]) == (
        5,
        None,
        None,
    )
    assert shop["success_share"] == pytest.approx(5 / 7)
    assert (books["topology"], books["received"], books["unprocessed"], books["dead"]) == (
        "import",
        4,
        0,
        None,
    )
    assert (books["import"]["problem"], books["import"]["wrong_lines"]) == (None, 0)
    (shop, books, _) = document(run("gaps", "--json"))["gaps"]
    assert (shop["missing"], shop["ids"]) == (2, ["evt_6", "evt_7"])
    assert (books["missing"], books["ids"]) == (3, ["evt_5", "evt_6", "evt_7"])
    assert books["money"] == [{"currency": "EUR", "amount_minor": 1800}]
    assert books["resend_until"] == iso(events[4].created_at + timedelta(days=30))
    assert (books["objects"], "by id" in books["objects_unknown"]) == (None, True)
    shown = run("endpoints")
    assert "forwards to http://127.0.0.1" in shown.stderr and "5 wait" in shown.stderr
    assert "do-not-show" not in shown.output + run("endpoints", "--json").output
    assert "no dead letter" not in shown.stderr and "evt_5" in run("gaps").stdout
