from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from payops.domain.incidents import Incident
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payops.db"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "payops.db"
    Store.open(path, now=NOW, seed="test").close()
    return path


@pytest.fixture
def store(path: Path, now: datetime, empty_store: Path) -> Iterator[Store]:
    """On a real file; the migrations that made it ran once for the session."""
    shutil.copy(empty_store, path)
    with Store.open(path, now=now) as opened:
        yield opened


@pytest.fixture
def memory(now: datetime) -> Iterator[Store]:
    with Store.in_memory(now) as opened:
        yield opened


@pytest.fixture
def draft(now: datetime) -> Incident:
    return Incident(
        id="",
        version=0,
        rule="webhook-endpoint-disabled",
        challenge="webhook_miss",
        provider="stripe",
        account="stripe-live",
        mode="live",
        title="Endpoint disabled at stripe (stripe-live)",
        severity="sev2",
        state="open",
        level=1,
        dedup_key="webhook-endpoint-disabled|stripe-live",
        labels={"account": "stripe-live"},
        opened_at=now,
        updated_at=now,
    )
