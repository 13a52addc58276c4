"""A command without an engine: this process takes the lease for it, and for nothing else."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payops import config
from payops.cli.ask import ask
from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.engine import commands
from payops.engine.board import CommandResult
from payops.engine.commands import Hands, Request
from payops.store import Store
from payops.store.own_changes import Change

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
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "payops.toml"
    written.write_text(CONFIG)
    return written


def taken_over(path: Path) -> None:
    """An engine elsewhere found the lease run out and has it now."""
    with sqlite3.connect(path.with_name("payops.db")) as db:
        db.execute(
            "UPDATE leases SET holder = 'elsewhere:1', token = token + 1, expires_at = expires_at + 100"
        )
    db.close()


def test_the_lease_is_given_back_and_the_command_is_done(path: Path) -> None:
    result = ask(str(path), "ana", "stop", None, {"reason": "a test"}, wait=True)
    assert result.ok, result.message
    with Store.open_existing(config.load(str(path)).store_path) as store:
        assert store.switches.stopped() is not None
        assert store.leases.holder("engine", utc_now()) is None


def test_nothing_is_written_once_an_engine_took_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = utc_now()

    def overtaken(hands: Hands, request: Request) -> CommandResult:
        taken_over(path)
        hands.store.switches.stop("ana", "too late", request.now)
        return CommandResult(True, "stopped")

    monkeypatch.setattr(commands, "carry_out", overtaken)
    result = ask(str(path), "ana", "stop", None, {}, wait=False)
    assert result.message.startswith("queued as command")
    with Store.open_existing(config.load(str(path)).store_path) as store:
        assert store.switches.stopped() is None
        holder = store.leases.holder("engine", began + timedelta(seconds=60))
        assert holder is not None and holder.holder == "elsewhere:1"


def test_a_change_is_told_with_its_time_and_kept_beside_what_breaks(path: Path) -> None:
    fields = {
        "text": "checkout 4.2",
        "kind": "deploy",
        "account": "stripe-live",
        "at": "2026-01-15T09:00:00+01:00",
    }
    result = ask(str(path), "ana", "change", None, fields, wait=True)
    assert (result.ok, result.message) == (
        True,
        "Noted for stripe-live: a deploy at 2026-01-15T08:00:00Z.",
    )
    with Store.open_existing(config.load(str(path)).store_path) as store:
        at = datetime(2026, 1, 15, 8, tzinfo=UTC)
        assert store.changes.told(at, at) == [Change(at, "deploy", "checkout 4.2", "ana", "stripe-live")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": " "}, "text is empty"),
        ({"text": "x", "kind": "deplyo"}, "did you mean 'deploy'"),
        ({"text": "x", "account": "stripe-life"}, "did you mean 'stripe-live'"),
        ({"text": "x", "at": "yesterday"}, "must be a time such as"),
        ({"text": "x", "at": "2026-01-15T09:00:00"}, "needs a zone"),
    ],
)
def test_a_change_that_cannot_be_understood_is_refused(path: Path, fields: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(str(path), "ana", "change", None, fields, wait=True)


def test_a_change_to_come_is_refused(path: Path) -> None:
    ahead = (utc_now() + timedelta(hours=1)).isoformat()
    result = ask(str(path), "ana", "change", None, {"text": "x", "at": ahead}, wait=True)
    assert not result.ok
    assert "has not come yet" in result.message
