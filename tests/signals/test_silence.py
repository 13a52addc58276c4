from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from payops.config import Settings
from payops.domain.events import Facts
from payops.signals import read, silence
from payops.store import Store

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
Made = dict[str, Any]


def _every_minute(until: datetime, n: int = 30) -> list[datetime]:
    return [until - k * MINUTE for k in range(n)]


def test_silence_needs_a_rhythm_a_long_quiet_and_activity() -> None:
    quiet_for_an_hour = _every_minute(NOW - HOUR)
    assert silence.judge(quiet_for_an_hour, 3, NOW).silent is True
    assert silence.judge(quiet_for_an_hour, 2, NOW).silent is False
    assert silence.judge(quiet_for_an_hour, None, NOW).silent is None
    assert silence.judge(quiet_for_an_hour[:19], 3, NOW).silent is None
    assert silence.judge(_every_minute(NOW - 9 * MINUTE), 3, NOW).silent is False
    assert silence.judge([], 3, NOW).silent is None


def test_an_account_with_long_pauses_may_pause_again() -> None:
    nightly = [*_every_minute(NOW - HOUR), *_every_minute(NOW - 9 * HOUR)]
    assert silence.judge(nightly, 50, NOW).silent is False


def test_a_burst_tells_no_rhythm_of_settlements() -> None:
    assert silence.judge(_every_minute(NOW - HOUR), 50, NOW, over=silence.DAY).silent is None


@given(
    ages=st.lists(st.integers(0, 10_000), min_size=20, max_size=60),
    activity=st.integers(0, 10),
    seed=st.randoms(use_true_random=False),
)
@trials(max_examples=60)
def test_the_order_of_arrivals_does_not_matter_and_a_quiet_seen_before_is_never_silence(
    ages: list[int], activity: int, seed: Any
) -> None:
    arrivals = [NOW - timedelta(seconds=age) for age in ages]
    shuffled = list(arrivals)
    seed.shuffle(shuffled)
    found = silence.judge(arrivals, activity, NOW)
    assert found == silence.judge(shuffled, activity, NOW)
    known = sorted(arrivals)
    longest = max(later - earlier for earlier, later in pairwise(known))
    if NOW - known[-1] <= longest:
        assert found.silent is False


def test_the_signal_is_silent_only_while_listed_events_do_not_arrive(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    came = [now - HOUR - k * MINUTE for k in range(30)]
    store.inbox.receive([made["delivery"](f"came_{k}", at) for k, at in enumerate(came)])

    def said(row: int = 0) -> tuple[object, ...]:
        values = read(store, settings, now)["webhooks"][row].values
        return values["activity"], values["silent"]

    assert said() == (None, None)
    store.facts.apply_page("stripe-live", made["page"](), now)
    assert said() == (0, False)
    lost = tuple(made["event"](f"lost_{k}", now - 20 * MINUTE - k * MINUTE) for k in range(3))
    store.facts.apply_page("stripe-live", made["page"](facts=Facts(events=lost)), now)
    assert said() == (3, True)
    assert said(row=1) == (None, None)
    store.inbox.receive([made["delivery"]("lost_0", now - 20 * MINUTE)])
    assert said() == (0, False)
