"""A store in memory and settings with operators of different roles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from payops import config
from payops.store import Store

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def settings() -> config.Settings:
    return config.parse(
        {
            "schema": config.SCHEMA,
            "operators": [{"name": "ana", "roles": ["operator"]}, {"name": "vic", "roles": ["viewer"]}],
            "accounts": [{"name": "stripe-live", "provider": "stripe", "mode": "live", "api_key": "env:KEY"}],
        },
        base=Path(),
        source="test",
    )


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.in_memory(NOW)
    yield opened
    opened.close()
