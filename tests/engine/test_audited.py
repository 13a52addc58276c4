"""What PCI DSS 10.2.1 wants on record (.1 to .7), each by the part of payops that does it."""

from __future__ import annotations

from pathlib import Path

import click.testing
import pytest

from payops.cli.main import payops
from payops.clock import utc_now
from payops.config import parse
from payops.domain.errors import NotPossible, UsageError
from payops.domain.incidents import Incident
from payops.engine.local import StoreDesk
from payops.store import Store

CONFIG = """
schema = "payops.config/v1"
store = "payops.db"
[[operators]]
name = "ana"
roles = ["admin"]
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "file:key"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "payops.toml"
    path.write_text(CONFIG)
    now = utc_now()
    with Store.open(tmp_path / "payops.db", now=now) as store:
        draft = Incident(
            "",
            0,
            "r",
            "webhook_miss",
            "stripe",
            "stripe-live",
            "live",
            "t",
            "sev3",
            "open",
            1,
            "k",
            {},
            now,
            now,
        )
        store.incidents.open(draft, "test", now)
    return path


def run(config: Path, *args: str) -> None:
    click.testing.CliRunner().invoke(
        payops, [*args, "--config", str(config)], catch_exceptions=False, standalone_mode=False
    )


def rows(config: Path) -> list[tuple[str, str, str]]:
    with Store.open_existing(config.parent / "payops.db") as store:
        assert store.audit.verify().ok
        return [(row.who, row.what, row.result) for row in store.audit.rows(limit=100)]


def test_taking_data_out_is_on_record(config: Path, monkeypatch) -> None:
    monkeypatch.setenv("PAYOPS_OPERATOR", "ana")
    run(config, "incidents", "export", "inc-1")
    assert ("ana", "export", "ok") in rows(config)


def test_what_an_administrator_does_is_on_record(config: Path) -> None:
    run(config, "stop", "--reason", "a test", "--operator", "ana")
    assert ("ana", "stop", "ok") in rows(config)


def test_reading_the_record_is_on_record(config: Path) -> None:
    run(config, "audit", "verify")
    run(config, "audit", "export")
    assert [what for _, what, _ in rows(config)][-2:] == ["audit verified", "audit exported"]


@pytest.mark.parametrize("who", ["eve", "vic"])
def test_what_somebody_may_not_do_is_on_record_with_the_name_they_gave(config: Path, who: str) -> None:
    config.write_text(CONFIG + '[[operators]]\nname = "vic"\n')
    with pytest.raises(UsageError):
        run(config, "incidents", "ack", "inc-1", "--operator", who)
    assert (who, "ack refused", "refused") in rows(config)


def test_arming_a_remedy_is_on_record(config: Path) -> None:
    run(config, "arm", "stripe-live", "enable-endpoint", "--reason", "seen right", "--operator", "ana")
    assert any(who == "ana" and what.startswith("arm") for who, what, _ in rows(config))


def test_an_approval_from_the_command_line_needs_the_pin_and_each_try_is_on_record(
    config: Path, monkeypatch
) -> None:
    config.write_text(CONFIG.replace('roles = ["admin"]', 'roles = ["admin"]\npin = "env:ANA_PIN"'))
    monkeypatch.setenv("ANA_PIN", "4711")
    with pytest.raises(UsageError, match="PAYOPS_PIN"):
        run(config, "incidents", "approve", "inc-1", "--operator", "ana")
    monkeypatch.setenv("PAYOPS_PIN", "0000")
    with pytest.raises(NotPossible, match="wrong PIN"):
        run(config, "incidents", "approve", "inc-1", "--operator", "ana")
    assert ("ana", "identify", "wrong") in rows(config)
    monkeypatch.setenv("PAYOPS_PIN", "4711")
    with pytest.raises(NotPossible) as error:
        run(config, "incidents", "approve", "inc-1", "--operator", "ana")
    assert "PIN" not in str(error.value), "past the PIN: nothing waits for approval"
    assert ("ana", "identify", "ok") in rows(config)


def test_the_desk_takes_no_approval_before_the_pin(config: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANA_PIN", "4711")
    raw = {
        "schema": "payops.config/v1",
        "operators": [{"name": "ana", "roles": ["operator"], "pin": "env:ANA_PIN"}],
    }
    settings = parse(raw, base=tmp_path, source="test")
    with Store.open_existing(tmp_path / "payops.db") as store:
        desk = StoreDesk(store, settings, Silent(), lambda: None, operator="ana", origin="test")
        assert desk.submit("approve", "inc-1", {}).message == "approve: enter your PIN first"
        assert not desk.unlock("1").ok
        assert desk.unlock("4711").ok
        assert store.commands.take(utc_now(), 1) == []


class Silent:
    """Boards that nobody makes."""

    def board(self) -> None:
        return None

    def subscribe(self, listener) -> None: ...

    def unsubscribe(self, listener) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...
