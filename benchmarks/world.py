"""A store with history, made without a provider: what benchmarks measure on."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

from payops.clock import utc_now
from payops.domain.events import Facts, FeedPage, WebhookEvent
from payops.domain.payments import Attempt
from payops.store import Store

ACCOUNT = "stripe-live"
CONFIG = """\
schema = "payops.config/v1"
store = "payops.db"
[receiver]
port = 0
[[operators]]
name = "me"
roles = ["operator"]
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "file:key"
api_base = "http://127.0.0.1:9"
[[accounts.endpoints]]
name = "payops"
url = "https://payops.example/webhooks/stripe-live"
"""


def configured(folder: Path, payments: int) -> Path:
    """A configuration and a store with that many payments over the last 24 hours."""
    config = folder / "payops.toml"
    config.write_text(CONFIG)
    key = folder / "key"
    key.write_text("rk_live_" + "x" * 24)
    key.chmod(0o600)
    now = utc_now()
    store = Store.open(folder / "payops.db", now=now)
    fill(store, payments, now)
    store.close()
    return config


def fill(store: Store, payments: int, now: datetime) -> None:
    """Payments spread over 24 hours, 95 % accepted, in pages as a backfill would bring them."""
    rng = random.Random(1)
    step = timedelta(hours=24) / payments
    for first in range(0, payments, 1000):
        attempts = []
        events = []
        for number in range(first, min(first + 1000, payments)):
            at = now - timedelta(hours=24) + step * number
            good = rng.random() < 0.95
            attempts.append(
                Attempt(
                    account=ACCOUNT,
                    attempt_id=f"ch_{number}",
                    at=at,
                    changed_at=at,
                    status="succeeded" if good else "failed",
                    payment_id=f"pi_{number}",
                    customer=f"cus_{number % 5000}",
                    amount_minor=1000 + number % 9000,
                    currency="EUR",
                    decline_code=None if good else "do_not_honor",
                    method="card",
                    card_brand=rng.choice(("visa", "mastercard", "amex")),
                    country="DE",
                )
            )
            events.append(
                WebhookEvent(
                    account=ACCOUNT,
                    event_id=f"evt_{number}",
                    type="charge.succeeded" if good else "charge.failed",
                    created_at=at,
                    livemode=True,
                    object_id=f"ch_{number}",
                )
            )
        page = FeedPage(
            feed="events",
            read=len(events),
            requests=1,
            cursor="{}",
            data_as_of=now,
            facts=Facts(attempts=tuple(attempts), events=tuple(events)),
        )
        store.facts.apply_page(ACCOUNT, page, now)
