"""A store in memory, one Stripe account, and pages as a poll would bring them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payops import config
from payops.domain.events import Delivery, Endpoint, Facts, FeedPage, WebhookEvent
from payops.domain.payments import Attempt
from payops.store import Store

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ACCOUNT = "stripe-live"
URL = "https://payops.example/webhooks/stripe-live"


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def settings() -> config.Settings:
    return config.parse(
        {
            "schema": config.SCHEMA,
            "accounts": [
                {
                    "name": ACCOUNT,
                    "provider": "stripe",
                    "mode": "live",
                    "api_key": "env:KEY",
                    "fallback_credentials": [{"api_key": "env:KEY2"}],
                    "endpoints": [
                        {"name": "payops", "url": URL},
                        {"name": "shop", "url": "https://shop.example/hooks"},
                    ],
                }
            ],
        },
        base=Path(),
        source="test",
    )


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.in_memory(NOW)
    yield opened
    opened.close()


@pytest.fixture
def pay(store: Store) -> Callable[[datetime, int, int], None]:
    """`pay(at, n, failed)`: n payments in the minute of `at`, the first `failed` of them refused."""
    made = iter(range(1_000_000))

    def add(at: datetime, n: int, failed: int) -> None:
        attempts = []
        for index in range(n):
            number = next(made)
            attempts.append(
                Attempt(
                    account=ACCOUNT,
                    attempt_id=f"ch_{number}",
                    at=at + timedelta(seconds=index % 60),
                    changed_at=at + timedelta(seconds=index % 60),
                    status="failed" if index < failed else "succeeded",
                    payment_id=f"pi_{number}",
                    amount_minor=1000,
                    currency="EUR",
                )
            )
        store.facts.apply_page(ACCOUNT, page(facts=Facts(attempts=tuple(attempts))), NOW)

    return add


def page(**fields: object) -> FeedPage:
    values: dict[str, object] = {"feed": "events", "read": 1, "requests": 1, "data_as_of": NOW}
    return FeedPage(**{**values, **fields})  # type: ignore[arg-type]


def event(name: str, at: datetime, type_: str = "charge.succeeded") -> WebhookEvent:
    return WebhookEvent(ACCOUNT, name, type_, at, True, object_id=f"ch_{name}")


def delivery(name: str, at: datetime) -> Delivery:
    return Delivery(ACCOUNT, event(name, at), at + timedelta(seconds=1), "{}", "0" * 64, "v1")


def endpoint(status: str = "enabled", **fields: object) -> Endpoint:
    values: dict[str, object] = {
        "account": ACCOUNT,
        "endpoint_id": "we_1",
        "url": URL,
        "status": status,
        "event_types": ("*",),
        "livemode": True,
    }
    return Endpoint(**{**values, **fields})  # type: ignore[arg-type]


@pytest.fixture
def made() -> dict[str, object]:
    return {"page": page, "event": event, "delivery": delivery, "endpoint": endpoint}
