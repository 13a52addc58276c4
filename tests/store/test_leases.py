from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.errors import LostRace
from payops.store import Lease, Store

SECOND = timedelta(seconds=1)


def test_one_holder_until_the_lease_ends(store: Store, now: datetime):
    lease = store.leases.acquire("engine", "one", now, 30)
    assert lease == Lease("engine", "one", 1, now + 30 * SECOND)
    assert store.leases.acquire("engine", "two", now + 29 * SECOND, 30) is None
    assert store.leases.holder("engine", now + 29 * SECOND) == lease
    assert store.leases.holder("engine", now + 30 * SECOND) is None
    taken = store.leases.acquire("engine", "two", now + 30 * SECOND, 30)
    assert taken is not None and taken.token == 2


def test_same_name_again_is_another_holder(store: Store, now: datetime):
    assert store.leases.acquire("engine", "one", now, 30)
    assert store.leases.acquire("engine", "one", now, 30) is None


def test_renewing_holds_on_and_fails_once_taken(store: Store, now: datetime):
    lease = store.leases.acquire("engine", "one", now, 30)
    assert lease is not None
    assert store.leases.renew(lease, now + 20 * SECOND, 30)
    assert store.leases.acquire("engine", "two", now + 40 * SECOND, 30) is None
    assert store.leases.acquire("engine", "two", now + 50 * SECOND, 30)
    assert not store.leases.renew(lease, now + 51 * SECOND, 30)


def test_clock_that_was_set_back_leaves_nobody_waiting_for_a_dead_holder(store: Store, now: datetime):
    dead = store.leases.acquire("engine", "one", now, 15)
    assert dead is not None
    back = now - timedelta(hours=1)
    assert store.leases.holder("engine", back) is None
    taken = store.leases.acquire("engine", "two", back, 15)
    assert taken is not None and taken.token > dead.token
    assert store.leases.holder("engine", back + 15 * SECOND) is None


def test_living_holder_keeps_its_lease_when_the_clock_is_set_back(store: Store, now: datetime):
    lease = store.leases.acquire("engine", "one", now, 15)
    assert lease is not None
    back = now - timedelta(hours=1)
    assert store.leases.renew(lease, back, 15)
    assert store.leases.acquire("engine", "two", back + SECOND, 15) is None
    assert store.leases.acquire("engine", "two", back + 15 * SECOND, 15) is not None


def test_released_lease_is_free_at_once_and_its_token_is_spent(store: Store, now: datetime):
    lease = store.leases.acquire("engine", "one", now, 30)
    assert lease is not None
    store.leases.release(lease)
    assert not store.leases.renew(lease, now, 30)
    second = store.leases.acquire("engine", "two", now, 30)
    assert second is not None and second.token > lease.token
    store.leases.release(lease)
    assert store.leases.holder("engine", now) == second


def test_writer_whose_lease_was_taken_is_refused_and_writes_nothing(store: Store, now: datetime):
    old = store.leases.acquire("engine", "one", now, 30)
    assert old is not None
    with store.fenced(old):
        store.switches.meta_set("a", "by one")
    assert store.leases.acquire("engine", "two", now + 31 * SECOND, 30)
    with store.fenced(old), pytest.raises(LostRace, match="two has it"):
        store.switches.meta_set("a", "by one, too late")
    assert store.switches.meta_get("a") == "by one"
    store.switches.meta_set("a", "unfenced again")


def test_fence_of_a_lease_nobody_has_is_refused_too(store: Store, now: datetime):
    lease = store.leases.acquire("engine", "one", now, 30)
    assert lease is not None
    store.leases.release(lease)
    with pytest.raises(LostRace, match="nobody has it"), store.write() as db:
        store.leases.fence(db, lease)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["acquire", "renew", "release"]), st.integers(0, 40)
        )
    )
)
def test_tokens_only_grow_and_never_two_hold(steps: list[tuple[str, str, int]]):
    now = datetime.fromisoformat("2026-01-15T09:00:00+00:00")
    with Store.in_memory(now) as store:
        mine: dict[str, Lease] = {}
        tokens: list[int] = []
        for who, act, later in steps:
            now += later * SECOND
            if act == "acquire":
                before = store.leases.holder("engine", now)
                lease = store.leases.acquire("engine", who, now, 30)
                assert (lease is None) == (before is not None)
                if lease:
                    mine[who] = lease
                    tokens.append(lease.token)
            elif who in mine and act == "renew":
                store.leases.renew(mine[who], now, 30)
            elif who in mine:
                store.leases.release(mine.pop(who))
            holder = store.leases.holder("engine", now)
            if holder:
                assert holder.token == tokens[-1]
        assert tokens == sorted(set(tokens))
