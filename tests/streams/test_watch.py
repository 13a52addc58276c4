"""The laws of counting: once, in order, wherever it goes on; and what is learned, noticed and merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from arriving import ACCOUNT, NOW, day, keep

from payops.config import Settings
from payops.domain.payments import Attempt
from payops.signals.standing import standing
from payops.store import Store
from payops.store.streams import Notice, StreamRow
from payops.streams import Watch

DROP = NOW - timedelta(minutes=20)
MINUTE = timedelta(minutes=1)


def dropped(at: datetime) -> float:
    return 0.95 if at < DROP else 0.3


def healthy(at: datetime) -> float:
    return 0.95


def seen(store: Store) -> tuple[list[StreamRow], list[Notice]]:
    return store.streams.rows(), store.streams.notices(ACCOUNT, NOW - timedelta(days=40))


def live(
    store: Store, settings: Settings, attempts: Sequence[Attempt], since: datetime, restart: bool
) -> None:
    """History up to `since` in one go, then a tick every minute."""
    keep(store, [each for each in attempts if each.at < since])
    watch = Watch(store, settings)
    watch.advance(since)
    at = since
    while at < NOW:
        keep(store, [each for each in attempts if at <= each.at < at + MINUTE])
        at += MINUTE
        if restart:
            watch = Watch(store, settings)
        watch.advance(at)


@pytest.fixture(scope="module")
def drop() -> list[Attempt]:
    return day(3, NOW, 8, 4, dropped)


def test_a_restart_at_every_tick_changes_nothing(settings: Settings, drop: list[Attempt]) -> None:
    with Store.in_memory(NOW) as one, Store.in_memory(NOW) as other:
        live(one, settings, drop, NOW - timedelta(minutes=30), restart=False)
        live(other, settings, drop, NOW - timedelta(minutes=30), restart=True)
        assert seen(one) == seen(other)


def test_another_process_that_counted_meanwhile_is_followed(
    store: Store, settings: Settings, drop: list[Attempt]
) -> None:
    keep(store, drop[:1400])
    first, second = Watch(store, settings), Watch(store, settings)
    first.advance(NOW)
    keep(store, drop[1400:1700])
    second.advance(NOW)
    keep(store, drop[1700:])
    first.advance(NOW)
    with Store.in_memory(NOW) as alone:
        watch = Watch(alone, settings)
        for part in (drop[:1400], drop[1400:1700], drop[1700:]):
            keep(alone, part)
            watch.advance(NOW)
        assert seen(store) == seen(alone)


def test_an_attempt_is_counted_once_however_often_it_is_seen(
    store: Store, settings: Settings, drop: list[Attempt]
) -> None:
    watch = Watch(store, settings)
    keep(store, drop)
    watch.advance(NOW)
    before = seen(store)
    keep(store, drop)
    keep(store, [replace(each, changed_at=NOW, amount_refunded_minor=5) for each in drop[-40:]])
    watch.advance(NOW + MINUTE)
    assert seen(store) == before


def test_what_fails_in_the_middle_is_counted_again_whole(
    store: Store, settings: Settings, drop: list[Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(store, settings)
    keep(store, drop)

    def broken(*_: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(store.streams, "save", broken)
        with pytest.raises(RuntimeError):
            watch.advance(NOW)
    assert seen(store) == ([], [])
    watch.advance(NOW)
    with Store.in_memory(NOW) as alone:
        keep(alone, drop)
        Watch(alone, settings).advance(NOW)
        assert seen(store) == seen(alone)


def test_a_drop_is_noticed_with_its_onset_merged_into_one_and_recovered(
    store: Store, settings: Settings
) -> None:
    healed = NOW - timedelta(minutes=60)

    def brief(at: datetime) -> float:
        return 0.3 if healed - timedelta(minutes=20) <= at < healed else 0.95

    keep(store, day(5, NOW, 24, 6, brief))
    Watch(store, settings).advance(NOW)
    notices = [each for each in seen(store)[1] if each.family == "acceptance"]
    alarms = [each for each in notices if each.what == "alarm"]
    (root,) = [each for each in alarms if each.part_of is None]
    assert {each.part_of for each in alarms} == {None, root.id}
    assert abs((root.onset_at - (healed - timedelta(minutes=20))).total_seconds()) < 120
    assert (root.at - root.onset_at) < timedelta(minutes=8)
    assert root.evidence >= 1.0
    whole = next(each for each in notices if each.what == "recovery" and each.slice == ())
    assert healed < whole.at < healed + timedelta(minutes=20)
    assert store.streams.rows_alarmed("acceptance") == []
    # Its codes' alarms were the same one: they are over with it.
    codes = [each for each in seen(store)[1] if each.family == "codes"]
    assert {each.at for each in codes if each.what == "recovery"} <= {whole.at}
    assert store.streams.rows_alarmed("codes") == []


def test_healthy_days_make_no_alarm_and_teach_what_to_expect(store: Store, settings: Settings) -> None:
    keep(store, day(8, NOW, 48, 3, healthy))
    Watch(store, settings).advance(NOW)
    rows, notices = seen(store)
    assert [each for each in notices if each.what == "alarm"] == []
    whole = next(row for row in rows if (row.family, row.slice) == ("acceptance", ()))
    assert whole.expected == pytest.approx(0.05, abs=0.02)
    assert whole.per_30_days == pytest.approx(3 * 43_200, rel=0.05)
    # One value of a column is the whole once more: `method` is a stream, and judged by nobody.
    assert {row.per_30_days for row in rows if dict(row.slice).keys() == {"method"}} == {0.0}


def test_a_drop_teaches_nothing(store: Store, settings: Settings) -> None:
    def long(at: datetime) -> float:
        return 0.95 if at < NOW - timedelta(hours=10) else 0.5

    keep(store, day(9, NOW, 36, 4, long))
    Watch(store, settings).advance(NOW)
    whole = next(row for row in seen(store)[0] if (row.family, row.slice) == ("acceptance", ()))
    assert whole.alarmed_at is not None
    assert whole.expected == pytest.approx(0.05, abs=0.015)
    assert whole.since_n is not None
    assert whole.since_failed is not None
    assert whole.since_failed > 0.4 * whole.since_n


def test_a_long_history_is_gone_through_in_parts_and_says_nothing_meanwhile(
    store: Store, settings: Settings, drop: list[Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payops.streams.watch.CHUNK", 1000)
    keep(store, drop)
    watch = Watch(store, settings)
    watch.advance(NOW)
    assert seen(store)[0] != []
    assert standing(store, ACCOUNT, "acceptance").evidence is None
    watch.advance(NOW)
    assert standing(store, ACCOUNT, "acceptance").evidence is not None
    whole = next(row for row in seen(store)[0] if (row.family, row.slice) == ("acceptance", ()))
    assert whole.n == len(drop)


def test_late_rows_teach_and_are_not_judged(store: Store, settings: Settings) -> None:
    history = day(10, NOW, 30, 4, healthy)
    keep(store, history)
    watch = Watch(store, settings)
    watch.advance(NOW)
    before = next(row for row in seen(store)[0] if (row.family, row.slice) == ("acceptance", ()))
    late = [
        replace(each, attempt_id=f"late{n}", payment_id=f"late{n}", customer=None, status="failed")
        for n, each in enumerate(history[2000:2060])
    ]
    keep(store, late)
    watch.advance(NOW + MINUTE)
    after = next(row for row in seen(store)[0] if (row.family, row.slice) == ("acceptance", ()))
    assert (after.n, after.level) == (before.n + 60, before.level)


def test_half_a_history_is_not_counted_and_the_whole_is_begun_anew(
    store: Store, settings: Settings, drop: list[Attempt]
) -> None:
    from payops.domain.events import FeedPage

    watch = Watch(store, settings)
    keep(store, drop[:100])
    watch.advance(NOW)
    assert seen(store)[0] != []
    store.facts.apply_page(ACCOUNT, FeedPage("events", 1, 1, progress=0.4, more=True, data_as_of=NOW), NOW)
    keep(store, drop[100:])
    watch.advance(NOW)
    assert seen(store) == ([], [])
    store.facts.apply_page(ACCOUNT, FeedPage("events", 1, 1, progress=1.0, data_as_of=NOW), NOW)
    watch.advance(NOW)
    with Store.in_memory(NOW) as alone:
        keep(alone, drop)
        Watch(alone, settings).advance(NOW)
        assert seen(store) == seen(alone)


def test_what_stays_pending_for_too_long_failed_and_is_not_counted_again_when_it_ends(
    store: Store, settings: Settings
) -> None:
    keep(store, day(12, NOW, 8, 4, healthy))
    watch = Watch(store, settings)
    watch.advance(NOW)

    def whole() -> StreamRow:
        return next(row for row in seen(store)[0] if (row.family, row.slice) == ("acceptance", ()))

    n = whole().n
    hangs = Attempt(ACCOUNT, "hangs", NOW, "pending", NOW, payment_id="h", method="card", currency="eur")
    slow = replace(hangs, attempt_id="slow", payment_id="s", method="sepa_debit")
    brief = replace(hangs, attempt_id="brief", payment_id="b")
    keep(store, [hangs, slow, brief])
    watch.advance(NOW + MINUTE)
    assert whole().n == n
    keep(store, [replace(brief, status="succeeded", changed_at=NOW + 2 * MINUTE)])
    watch.advance(NOW + 3 * MINUTE)
    assert whole().n == n + 1
    watch.advance(NOW + timedelta(hours=1))
    assert whole().n == n + 2
    keep(store, [replace(hangs, status="succeeded", changed_at=NOW + timedelta(hours=2))])
    keep(store, [replace(slow, status="failed", changed_at=NOW + timedelta(hours=2))])
    watch.advance(NOW + timedelta(hours=3))
    assert whole().n == n + 2
    delayed = next(row for row in seen(store)[0] if row.family == "delayed")
    assert delayed.n == 1
