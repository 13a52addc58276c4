from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from payops.config import Settings
from payops.domain.events import CredentialProof, Facts
from payops.signals import SOURCES, read
from payops.store import Store
from payops.streams import Watch

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
Pay = Callable[[datetime, int, int], None]
Made = dict[str, Any]


def values(store: Store, settings: Settings, now: datetime, source: str, row: int = 0) -> dict[str, Any]:
    return dict(read(store, settings, now)[source][row].values)


def test_every_row_has_exactly_the_declared_fields_and_labels(
    store: Store, settings: Settings, now: datetime
) -> None:
    signals = read(store, settings, now)
    assert set(signals) == set(SOURCES)
    kinds = {"int": int, "double": float, "bool": bool, "string": str}
    for name, rows in signals.items():
        for row in rows:
            assert set(row.labels) == {*SOURCES[name].labels, *SOURCES[name].kept}
            assert set(row.values) == set(SOURCES[name].fields)
            for field, value in row.values.items():
                assert value is None or type(value) is kinds[SOURCES[name].fields[field].type], (
                    name,
                    field,
                    value,
                )


def test_an_empty_store_knows_nothing_and_says_so(store: Store, settings: Settings, now: datetime) -> None:
    success = values(store, settings, now, "success")
    assert success["rate_5m"] is None
    assert success["expected"] is None
    assert success["evidence"] is None
    assert values(store, settings, now, "credentials")["accepted"] is None
    assert values(store, settings, now, "endpoints")["disabled"] is None
    assert values(store, settings, now, "webhooks")["missing"] is None


def test_acceptance_by_window_and_the_expected_share(
    store: Store, settings: Settings, now: datetime, pay: Pay
) -> None:
    for hour in range(3, 24):
        pay(now - hour * HOUR, 100, 5)
    pay(now - 30 * MINUTE, 20, 1)
    pay(now - 3 * MINUTE, 10, 5)
    Watch(store, settings).advance(now)
    success = values(store, settings, now, "success")
    assert (success["n_5m"], success["rate_5m"]) == (10, 0.5)
    assert success["n_1h"] == 30
    assert success["expected"] == pytest.approx(0.95, abs=0.002)
    assert success["n_baseline"] == 2130
    assert success["lost_1h"] == pytest.approx(30 * success["expected"] - 24)


def test_evidence_rises_with_a_drop_and_not_without(
    store: Store, settings: Settings, now: datetime, pay: Pay
) -> None:
    for hour in range(3, 24):
        pay(now - hour * HOUR, 100, 5)
    watch = Watch(store, settings)
    for minute in range(60, 10, -1):
        pay(now - minute * MINUTE, 4, 0)
    watch.advance(now)
    before = values(store, settings, now, "success")
    assert before["evidence"] < 1.0
    assert before["alarm"] is False
    assert before["failed_since"] is None
    for minute in range(10, 0, -1):
        pay(now - minute * MINUTE, 4, 3)
    watch.advance(now)
    after = values(store, settings, now, "success")
    assert after["evidence"] >= 1.0
    assert after["alarm"] is True
    assert (after["n_since"], after["failed_since"]) == (40, 30)
    assert 540 <= after["since_s"] <= 600


def test_missing_is_judged_from_the_first_verified_event_and_after_a_grace(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    before, early, late, young = now - HOUR, now - 30 * MINUTE, now - 10 * MINUTE, now - MINUTE
    events = tuple(
        made["event"](name, at)
        for name, at in (("old", before), ("seen", early), ("gone", late), ("fresh", young))
    )
    store.facts.apply_page("stripe-live", made["page"](facts=Facts(events=events)), now)
    assert values(store, settings, now, "webhooks")["missing"] is None
    store.inbox.receive([made["delivery"]("seen", early)])
    webhooks = values(store, settings, now, "webhooks")
    assert (webhooks["missing"], webhooks["missing_oldest_s"]) == (1, 600)


def test_what_another_endpoint_received_is_unknown_never_zero(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    store.inbox.receive([made["delivery"]("seen", now - 30 * MINUTE)])
    store.facts.apply_page("stripe-live", made["page"](), now)
    other = values(store, settings, now, "webhooks", row=1)
    assert {other[field] for field in ("missing", "unprocessed", "dead", "received_15m")} == {None}


def test_missing_goes_no_further_than_the_list_is_complete(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    store.inbox.receive([made["delivery"]("seen", now - 30 * MINUTE)])
    facts = Facts(events=(made["event"]("gone", now - 5 * MINUTE),))
    store.facts.apply_page("stripe-live", made["page"](facts=facts, data_as_of=now - 20 * MINUTE), now)
    assert values(store, settings, now, "webhooks")["missing"] == 0


def test_endpoint_state_is_matched_by_url(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    store.facts.apply_page(
        "stripe-live", made["page"](feed="endpoints", endpoints=(made["endpoint"]("disabled"),)), now
    )
    own, other = (row.values for row in read(store, settings, now)["endpoints"])
    assert (own["present"], own["disabled"], own["disabled_by_user"]) == (True, True, None)
    assert (other["present"], other["disabled"]) == (False, None)


def test_a_key_of_the_other_mode_is_accepted_but_wrong(
    store: Store, settings: Settings, now: datetime
) -> None:
    store.facts.save_proof(
        CredentialProof("stripe-live", 0, "rk_…", now, ok=True, mode="test", identity="acct_1")
    )
    proof = values(store, settings, now, "credentials")
    assert (proof["accepted"], proof["rejected"], proof["wrong_mode"], proof["fallbacks"]) == (
        True,
        False,
        True,
        1,
    )


def test_a_rejection_carries_its_code(store: Store, settings: Settings, now: datetime) -> None:
    store.facts.save_proof(
        CredentialProof("stripe-live", 0, "rk_…", now, ok=False, error="auth", code="api_key_expired")
    )
    proof = values(store, settings, now, "credentials")
    assert (proof["accepted"], proof["rejected"], proof["code"]) == (False, True, "api_key_expired")


def test_half_a_history_is_no_baseline(
    store: Store, settings: Settings, now: datetime, pay: Pay, made: Made
) -> None:
    for hour in range(3, 24):
        pay(now - hour * HOUR, 100, 5)
    store.facts.apply_page("stripe-live", made["page"](progress=0.4, more=True), now)
    watch = Watch(store, settings)
    watch.advance(now)
    reading = values(store, settings, now, "success")
    assert (reading["expected"], reading["evidence"], reading["n_baseline"]) == (None, None, 0)
    store.facts.apply_page("stripe-live", made["page"](progress=1.0), now)
    watch.advance(now)
    assert values(store, settings, now, "success")["expected"] == pytest.approx(0.95, abs=0.002)
