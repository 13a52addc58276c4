"""`payops report`, `audit verify|anchor|export`, `store restore`: what people keep, and what proves it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click.testing
import pytest

from payops.cli.main import payops
from payops.cli.report import back_to
from payops.clock import utc_now
from payops.domain.errors import StoreError, UsageError
from payops.domain.incidents import Incident
from payops.escalation import note
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "payops.toml"
    path.write_text('schema = "payops.config/v1"\nstore = "payops.db"\n')
    now = utc_now() - timedelta(hours=1)
    with Store.open(tmp_path / "payops.db", now=now) as store:
        draft = Incident(
            "",
            0,
            "r",
            "webhook_miss",
            "stripe",
            "stripe-live",
            "live",
            "a title",
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


def run(config: Path, *args: str, fails: bool = False) -> str:
    result = click.testing.CliRunner().invoke(
        payops, [*args, "--config", str(config)], catch_exceptions=False, standalone_mode=False
    )
    assert bool(result.return_value or result.exit_code) == fails, result.output
    return result.stdout


def test_both_reports_come_in_every_format(config: Path) -> None:
    for name in ("shift", "protocol"):
        assert "inc-1" in run(config, "report", name, "--format", "html")
        assert json.loads(run(config, "report", name, "--json"))["seal"]["row"] >= 1
        assert run(config, "report", name).startswith("# ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8h", NOW - timedelta(hours=8)),
        ("30d", NOW - timedelta(days=30)),
        ("2026-01-14", datetime(2026, 1, 14, tzinfo=UTC)),
        ("2026-01-15T08:00:00Z", NOW - timedelta(hours=1)),
        ("2026-01-15T09:00:00+01:00", NOW - timedelta(hours=1)),
    ],
)
def test_since_is_a_span_or_a_time(text: str, expected: datetime) -> None:
    assert back_to(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "8", "2026-01-16", "-8h", "4000d"])
def test_what_is_neither_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        back_to(text, NOW)


def test_an_exported_report_is_proved_and_a_changed_one_is_not(config: Path, tmp_path: Path) -> None:
    report = tmp_path / "inc-1.html"
    run(config, "incidents", "export", "inc-1", "--output", str(report))
    assert "1 of 1 proved" in run(config, "audit", "verify", "--report", str(report))
    report.write_text(report.read_text().replace("a title", "no title"))
    said = run(config, "audit", "verify", "--report", str(report), "--json", fails=True)
    assert json.loads(said)["faults"] == [f"{report}: it was changed after it was sealed"]


def test_an_anchor_holds_while_the_chain_grows_and_not_when_it_is_another(
    config: Path, tmp_path: Path
) -> None:
    anchor = run(config, "audit", "anchor").strip()
    with Store.open_existing(tmp_path / "payops.db") as store:
        note(store, "inc-1", "more", "ana", utc_now())
    assert "1 of 1 proved" in run(config, "audit", "verify", "--anchor", anchor)
    row, _, head = anchor.partition(":")
    other = f"{row}:{'0' if head[0] != '0' else '1'}{head[1:]}"
    assert "not the one that was anchored" in run(config, "audit", "verify", "--anchor", other, fails=True)


def test_every_audit_row_is_exported_in_order(config: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in run(config, "audit", "export").splitlines()]
    with Store.open_existing(tmp_path / "payops.db") as store:
        kept = store.audit.rows(limit=1000)
    assert [row["hash"] for row in rows] == [row.hash for row in kept[:-1]]
    assert kept[-1].what == "audit exported", "reading the record is on record"
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert run(config, "audit", "export", "--since", "2020-01-01").count("\n") == len(rows) + 1


def test_a_backup_is_put_back_whole_and_what_was_there_is_kept(config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run(config, "store", "backup", str(copy))
    with Store.open_existing(tmp_path / "payops.db") as store:
        note(store, "inc-1", "after the backup", "ana", utc_now())
    said = run(config, "store", "restore", str(copy))
    with Store.open_existing(tmp_path / "payops.db") as store:
        assert "after the backup" not in {entry.text for entry in store.incidents.timeline("inc-1")}
        assert store.audit.verify().ok
    kept = Path(said.rsplit(" ", 1)[1].strip())
    with Store.open_existing(kept) as store:
        assert "after the backup" in {entry.text for entry in store.incidents.timeline("inc-1")}


def test_nothing_is_restored_over_a_store_in_use_or_from_a_broken_copy(config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run(config, "store", "backup", str(copy))
    with Store.open_existing(tmp_path / "payops.db") as store:
        store.leases.acquire("engine", "host:1", utc_now(), 15)
        with pytest.raises(StoreError, match="host:1 works on it"):
            run(config, "store", "restore", str(copy))
    broken = tmp_path / "broken.db"
    broken.write_bytes(copy.read_bytes()[:4096] + b"\xff" * 4096 + copy.read_bytes()[8192:])
    broken.chmod(0o600)
    with pytest.raises(StoreError, match="broken"):
        run(config, "store", "restore", str(broken))
    with Store.open_existing(tmp_path / "payops.db") as store:
        assert store.incidents.get("inc-1").title == "a title"
