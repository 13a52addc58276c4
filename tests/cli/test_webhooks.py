"""`payops webhooks`: what was received, what is missing, and doing it once more, as a person or a script asks for it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click.testing
import pytest

from payops import config
from payops.cli import replaying
from payops.cli.main import payops
from payops.clock import iso, to_epoch, utc_now
from payops.domain.errors import NotPossible, UsageError
from payops.domain.events import Delivery, Endpoint, Facts, FeedPage, WebhookEvent
from payops.engine import replay
from payops.store import Store
from payops.store.inbox import InboxFilter

ACCOUNT = "stripe-live"
OURS = f"https://ops.example/webhooks/{ACCOUNT}"
CONFIG = f"""
schema = "payops.config/v1"
store = "payops.db"
[[operators]]
name = "ana"
roles = ["operator"]
[[accounts]]
name = "{ACCOUNT}"
provider = "stripe"
mode = "live"
api_key = "file:key"
webhook_secrets = ["file:whsec"]
[[accounts.endpoints]]
name = "ours"
url = "{OURS}"
[[accounts.endpoints]]
name = "shop"
url = "https://shop.example/hook"
"""
BRAINTREE = """
[[accounts]]
name = "bt"
provider = "braintree"
mode = "live"
merchant_id = "file:bt"
public_key = "file:bt"
private_key = "file:bt"
[[accounts.endpoints]]
name = "bt-ours"
url = "https://ops.example/webhooks/bt"
"""
NOW = utc_now().replace(microsecond=0) - timedelta(hours=1)
Run = Callable[..., click.testing.Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "payops.toml"
    written.write_text(CONFIG)
    secrets = {"key": "rk_live_1234567890abcdefghijkl", "whsec": "whsec_1234567890abcdef", "bt": "abc123"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return written


@pytest.fixture
def run(path: Path) -> Run:
    def invoke(*args: str, code: int = 0) -> click.testing.Result:
        result = click.testing.CliRunner().invoke(payops, ["webhooks", *args, "--config", str(path)])
        if code == 2:
            assert isinstance(result.exception, UsageError | click.UsageError), result.output
        elif code == 1:
            assert result.exit_code == 1 or isinstance(result.exception, NotPossible), result.output
        else:
            assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def open_store(path: Path) -> Store:
    return Store.open(config.load(str(path)).store_path, now=utc_now())


def delivery(n: int, note: str = "") -> Delivery:
    created = NOW - timedelta(minutes=n)
    charge = {
        "id": f"ch_{n}", "object": "charge", "created": to_epoch(created), "livemode": True, "amount": 100 * n,
        "currency": "eur", "status": "succeeded", "description": note,
    }  # fmt: skip
    content = {
        "id": f"evt_{n}", "object": "event", "type": "charge.succeeded", "created": to_epoch(created),
        "livemode": True, "data": {"object": charge},
    }  # fmt: skip
    event = WebhookEvent(ACCOUNT, f"evt_{n}", "charge.succeeded", created, True, f"ch_{n}", 100 * n, "eur")
    return Delivery(ACCOUNT, event, NOW, json.dumps(content), "ab" * 32, "signature")


@pytest.fixture
def received(path: Path) -> Path:
    """Five events, none processed."""
    with open_store(path) as store:
        store.inbox.receive([delivery(n) for n in range(1, 6)])
    return path


def states(path: Path) -> dict[str, str]:
    with open_store(path) as store:
        return {row.event.event_id: row.state for row in store.inbox.search(InboxFilter(), 100)}


def document(result: click.testing.Result) -> Any:
    return json.loads(result.stdout)


def test_list_pages_and_says_how_many_match_and_what_they_are_worth(received: Path, run: Run) -> None:
    first = document(run("list", "--limit", "3", "--json"))
    assert [event["event_id"] for event in first["events"]] == ["evt_5", "evt_4", "evt_3"]
    assert first["matching"]["count"] == 5
    assert first["matching"]["money"] == [{"currency": "EUR", "amount_minor": 1500}]
    assert first["matching"]["oldest_at"] == iso(NOW - timedelta(minutes=5))
    rest = document(run("list", "--limit", "3", "--before", str(first["before"]), "--json"))
    assert [event["event_id"] for event in rest["events"]] == ["evt_2", "evt_1"]
    assert rest["before"] is None
    assert document(run("list", "--since", "30m", "--json"))["matching"]["count"] == 0
    assert document(run("list", "--since", iso(NOW), "--object", "ch_2", "--json"))["matching"]["count"] == 1
    shown = run("list", "--type", "charge.")
    assert "evt_1" in shown.stdout and "5 events match" in shown.stderr and "15.00 EUR" in shown.stderr


@pytest.mark.parametrize(
    "wrong",
    [("--since", "yesterday"), ("--state", "ded"), ("--account", "nobody")],
)
def test_a_filter_that_means_nothing_is_refused(received: Path, run: Run, wrong: tuple[str, str]) -> None:
    run("list", *wrong, code=2)


def test_show_tells_all_that_is_kept_of_one_event(received: Path, run: Run) -> None:
    shown = document(run("show", "evt_2", "--json"))
    assert (shown["sha256"], shown["verdict"], shown["deliveries"]) == ("ab" * 32, "signature", 1)
    assert (shown["tries"], shown["error"], shown["processed_at"]) == (0, None, None)
    assert shown["body"]["data"]["object"]["id"] == "ch_2"
    assert "error: unknown" in run("show", "evt_2").stdout
    assert "evt_9" in str(run("show", "evt_9", code=2).exception)


def test_what_an_event_says_cannot_act_on_the_terminal(path: Path, run: Run) -> None:
    with open_store(path) as store:
        store.inbox.receive([delivery(1, note="\x1b[2Jgone\u202e")])
    for result in (run("show", "evt_1"), run("show", "evt_1", "--json"), run("list")):
        assert "\x1b" not in result.output and "\u202e" not in result.output


def test_a_dry_run_says_what_would_be_replayed_and_changes_nothing(received: Path, run: Run) -> None:
    planned = document(run("replay", "--type", "charge.", "--dry-run", "--json"))
    assert (planned["events"], planned["skipped"]) == (5, [])
    assert planned["money"] == [{"currency": "EUR", "amount_minor": 1500}]
    assert (planned["oldest_at"], planned["newest_at"]) == (
        iso(NOW - timedelta(minutes=5)),
        iso(NOW - timedelta(minutes=1)),
    )
    assert set(states(received).values()) == {"received"}


def test_replay_processes_by_id_and_by_filter_and_keeps_who_and_why(received: Path, run: Run) -> None:
    acting = ("--operator", "ana", "--reason", "the parser was repaired", "--yes", "--json")
    done = document(run("replay", "--object", "ch_2", *acting))
    assert (done["replayed"], done["failed"], done["left"], done["cancelled"]) == (1, 0, 0, False)
    assert done["message"] is None
    all_ = run("replay", "--account", ACCOUNT, *acting)
    assert (document(all_)["replayed"], "5 of 5 replayed" in all_.stderr) == (5, True)
    assert set(states(received).values()) == {"processed"}
    with open_store(received) as store:
        assert store.facts.attempts_count(ACCOUNT) == 5
        asked = [row for row in store.audit.rows() if row.what == "ask replay"]
        assert len(asked) == 3, "one event alone; a canary; the rest"
        assert asked[0].who == "ana" and "the parser was repaired" in str(asked[0].detail)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "which events"),
        (("evt_1", "--state", "dead"), "not both"),
        (("evt_1", "--reason", "x", "--yes"), "--operator"),
        (("evt_1", "--operator", "ana", "--yes"), "--reason"),
        (("evt_1", "--operator", "ana", "--reason", "x"), "--yes"),
        (("evt_1", "--to", "ours", "--dry-run"), "payops's own"),
    ],
)
def test_a_replay_without_what_it_needs_changes_nothing(
    received: Path, run: Run, args: tuple[str, ...], said: str
) -> None:
    assert said in str(run("replay", *args, code=2).exception)
    assert set(states(received).values()) == {"received"}


def test_the_rest_is_not_begun_when_the_canary_fails(received: Path, run: Run) -> None:
    with open_store(received) as store, store.write() as db:
        for row in store.inbox.pending(10, NOW):
            store.inbox.process(row, Facts(), NOW)
        db.execute("UPDATE inbox SET body = '[]' WHERE event_id = 'evt_5'")
    done = document(
        run("replay", "--account", ACCOUNT, "--operator", "ana", "--reason", "x", "--yes", "--json", code=1)
    )
    assert (done["replayed"], done["failed"], done["left"]) == (0, 1, 4)
    assert "canary failed" in done["message"]
    assert states(received)["evt_5"] == "failed"


def test_ctrl_c_ends_with_the_batch_in_hand_and_says_what_was_done(
    received: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "BATCH", 2)
    asks = []
    real = replaying.ask

    def interrupted(*args: Any, **kind: Any) -> Any:
        asks.append(args)
        if len(asks) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **kind)

    monkeypatch.setattr(replaying, "ask", interrupted)
    before = signal.getsignal(signal.SIGINT)
    result = run(
        "replay", "--account", ACCOUNT, "--operator", "ana", "--reason", "x", "--yes", "--json", code=130
    )
    done = document(result)
    assert (done["replayed"], done["left"], done["cancelled"]) == (3, 2, True)
    assert [name for name, state in states(received).items() if state == "processed"]
    assert signal.getsignal(signal.SIGINT) == before


def test_gaps_list_ids_money_and_times_and_say_what_is_not_known(path: Path, run: Run) -> None:
    path.write_text(CONFIG + BRAINTREE)
    first = document(run("gaps", "--json"))["gaps"]
    assert [(gap["endpoint"], gap["missing"]) for gap in first] == [
        ("ours", None), ("shop", None), ("bt-ours", None),
    ]  # fmt: skip
    assert "no list of events" in first[2]["unknown"]
    with open_store(path) as store:
        store.inbox.receive([delivery(5)])
        events = tuple(delivery(n).event for n in (1, 2, 5))
        store.facts.apply_page(
            ACCOUNT, FeedPage("events", 3, 1, facts=Facts(events=events), data_as_of=utc_now()), utc_now()
        )
    (ours, shop, _) = document(run("gaps", "--json"))["gaps"]
    assert (ours["missing"], ours["ids"], ours["unknown"]) == (2, ["evt_2", "evt_1"], None)
    assert ours["money"] == [{"currency": "EUR", "amount_minor": 300}]
    assert (ours["first_at"], ours["last_at"]) == (
        iso(NOW - timedelta(minutes=2)),
        iso(NOW - timedelta(minutes=1)),
    )
    assert (shop["missing"], shop["ids"]) == (None, None)
    shown = run("gaps", "--account", ACCOUNT)
    assert "evt_2" in shown.stdout and "3.00 EUR" in shown.stdout and "unknown" in shown.stderr


def test_endpoints_are_shown_as_configured_and_as_the_provider_has_them(path: Path, run: Run) -> None:
    (ours, shop) = document(run("endpoints", "--json"))["endpoints"]
    assert (ours["status"], ours["missing_types"], ours["received"], shop["received"]) == (
        None,
        None,
        0,
        None,
    )
    with open_store(path) as store:
        store.inbox.receive([delivery(1)])
        listed = (
            Endpoint(ACCOUNT, "we_1", OURS, "enabled", ("charge.succeeded",), True, "2026-10-28.endive"),
            Endpoint(ACCOUNT, "we_2", "https://old.example/", "disabled", ("*",), True),
        )
        page = FeedPage("endpoints", 2, 1, endpoints=listed)
        store.facts.apply_page(ACCOUNT, page, utc_now())
    (ours, shop, old) = document(run("endpoints", "--json"))["endpoints"]
    assert (ours["provider_id"], ours["status"], ours["mode"]) == ("we_1", "enabled", "live")
    assert "charge.failed" in ours["missing_types"] and "charge.succeeded" not in ours["missing_types"]
    assert (ours["api_version"], ours["last_received_at"], ours["received"]) == (
        "2026-10-28.endive", iso(NOW), 1,
    )  # fmt: skip
    assert (shop["status"], shop["provider_id"], shop["topology"]) == (
        "not at the provider",
        None,
        "observer",
    )
    assert (old["endpoint"], old["status"], old["missing_types"]) == (None, "disabled", [])
    assert "not subscribed to charge.failed" in run("endpoints").stderr
