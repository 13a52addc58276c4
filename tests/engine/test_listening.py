"""Several processes of one store: one listens for webhooks, the others look on and take over."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from payops.config import ReceiverSettings
from payops.domain.errors import UsageError
from payops.engine.listening import Listening
from payops.receiver import Receiver
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "payops.db", now=NOW) as opened:
        yield opened


def listening(store: Store, port: int, name: str) -> Listening:
    receiver = Receiver(store, {}, lambda: NOW)
    return Listening(store, receiver, ReceiverSettings(port=port), name, lambda: NOW)


def test_the_second_process_looks_on_and_takes_over(store: Store, port: int) -> None:
    with ExitStack() as stack:
        first, second = listening(store, port, "one"), listening(store, port, "two")
        stack.callback(first.stop)
        stack.callback(second.stop)
        first.start(None)
        second.start(None)
        assert first.where == f"http://127.0.0.1:{port}"
        assert second.where == "not here: one listens"
        first.stop()
        second.keep()
        assert second.where == f"http://127.0.0.1:{port}"


def test_a_port_that_a_stranger_has_is_said_at_once(store: Store, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(UsageError, match="in use"):
        listening(store, port, "one").start(None)
