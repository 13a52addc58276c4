"""The engine in real time: a provider that accepts and never answers costs nobody anything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from payops import config
from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.engine.board import Board
from payops.engine.host import EngineHost
from payops.engine.local import StoreDesk
from payops.engine.outside import Outside
from payops.store import Store


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []
    closing = threading.Event()

    def accept() -> None:
        listener.settimeout(0.1)
        while not closing.is_set():
            try:
                kept.append(listener.accept()[0])
            except TimeoutError:
                continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    closing.set()
    thread.join()
    for connection in (*kept, listener):
        connection.close()


@pytest.fixture
def hung(tmp_path: Path, silence: int) -> Iterator[tuple[EngineHost, Store, config.Settings]]:
    settings = config.parse(
        {
            "schema": config.SCHEMA,
            "store": "payops.db",
            "receiver": {"port": 0},
            "operators": [{"name": "ana", "roles": ["operator"]}],
            "accounts": [
                {
                    "name": "stripe-live",
                    "provider": "stripe",
                    "mode": "live",
                    "api_key": "env:KEY",
                    "webhook_secrets": ["env:SECRET"],
                    "api_base": f"http://127.0.0.1:{silence}",
                }
            ],
        },
        base=tmp_path,
        source="test",
    )
    store = Store.open(settings.store_path, now=utc_now())
    host = EngineHost(store, settings, Outside(lambda reference: "rk_live_" + "x" * 24), operator="ana")
    yield host, store, settings
    host.stop()
    store.close()


def test_boards_keep_coming_and_quitting_takes_a_second_at_most(
    hung: tuple[EngineHost, Store, config.Settings],
) -> None:
    host, store, settings = hung
    boards: list[Board] = []
    enough = threading.Event()

    def listen(board: Board) -> None:
        boards.append(board)
        if len(boards) >= 3:
            enough.set()

    host.subscribe(listen)
    host.start()
    assert enough.wait(30), "three ticks while every call hangs"
    assert boards[-1].engine.mine
    desk = StoreDesk(store, settings, host, lambda: host.engine.runner, operator="ana", origin="test")
    asked = time.monotonic()
    result = desk.submit("stop", None, {"reason": "nothing answers"})
    assert result.ok, result.message
    assert time.monotonic() - asked < 20
    assert store.switches.stopped() is not None
    ended = time.monotonic()
    host.stop()
    assert time.monotonic() - ended < 8  # the hung calls end after 10


def test_the_lease_is_given_back_so_that_another_engine_starts_at_once(
    hung: tuple[EngineHost, Store, config.Settings],
) -> None:
    host, store, _ = hung
    ready = threading.Event()
    host.subscribe(lambda board: ready.set())
    host.start()
    assert ready.wait(30)
    assert store.leases.holder("engine", utc_now()) is not None
    host.stop()
    assert store.leases.holder("engine", utc_now()) is None


def test_a_tick_that_fails_still_does_what_people_ask_for_and_says_so(
    hung: tuple[EngineHost, Store, config.Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, store, settings = hung
    host.start()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("an odd incident")

    monkeypatch.setattr(host.engine.runner, "tick", fails)
    desk = StoreDesk(store, settings, host, lambda: host.engine.runner, operator="ana", origin="test")
    said = threading.Event()
    host.subscribe(lambda board: said.set() if "an odd incident" in board.headline else None)
    assert said.wait(20)
    assert desk.submit("stop", None, {"reason": "it fails"}).ok
    assert store.switches.stopped() is not None


def test_a_command_left_running_by_a_failure_is_refused_not_left_for_ever(
    hung: tuple[EngineHost, Store, config.Settings],
) -> None:
    _, store, _ = hung
    now = utc_now()
    number = store.commands.put("note", "inc-1", {"text": "x"}, "ana", "test", now)
    lease = store.leases.acquire("engine", "one", now, 15)
    assert lease is not None
    assert [command.id for command in store.commands.take(now, lease.token)] == [number]
    assert store.commands.take(now, lease.token) == []
    assert store.commands.result(number).state == "refused"


def test_a_process_without_the_lease_follows_what_another_one_switched(tmp_path: Path, silence: int) -> None:
    """It may be the one that receives, or the next to act: with a withdrawn credential it would do both."""
    account = {
        "name": "stripe-live",
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "webhook_secrets": ["env:HOOK"],
        "fallback_credentials": [{"api_key": "env:KEY_2", "webhook_secrets": ["env:HOOK_2"]}],
        "api_base": f"http://127.0.0.1:{silence}",
    }
    document = {"schema": config.SCHEMA, "store": "payops.db", "receiver": {"port": 0}, "accounts": [account]}
    settings = config.parse(document, base=tmp_path, source="test")
    store = Store.open(settings.store_path, now=utc_now())
    assert store.leases.acquire("engine", "another process", utc_now(), 280) is not None
    host = EngineHost(store, settings, Outside(lambda reference: f"rk_live_{reference[4:]:x<24}"))
    boards: list[Board] = []
    changed = threading.Condition()

    def listen(board: Board) -> None:
        with changed:
            boards.append(board)
            changed.notify_all()

    def look() -> None:
        with changed:
            seen = len(boards)
            host.wake()
            assert changed.wait_for(lambda: len(boards) >= seen + 2, 30)

    host.subscribe(listen)
    host.start()
    try:
        look()
        provider, verifier = host._providers["stripe-live"], host._verifiers["stripe-live"]
        assert not boards[-1].engine.mine and provider._slot == 0  # type: ignore[attr-defined]
        store.facts.set_active_slot("stripe-live", 1, utc_now())
        look()
        assert provider._slot == 1  # type: ignore[attr-defined]
        assert host._verifiers["stripe-live"] is not verifier
    finally:
        host.stop()
        store.close()


def test_a_credential_that_cannot_be_followed_does_not_keep_stop_from_being_heard(
    hung: tuple[EngineHost, Store, config.Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, store, settings = hung

    def fails() -> None:
        raise UsageError("the secret it names is gone")

    monkeypatch.setattr(host, "_follow_slots", fails)
    host.start()
    desk = StoreDesk(store, settings, host, lambda: host.engine.runner, operator="ana", origin="test")
    assert desk.submit("stop", None, {"reason": "it cannot follow"}).ok
    assert store.switches.stopped() is not None
