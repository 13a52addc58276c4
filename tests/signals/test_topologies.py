"""What each topology lets be known of an endpoint, and nothing more: unknown is None, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from payops import config
from payops.config import Settings
from payops.domain.events import Facts, Owed
from payops.domain.imports import ImportedEvent, ImportedPage
from payops.engine.cards import _backlog
from payops.signals import backlog, endpoint_board, object_gaps, read
from payops.store import Store

Made = dict[str, Any]
ACCOUNT = "stripe-live"
OURS = f"https://payops.example/webhooks/{ACCOUNT}"
ENDPOINTS: Mapping[str, dict[str, str]] = {
    "observer": {"url": "https://shop.example/hooks"},
    "relay": {"url": OURS, "forward_to": "https://shop.example/hooks"},
    "import": {"url": "https://shop.example/hooks", "source": "inbox.jsonl"},
}
MIN = timedelta(minutes=1)


def settings(topology: str) -> Settings:
    endpoint = {"name": "shop", "topology": topology, **ENDPOINTS[topology]}
    account = {
        "name": ACCOUNT,
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "endpoints": [endpoint],
    }
    return config.parse({"schema": config.SCHEMA, "accounts": [account]}, base=Path(), source="test")


def listed(store: Store, made: Made, now: datetime, *names: str) -> None:
    events = tuple(made["event"](name, now - 30 * MIN + n * MIN) for n, name in enumerate(names))
    store.facts.apply_page(ACCOUNT, made["page"](facts=Facts(events=events)), now)


def received(store: Store, made: Made, now: datetime, *names: str) -> None:
    import dataclasses

    owed = Owed(("shop",), "p", now)
    at = now - 30 * MIN
    store.inbox.receive([dataclasses.replace(made["delivery"](name, at), owed=owed) for name in names])


def imported(store: Store, now: datetime, *events: tuple[str, bool], tells: bool = True, **page: Any) -> None:
    at = now - 31 * MIN
    found = tuple(ImportedEvent(name, "charge.succeeded", at, at if done else None) for name, done in events)
    store.applications.apply(
        ACCOUNT, "shop", "inbox.jsonl", ImportedPage(found, "{}", False, tells, **page), now
    )


def row(store: Store, of: Settings, now: datetime, source: str = "webhooks") -> Mapping[str, Any]:
    (found,) = read(store, of, now)[source]
    return found.values


def test_of_an_application_beside_ours_nothing_is_known(store: Store, made: Made, now: datetime) -> None:
    of = settings("observer")
    listed(store, made, now, "a", "b")
    values = row(store, of, now)
    assert {name for name, value in values.items() if value is not None} == set()
    total = backlog.read(store, of.accounts[0], of.accounts[0].endpoints[0], now).total
    assert (total.missing, total.unprocessed, total.dead, total.drain_s, total.growth_per_min) == (None,) * 5
    gaps = object_gaps.read(store, of.accounts[0], of.accounts[0].endpoints[0], now)
    assert (gaps.events, gaps.objects) == (None, None) and "not known here" in gaps.events_unknown
    (card,) = endpoint_board.read(store, of, now)
    assert (card.share, card.unprocessed, card.dead, card.last_received_at, card.failing_days) == (None,) * 5


def test_of_a_relay_processed_is_what_its_application_took(store: Store, made: Made, now: datetime) -> None:
    of = settings("relay")
    received(store, made, now, "a", "b", "c")
    listed(store, made, now, "a", "b", "c", "lost")
    for each in store.inbox.pending(10, now):
        store.inbox.process(each, Facts(), now)
    (taken, dead, waits) = store.forwards.due(now, "p", others=True, limit=9)
    store.forwards.delivered(taken, 200, "received", now)
    claimed = store.forwards.claim(dead, now, "p")
    assert claimed is not None
    store.forwards.failed(claimed, 503, "it answered 503", "received", final=True)
    values = row(store, of, now)
    assert (values["missing"], values["unprocessed"], values["dead"]) == (1, 1, 1)
    assert values["oldest_unprocessed_s"] == 30 * 60 - 1
    assert (values["growth_per_min"], values["drain_s"]) == (pytest.approx(-2 / 15), 450)
    total = backlog.read(store, of.accounts[0], of.accounts[0].endpoints[0], now).total
    assert (total.missing, total.unprocessed, total.dead) == (1, 1, 1)
    (card,) = endpoint_board.read(store, of, now)
    assert (card.ours, card.share, card.share_of, card.unprocessed, card.dead) == (True, 0.75, 4, 1, 1)
    account = _backlog(read(store, of, now), of.accounts[0], store, now)
    assert (account.unprocessed, account.dead, account.missing) == (1, 1, 1)
    assert waits.event_id not in (taken.event_id, dead.event_id)


def test_a_relay_s_backlog_that_drains_says_when_it_is_gone(store: Store, made: Made, now: datetime) -> None:
    of = settings("relay")
    received(store, made, now, *[f"e{n}" for n in range(40)])
    for each in store.forwards.due(now, "p", others=True, limit=30):
        store.forwards.delivered(each, 200, "received", now - MIN)
    values = row(store, of, now)
    assert (values["unprocessed"], values["growth_per_min"], values["drain_s"]) == (10, -2.0, 300)


def test_of_an_import_the_application_s_own_inbox_tells(store: Store, made: Made, now: datetime) -> None:
    of = settings("import")
    assert row(store, of, now)["unprocessed"] is None
    imported(store, now, ("a", True), ("b", False))
    listed(store, made, now, "a", "b", "lost")
    values = row(store, of, now)
    assert (values["missing"], values["unprocessed"], values["dead"]) == (1, 1, None)
    assert (values["received_15m"], values["oldest_unprocessed_s"]) == (0, 31 * 60)
    gaps = object_gaps.read(store, of.accounts[0], of.accounts[0].endpoints[0], now)
    assert gaps.events is not None and [gap.ids for gap in gaps.events] == [("lost",)]
    assert "not in the application's inbox" in gaps.events[0].why
    assert gaps.objects is None and "by id" in gaps.objects_unknown
    (card,) = endpoint_board.read(store, of, now)
    assert (card.share_of, card.unprocessed, card.dead) == (3, 1, None)
    account = _backlog(read(store, of, now), of.accounts[0], store, now)
    assert (account.unprocessed, account.missing) == (1, 1)


def test_an_import_that_does_not_tell_what_is_processed_leaves_it_unknown(
    store: Store, made: Made, now: datetime
) -> None:
    of = settings("import")
    imported(store, now, ("a", False), tells=False)
    listed(store, made, now, "a")
    values = row(store, of, now)
    assert (values["missing"], values["unprocessed"], values["oldest_unprocessed_s"], values["drain_s"]) == (
        0, None, None, None,
    )  # fmt: skip


def test_what_a_line_that_cannot_be_used_may_hide_is_not_called_missing(
    store: Store, made: Made, now: datetime
) -> None:
    of = settings("import")
    imported(store, now, ("a", True), wrong=("inbox.jsonl:2: not JSON",), wrong_count=1)
    listed(store, made, now, "a", "hidden")
    assert row(store, of, now)["missing"] == 0
    (card,) = endpoint_board.read(store, of, now)
    assert card.share_of == 0


def test_an_inbox_that_is_not_read_any_more_says_nothing_about_what_came_since(
    store: Store, made: Made, now: datetime
) -> None:
    of = settings("import")
    imported(store, now - 29 * MIN, ("a", True))
    store.applications.failed(ACCOUNT, "shop", "inbox.jsonl", "no such file", now)
    listed(store, made, now, "a", "later", "latest")
    assert row(store, of, now)["missing"] == 0


@pytest.mark.parametrize("topology", ["relay", "import"])
def test_silence_of_an_inbox_that_is_known_is_judged(
    store: Store, made: Made, now: datetime, topology: str
) -> None:
    of = settings(topology)
    arrived = [(f"e{n}", now - 3 * timedelta(hours=1) + n * MIN) for n in range(25)]
    if topology == "relay":
        store.inbox.receive([made["delivery"](name, at) for name, at in arrived])
    else:
        page = ImportedPage(
            tuple(ImportedEvent(name, None, at, at) for name, at in arrived), "{}", False, True
        )
        store.applications.apply(ACCOUNT, "shop", "inbox.jsonl", page, now)
    listed(store, made, now, "x", "y", "z")
    assert row(store, of, now)["silent"] is True


def test_forwarding_is_a_signal_of_a_relay_alone(store: Store, made: Made, now: datetime) -> None:
    received(store, made, now, "a", "b")
    (first, _) = store.forwards.due(now, "p", others=True, limit=9)
    claimed = store.forwards.claim(first, now, "p")
    assert claimed is not None
    store.forwards.failed(claimed, None, "connection refused", "received", final=False)
    values = row(store, settings("relay"), now, "forwarding")
    assert values == {
        "waiting": 2, "failing": 1, "failing_s": 1799, "dead": 0, "taken_s": None, "answers": "no answer × 1",
    }  # fmt: skip
    for topology in ("observer", "import"):
        assert set(row(store, settings(topology), now, "forwarding").values()) == {None}
