"""A store in memory and one Stripe account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from arriving import ACCOUNT, NOW

from payops import config
from payops.store import Store


@pytest.fixture
def settings() -> config.Settings:
    account = {"name": ACCOUNT, "provider": "stripe", "mode": "live", "api_key": "env:A"}
    return config.parse({"schema": config.SCHEMA, "accounts": [account]}, base=Path(), source="test")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory(NOW) as opened:
        yield opened
