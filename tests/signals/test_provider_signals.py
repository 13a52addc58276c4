"""Credentials, permissions, modes, signatures, calls and account states as signals."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from payops import config
from payops.domain.errors import ProviderError
from payops.domain.events import (
    AccountState,
    ApiCall,
    CredentialProof,
    Delivery,
    Endpoint,
    Facts,
    FeedPage,
    WebhookEvent,
)
from payops.signals import read
from payops.signals.mode import confirmation, short_hash, stored_webhook
from payops.signals.slots import webhook_slot
from payops.store import Store

URL = "https://payops.example/webhooks/shop"
MINUTE = timedelta(minutes=1)
FIELDS: dict[str, dict[str, Any]] = {
    "stripe": {"api_key": "env:A", "webhook_secrets": ["env:W"]},
    "braintree": {"merchant_id": "env:A", "public_key": "env:B", "private_key": "env:C"},
    "paypal": {"client_id": "env:A", "client_secret": "env:B", "webhook_id": "env:C"},
}


def settings(provider: str = "stripe", **more: Any) -> config.Settings:
    account = {
        "name": "shop",
        "provider": provider,
        "mode": "live",
        "endpoints": [{"name": "own", "url": URL}, {"name": "app", "url": "https://shop.example/hooks"}],
        **FIELDS[provider],
        **more,
    }
    return config.parse({"schema": config.SCHEMA, "accounts": [account]}, base=Path(), source="test")


def values(store: Store, now: datetime, source: str, of: config.Settings | None = None, row: int = 0) -> Any:
    return dict(read(store, of or settings(), now)[source][row].values)


def prove(store: Store, now: datetime, slot: int = 0, **fields: Any) -> None:
    store.facts.save_proof(
        CredentialProof("shop", slot, "…1234", now, **{"ok": True, "mode": "live", **fields})
    )


def event(name: str, at: datetime, live: bool | None = True) -> WebhookEvent:
    return WebhookEvent("shop", name, "charge.succeeded", at, live)


def receive(store: Store, name: str, at: datetime, live: bool | None = True) -> None:
    store.inbox.receive([Delivery("shop", event(name, at, live), at, "{}", "0" * 64, "signature")])


def refuse(store: Store, kind: str, at: datetime, times: int = 1) -> None:
    for _ in range(times):
        store.inbox.refuse("shop", at, kind, "test")


def test_nothing_is_known_of_an_empty_store_and_nothing_is_zero_for_it(store: Store, now: datetime) -> None:
    unknown = {
        "permissions": ("missing", "names", "refused_feeds"),
        "calls": ("outage_share", "failing_min", "p95_ms", "usual_ms", "skew_s", "last_ok_s"),
        "account": ("charges_enabled", "restricted", "due", "names"),
        "credentials": ("expired", "missing_permissions", "age_s", "application_failing"),
        "mode": ("endpoint_mismatch", "webhook_id_absent"),
        "webhook_signatures": ("share_15m", "last_good_s", "missing"),
    }
    for source, fields in unknown.items():
        found = values(store, now, source)
        assert {field: found[field] for field in fields} == dict.fromkeys(fields), source


def test_why_a_credential_was_rejected_is_told_only_where_the_provider_tells(
    store: Store, now: datetime
) -> None:
    prove(store, now, ok=False, mode=None, error="auth", code="api_key_expired")
    assert values(store, now, "credentials")["expired"] is True
    assert values(store, now, "credentials", settings("braintree"))["expired"] is None
    prove(store, now + MINUTE)
    assert values(store, now + MINUTE, "credentials", settings("braintree"))["expired"] is False


def test_the_applications_credential_is_another_one(store: Store, now: datetime) -> None:
    prove(store, now)
    prove(store, now, slot=-1, ok=False, mode=None, error="auth", code="api_key_expired")
    assert values(store, now, "credentials")["application_known"] is False
    probed = settings(application_credential="env:SHOP")
    found = values(store, now, "credentials", probed)
    assert (found["accepted"], found["application_failing"], found["application_code"]) == (
        True,
        True,
        "api_key_expired",
    )
    prove(store, now + MINUTE, slot=-1, mode="test")
    assert values(store, now + MINUTE, "credentials", probed)["application_code"] == "wrong mode"
    prove(store, now + 2 * MINUTE, slot=-1, ok=False, mode=None, error="outage")
    assert values(store, now + 2 * MINUTE, "credentials", probed)["application_failing"] is None
    assert values(store, now + timedelta(hours=3), "credentials", probed)["application_known"] is False


def test_refused_permissions_are_named_by_the_proof_and_by_the_feeds(store: Store, now: datetime) -> None:
    prove(store, now, missing=("rak_charge_read",))
    told = ProviderError(
        "permission",
        "Having the 'rak_event_read' permission would allow this",
        provider="stripe",
        account="shop",
    )
    store.facts.feed_error("shop", "events", told, now)
    found = values(store, now, "permissions")
    assert (found["missing"], found["names"], found["refused_feeds"]) == (
        2,
        "rak_charge_read, rak_event_read",
        1,
    )
    assert values(store, now, "credentials")["missing_permissions"] == 2
    nameless = values(store, now, "permissions", settings("braintree"))
    assert (nameless["missing"], nameless["nameable"], nameless["refused_feeds"]) == (None, False, 1)


def test_a_rejected_credential_says_nothing_of_permissions(store: Store, now: datetime) -> None:
    prove(store, now, ok=False, mode=None, error="auth", missing=("rak_charge_read",))
    assert values(store, now, "permissions")["missing"] is None


def test_failed_signatures_count_from_the_last_good_event_of_our_own_mode(
    store: Store, now: datetime
) -> None:
    refuse(store, "signature", now - 40 * MINUTE, 5)
    receive(store, "good", now - 30 * MINUTE)
    refuse(store, "signature", now - 5 * MINUTE, 2)
    refuse(store, "header", now - 5 * MINUTE)
    receive(store, "stray", now - 4 * MINUTE, live=False)
    own = values(store, now, "webhook_signatures")
    assert (own["since_good"], own["signature_15m"], own["header_15m"], own["last_good_s"]) == (2, 2, 1, 1800)
    assert (own["other_mode_15m"], own["other_since_good"], own["share_15m"]) == (1, 1, 0.75)
    receive(store, "better", now - 2 * MINUTE)
    assert values(store, now, "webhook_signatures")["since_good"] == 0


def test_of_an_applications_endpoint_no_signature_is_known(store: Store, now: datetime) -> None:
    refuse(store, "signature", now - MINUTE, 5)
    other = values(store, now, "webhook_signatures", row=1)
    assert {other[name] for name in ("since_good", "refused_15m", "share_15m", "last_good_s")} == {None}


def test_an_event_that_does_not_say_its_mode_is_ours_once_it_is_processed_and_not_in_quarantine(
    store: Store, now: datetime
) -> None:
    bt = settings("braintree")
    receive(store, "bt_1", now - 3 * MINUTE, live=None)
    receive(store, "bt_2", now - 2 * MINUTE, live=None)
    assert values(store, now, "webhook_signatures", bt)["last_good_s"] is None
    ours, strays = store.inbox.pending(10, now)
    store.inbox.process(ours, Facts(), now)
    store.inbox.process(strays, Facts(wrong_mode=(event("bt_2", now - 2 * MINUTE, None),)), now)
    own = values(store, now, "webhook_signatures", bt)
    assert (own["last_good_s"], own["other_since_good"]) == (180, 1)
    found = values(store, now, "mode", bt)
    assert (found["ours_verified_15m"], found["other_verified_15m"]) == (1, 1)


def test_what_is_of_the_other_mode_is_unconfirmed_until_it_is_confirmed(store: Store, now: datetime) -> None:
    store.facts.apply_facts("shop", Facts(wrong_mode=(event("evt_1", now - 5 * MINUTE, False),)), now)
    refuse(store, "mode", now - 5 * MINUTE, 2)
    found = values(store, now, "mode")
    assert (found["wrong_mode_events_1h"], found["unconfirmed_1h"], found["refused_mode_15m"]) == (1, 3, 2)
    assert found["evidence"] == "1 test event is in quarantine; 2 webhooks are refused as test"
    record = f'{{"at": {int(now.timestamp())}, "ids": ["{short_hash("evt_1")}"]}}'
    store.switches.meta_set(confirmation("shop"), record)
    # A refused webhook comes again for days and cannot be told from a new one; a new event can.
    refuse(store, "mode", now + 2 * MINUTE)
    assert values(store, now + 2 * MINUTE, "mode")["unconfirmed_1h"] == 0
    store.facts.apply_facts("shop", Facts(wrong_mode=(event("evt_2", now + MINUTE, False),)), now + MINUTE)
    assert values(store, now + 2 * MINUTE, "mode")["unconfirmed_1h"] == 1


def test_an_endpoint_and_a_webhook_id_of_the_other_mode_are_evidence(store: Store, now: datetime) -> None:
    listed = Endpoint("shop", "WH-LISTED", URL, "enabled", ("*",), False)
    store.facts.apply_page("shop", FeedPage("endpoints", 1, 1, endpoints=(listed,)), now)
    assert values(store, now, "mode")["endpoint_mismatch"] is True
    assert values(store, now, "mode")["webhook_id_absent"] is None
    store.switches.meta_set(stored_webhook("shop"), short_hash("WH-OTHER"))
    assert values(store, now, "mode", settings("paypal"))["webhook_id_absent"] is True
    store.switches.meta_set(stored_webhook("shop"), short_hash("WH-LISTED"))
    assert values(store, now, "mode", settings("paypal"))["webhook_id_absent"] is False


def called(bucket: str | None = None, ms: int = 200, skew_s: int = 0, at: datetime | None = None) -> ApiCall:
    return ApiCall("events", ms, bucket, None, at + timedelta(seconds=skew_s) if at else None)


def test_calls_that_fail_are_counted_by_kind_and_since_the_last_reading(store: Store, now: datetime) -> None:
    before = now - 4 * MINUTE
    store.facts.apply_page("shop", FeedPage("events", 0, 1, data_as_of=before), before)
    store.facts.record_calls("shop", [called(at=before, skew_s=90)] * 4, before)
    gone = ProviderError("outage", "502", provider="stripe", account="shop")
    store.facts.feed_error("shop", "events", gone, now)
    store.facts.record_calls("shop", [called("outage")] * 3 + [called("network")], now)
    found = values(store, now, "calls")
    assert (found["n_5m"], found["outage_share"], found["network_share"]) == (8, 0.375, 0.125)
    assert (found["outage_run"], found["network_run"], found["failing_min"], found["last_ok_s"]) == (
        3,
        1,
        4,
        240,
    )
    assert (found["skew_s"], found["p95_ms"], found["usual_ms"]) == (90, 200, None)
    store.facts.apply_page("shop", FeedPage("events", 0, 1, data_as_of=now), now + MINUTE)
    assert values(store, now + MINUTE, "calls")["failing_min"] == 0


def test_slowness_is_measured_against_the_day_before(store: Store, now: datetime) -> None:
    store.facts.record_calls("shop", [called(ms=180)] * 9, now - timedelta(hours=3))
    store.facts.record_calls("shop", [called(ms=6000)] * 9, now)
    found = values(store, now, "calls")
    assert (found["p50_ms"], found["p95_ms"], found["usual_ms"]) == (6000, 6000, 180)


def test_a_restriction_is_told_with_what_is_wanted(store: Store, now: datetime) -> None:
    state = AccountState("shop", now, charges_enabled=False, payouts_enabled=True, due=("company.tax_id",))
    store.facts.apply_page("shop", FeedPage("account", 1, 1, account_state=state), now)
    found = values(store, now, "account")
    assert (found["restricted"], found["due"], found["names"]) == (True, 1, "company.tax_id")


@pytest.mark.parametrize(
    ("fallback", "promoted", "active", "used"),
    [
        ({"api_key": "env:A2", "webhook_secrets": ["env:W2"]}, None, 1, 1),
        ({"api_key": "env:A2"}, None, 1, 0),  # a key without a webhook secret does not silence the receiver
        ({"webhook_secrets": ["env:W2"]}, 1, 0, 1),
        ({"api_key": "env:A2"}, 1, 0, 0),
        ({"webhook_secrets": ["env:W2"]}, 7, 0, 0),
    ],
)
def test_webhooks_are_verified_with_what_was_promoted_else_with_what_monitors(
    store: Store, now: datetime, fallback: dict[str, Any], promoted: int | None, active: int, used: int
) -> None:
    account = settings(fallback_credentials=[fallback]).account("shop")
    store.facts.set_active_slot("shop", active, now)
    if promoted is not None:
        store.facts.set_webhook_slot("shop", promoted, now)
    assert webhook_slot(store, account) == used
    assert store.audit.verify().ok
