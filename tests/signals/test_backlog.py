from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from payops.config import Settings
from payops.domain.deadlines import drain_s, growth_per_min
from payops.domain.events import Delivery, Facts, WebhookEvent
from payops.signals import backlog, read
from payops.store import Store

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Made = dict[str, Any]


def _read(store: Store, settings: Settings, now: datetime, endpoint: int = 0) -> backlog.Backlog:
    account = settings.accounts[0]
    return backlog.read(store, account, account.endpoints[endpoint], now)


@given(waiting=st.integers(0, 10**6), more=st.none() | st.integers(-(10**5), 10**5))
@trials(max_examples=100)
def test_a_backlog_drains_at_its_pace_and_never_when_it_does_not_fall(waiting: int, more: int | None) -> None:
    growth = None if more is None else growth_per_min(more, 15 * MINUTE)
    left = drain_s(waiting, growth)
    if waiting == 0:
        assert left == 0
    elif growth is None or growth >= 0:
        assert left is None
    else:
        assert left is not None
        tolerance = 1e-6 * waiting
        assert waiting + growth * left / 60 <= tolerance
        assert waiting + growth * (left - 1) / 60 >= -tolerance


Life = tuple[int, int | None]
"""Minutes from now of an event's receipt and of its processing, None = it waits still."""


@st.composite
def _lives(draw: st.DrawFn) -> list[Life]:
    came = draw(st.lists(st.integers(-300, 0), max_size=12))
    return [(minute, draw(st.none() | st.integers(minute, 0))) for minute in came]


@given(lives=_lives())
@trials(max_examples=30, deadline=None)
def test_growth_is_what_waits_now_less_what_waited_then(lives: list[Life]) -> None:
    now = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
    with Store.in_memory(now) as store:
        for n, (came, went) in enumerate(lives):
            at, name = now + came * MINUTE, f"evt_{n}"
            event = WebhookEvent("stripe-live", name, "charge.succeeded", at, True)
            store.inbox.receive([Delivery("stripe-live", event, at, "{}", "0" * 64, "v1")])
            row = store.inbox.row("stripe-live", name)
            if went is not None and row is not None:
                store.inbox.process(row, Facts(), now + went * MINUTE)
        grown = sum(store.facts.backlog_growth("stripe-live", now - 15 * MINUTE).values())
    then, left = (
        sum(came <= minute and (went is None or went > minute) for came, went in lives) for minute in (-15, 0)
    )
    assert grown == left - then


def test_growth_a_minute() -> None:
    assert growth_per_min(30, 15 * MINUTE) == 2.0


def test_each_type_says_where_it_waits_and_when_it_is_given_up(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    old, young = now - 4 * DAY, now - DAY
    store.inbox.receive([made["delivery"]("first", now - 5 * DAY), made["delivery"]("second", now - HOUR)])
    lost = [made["event"](f"lost_{at.day}", at) for at in (old, young)]
    failed = made["event"]("failed", young, "charge.failed")
    store.facts.apply_page("stripe-live", made["page"](facts=Facts(events=(*lost, failed))), now)
    store.facts.apply_page("stripe-live", made["page"](feed="undelivered", undelivered=(failed,)), now)
    found = _read(store, settings, now)
    by_type = {each.type: each for each in found.types}
    assert set(by_type) == {"charge.failed", "charge.succeeded"}
    paid = by_type["charge.succeeded"]
    assert (paid.undelivered, paid.missing, paid.unprocessed, paid.dead) == (0, 2, 2, 0)
    assert (paid.gives_up_at, paid.given_up) == (young + 3 * DAY, 1)
    assert paid.resend_until == old + 30 * DAY
    assert by_type["charge.failed"].undelivered == 1
    assert (found.total.missing, found.total.undelivered, found.total.given_up) == (3, 1, 1)
    assert "at least one" in found.undelivered_means
    assert len(found.estimates) == 2


def test_what_is_waiting_elsewhere_is_unknown_never_zero(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    store.inbox.receive([made["delivery"]("first", now - HOUR)])
    store.facts.apply_page("stripe-live", made["page"](), now)
    other = _read(store, settings, now, endpoint=1).total
    assert {other.undelivered, other.missing, other.unprocessed, other.dead, other.drain_s} == {None}
    own = _read(store, settings, now).total
    assert (own.undelivered, own.missing, own.unprocessed) == (None, 0, 1)


def test_the_signal_counts_down_to_the_next_event_that_is_given_up(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    store.inbox.receive([made["delivery"]("first", now - 5 * DAY)])

    def said() -> Any:
        return read(store, settings, now)["webhooks"][0].values

    def lose(name: str, at: datetime) -> None:
        page = made["page"](facts=Facts(events=(made["event"](name, at),)))
        store.facts.apply_page("stripe-live", page, now)

    assert said()["give_up_s"] is None
    lose("past", now - 4 * DAY)
    assert said()["give_up_s"] is None
    lose("next", now - 2 * DAY)
    assert said()["give_up_s"] == DAY.total_seconds()
    assert said()["drain_s"] is None
    row = store.inbox.row("stripe-live", "first")
    assert row is not None
    store.inbox.process(row, Facts(), now)
    assert (said()["growth_per_min"], said()["drain_s"]) == (0.0, 0)
