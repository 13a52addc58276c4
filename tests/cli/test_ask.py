"""A command without an engine: this process takes the lease for it, and for nothing else."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from payops import config
from payops.cli.ask import ask
from payops.clock import utc_now
from payops.engine import commands
from payops.engine.board import CommandResult
from payops.engine.commands import Hands, Request
from payops.store import Store

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
