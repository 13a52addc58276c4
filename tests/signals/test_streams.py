"""What acceptance counts, what it leaves to other streams, and what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from payops import config
from payops.domain.blocks import BLOCKS
from payops.domain.decline import DECLINES
from payops.domain.events import Facts, FeedPage
from payops.domain.payments import Attempt
from payops.signals import read
from payops.store import Store
from payops.streams import Watch

MINUTE = timedelta(minutes=1)
PROVIDER_FIELDS: dict[str, dict[str, str]] = {
    "stripe": {"api_key": "env:A"},
    "braintree": {"merchant_id": "env:A", "public_key": "env:B", "private_key": "env:C"},
    "paypal": {"client_id": "env:A", "client_secret": "env:B", "webhook_id": "env:C"},
}
Tried = Callable[..., None]


def settings(provider: str) -> config.Settings:
    account = {"name": "shop", "provider": provider, "mode": "live", **PROVIDER_FIELDS[provider]}
    return config.parse({"schema": config.SCHEMA, "accounts": [account]}, base=Path(), source="test")


@pytest.fixture
def tried(store: Store, now: datetime) -> Tried:
    """`tried(at, n, **fields)`: n attempts of different buyers, one a second."""
    made = iter(range(1_000_000))

    def add(at: datetime, n: int, **fields: Any) -> None:
        attempts = []
        for second in range(n):
            number, when = next(made), at + timedelta(seconds=second % 60)
            plain = Attempt("shop", f"a{number}", when, "succeeded", when, payment_id=f"p{number}")
            attempts.append(replace(plain, **fields))
        page = FeedPage("events", n, 1, data_as_of=now, facts=Facts(attempts=tuple(attempts)))
        store.facts.apply_page("shop", page, now)

    return add


def row(store: Store, provider: str, now: datetime, source: str = "success") -> dict[str, Any]:
    return dict(read(store, settings(provider), now)[source][0].values)


def test_renewals_and_dunning_are_streams_of_their_own(store: Store, now: datetime, tried: Tried) -> None:
    tried(now - 3 * MINUTE, 10)
    tried(now - 3 * MINUTE, 4, initiated_by="customer", status="failed", decline_code="do_not_honor")
    tried(now - 3 * MINUTE, 20, initiated_by="renewal", status="failed", decline_code="insufficient_funds")
    tried(now - 3 * MINUTE, 20, initiated_by="dunning", status="failed", decline_code="insufficient_funds")
    success = row(store, "stripe", now)
    assert (success["n_5m"], success["rate_5m"]) == (14, 10 / 14)
    assert (success["n_1h"], store.facts.decline_codes("shop", now - 9 * MINUTE)) == (
        14,
        [("do_not_honor", 4)],
    )


@pytest.mark.parametrize(("provider", "code"), [("stripe", "rule"), ("braintree", "risk_threshold")])
def test_what_our_own_rules_stop_is_in_no_acceptance_but_in_a_share_of_its_own(
    store: Store, now: datetime, tried: Tried, provider: str, code: str
) -> None:
    for hour in range(4, 20):
        tried(now - timedelta(hours=hour), 49)
        tried(now - timedelta(hours=hour), 1, status="failed", decline_code=code)
    tried(now - 3 * MINUTE, 6)
    tried(now - 3 * MINUTE, 4, status="failed", decline_code=code)
    Watch(store, settings(provider)).advance(now)
    success, rejections = row(store, provider, now), row(store, provider, now, "rejections")
    assert (success["n_5m"], success["rate_5m"]) == (6, 1.0)
    assert success["expected"] > 0.99
    assert (rejections["n_15m"], rejections["rejected_15m"], rejections["share_15m"]) == (10, 4, 0.4)
    assert (rejections["usual"], rejections["reason"]) == (0.02, code)
    assert rejections["usual"] < rejections["usual_upper"] < 0.05


def test_the_usual_share_is_unknown_while_history_is_short(store: Store, now: datetime, tried: Tried) -> None:
    tried(now - 3 * MINUTE, 4, status="failed", decline_code="rule")
    rejections = row(store, "stripe", now, "rejections")
    assert (rejections["rejected_15m"], rejections["share_15m"]) == (4, 1.0)
    assert (rejections["usual"], rejections["usual_upper"]) == (None, None)


def test_where_declines_leave_no_trace_there_is_no_rate_only_completions(
    store: Store, now: datetime, tried: Tried
) -> None:
    for hour in range(4, 20):
        tried(now - timedelta(hours=hour), 50)
    tried(now - 3 * MINUTE, 8)
    tried(now - 3 * MINUTE, 2, status="failed", decline_code="5120")
    Watch(store, settings("paypal")).advance(now)
    success = row(store, "paypal", now)
    assert (success["n_5m"], success["n_1h"]) == (8, 8)
    assert {value for name, value in success.items() if name not in ("n_5m", "n_15m", "n_1h")} == {None}
    assert set(row(store, "paypal", now, "rejections").values()) == {None}


def test_every_block_is_a_merchant_rule_of_the_vocabulary_and_nobody_elses_code() -> None:
    for provider, codes in BLOCKS.items():
        own = {each.code: each.category for each in DECLINES if each.provider == provider}
        others = {each.code for each in DECLINES if each.provider != provider}
        assert {own[code] for code in codes} <= {"merchant_rule"}
        assert not codes & others
