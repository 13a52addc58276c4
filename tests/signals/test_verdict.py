"""Whose side a drop is on, what changed before it, and what it costs."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from arriving import ACCOUNT, NOW, day, keep, payment

from payops import config
from payops.config import RateSettings
from payops.domain.money import Money
from payops.domain.payments import Attempt
from payops.signals.drop import drop
from payops.signals.drop_words import money, sentence
from payops.signals.exchange import together
from payops.signals.timeline import suspects
from payops.signals.verdict import verdict
from payops.store import Store
from payops.store.own_changes import Change
from payops.streams import Watch

MINUTE = timedelta(minutes=1)


def settings() -> config.Settings:
    account = {"name": ACCOUNT, "provider": "stripe", "mode": "live", "api_key": "env:A"}
    return config.parse({"schema": config.SCHEMA, "accounts": [account]}, base=Path(), source="test")


def healthy(_: object) -> float:
    return 0.95


@pytest.fixture
def shop(store: Store) -> Store:
    keep(store, day(21, NOW - 20 * MINUTE, 12, 4, healthy))
    return store


def fail(store: Store, code: str, share: float = 0.7, **only: str) -> list[Attempt]:
    """Twenty minutes in which those of `only` fail with one code."""
    draw, made = random.Random(22), []
    for number in range(100):
        at = NOW - 20 * MINUTE + number * MINUTE / 5
        one = payment(draw, 50_000 + number, at, 1.0)
        hit = all(getattr(one, column) == value for column, value in only.items()) and draw.random() < share
        fields = {"status": "failed", "decline_code": code} if hit else {}
        made.append(Attempt(**{**{name: getattr(one, name) for name in one.__slots__}, **fields}))
    keep(store, made)
    return made


def told(store: Store) -> tuple[str, str]:
    Watch(store, settings()).advance(NOW)
    found = drop(store, ACCOUNT, "stripe", NOW, NOW)
    assert found is not None
    judged = verdict(store, ACCOUNT, "stripe", found, NOW)
    return judged.side, f"{sentence(found)} {judged.sentence}"


def test_one_brand_refused_by_issuers_is_the_issuers(shop: Store) -> None:
    fail(shop, "do_not_honor", 0.8, card_brand="visa")
    side, said = told(shop)
    assert side == "issuer"
    assert "mostly card brand visa" in said
    assert "are do_not_honor" in said
    assert "nothing of ours is known to have changed" in said


def test_issuers_rarely_refuse_all_at_once(shop: Store) -> None:
    fail(shop, "do_not_honor")
    side, said = told(shop)
    assert side == "unknown"
    assert "issuers rarely refuse all at once" in said


def test_a_deploy_right_before_is_ours_and_an_old_one_is_not_blamed(shop: Store) -> None:
    fail(shop, "do_not_honor")
    shop.changes.add(Change(NOW - 100 * MINUTE, "deploy", "an old one", "ana"))
    assert told(shop)[0] == "unknown"
    shop.changes.add(Change(NOW - 23 * MINUTE, "deploy", "checkout 4.2", "ana"))
    side, said = told(shop)
    assert side == "us"
    assert "checkout 4.2" in said


def test_refused_requests_are_ours_and_failures_on_the_way_the_providers(shop: Store) -> None:
    fail(shop, "invalid_amount")
    assert told(shop)[0] == "us"


def test_failures_on_the_way_are_the_providers(shop: Store) -> None:
    fail(shop, "processing_error")
    assert told(shop)[0] == "provider"


def test_a_code_nobody_knows_points_nowhere(shop: Store) -> None:
    fail(shop, "mystery")
    assert told(shop)[0] == "unknown"


def test_changes_are_ranked_by_how_near_and_what_they_are(store: Store) -> None:
    for minutes, kind, text in ((90, "deploy", "old"), (5, "endpoint", "url"), (12, "deploy", "new")):
        store.changes.add(Change(NOW - minutes * MINUTE, kind, text, "ana"))
    store.changes.add(Change(NOW - MINUTE, "deploy", "elsewhere", "ana", "other-account"))
    store.changes.add(Change(NOW + 30 * MINUTE, "deploy", "afterwards", "ana"))
    assert [each.change.text for each in suspects(store, ACCOUNT, NOW)] == ["new", "url", "old"]


def test_what_was_paid_after_all_is_not_lost(shop: Store) -> None:
    made = fail(shop, "do_not_honor", 0.8, card_brand="visa")
    Watch(shop, settings()).advance(NOW)
    before = drop(shop, ACCOUNT, "stripe", NOW, NOW)
    again = [
        Attempt(
            **{**{n: getattr(each, n) for n in each.__slots__}, "attempt_id": f"x{i}", "status": "succeeded"}
        )
        for i, each in enumerate(made)
        if each.status == "failed"
    ]
    keep(
        shop, [Attempt(**{**{n: getattr(e, n) for n in e.__slots__}, "at": e.at + MINUTE / 2}) for e in again]
    )
    after = drop(shop, ACCOUNT, "stripe", NOW, NOW + MINUTE)
    assert before is not None
    assert after is not None
    assert {lost.currency for lost in before.lost} == {"EUR", "USD"}
    for one in before.lost:
        assert one.lost_minor > 3 * one.se_minor > 0
        assert one.per_hour_minor is not None
        assert one.per_hour_minor > 0
    assert all(lost.lost_minor == 0 and lost.paid_later_minor > 0 for lost in after.lost)
    assert "not collected (± " in money(before)
    assert "were paid after all" in money(after)


def test_currencies_are_summed_only_at_dated_rates_for_all_of_them() -> None:
    def rate(currency: str, worth: str) -> RateSettings:
        return RateSettings(currency=currency, worth=Decimal(worth), date=date(2026, 1, 10), **{"in": "EUR"})

    amounts = (Money(10_000, "USD"), Money(5_000, "EUR"), Money(1_000, "JPY"))
    assert together(amounts, ()) == ""
    assert together(amounts, (rate("USD", "0.9"),)) == ""
    assert together(amounts[:1], (rate("USD", "0.9"),)) == ""
    both = (rate("USD", "0.9"), rate("JPY", "0.006"))
    assert together(amounts, both) == "together about 146.00 EUR at the rates of 2026-01-10"
