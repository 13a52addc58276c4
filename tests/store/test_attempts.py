from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.attempts import Tried, mark_first, state_rank
from payops.domain.events import Facts
from payops.domain.payments import Attempt
from payops.store import Store

START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ACCOUNT = "stripe-live"


def attempt(
    name: str, minute: float = 0, status: str = "failed", changed: float | None = None, **more
) -> Attempt:
    at = START + timedelta(minutes=minute)
    changed_at = at if changed is None else START + timedelta(minutes=changed)
    return Attempt(ACCOUNT, name, at, status, changed_at, **more)


def apply(store: Store, *attempts: Attempt):
    return store.facts.apply_facts(ACCOUNT, Facts(attempts=attempts), START)


def rows(store: Store) -> list[tuple]:
    with store.read() as db:
        return [
            tuple(row)
            for row in db.execute(
                "SELECT attempt_id, at, status, changed_at, payment_id, customer, amount_minor, first"
                " FROM attempts ORDER BY attempt_id"
            )
        ]


def first_ids(store: Store) -> set[str]:
    return {row[0] for row in rows(store) if row[-1]}


def rollup(store: Store) -> dict[int, tuple[int, int]]:
    with store.read() as db:
        return {row["minute"]: (row["n"], row["succeeded"]) for row in db.execute("SELECT * FROM rollup")}


def recount(store: Store) -> dict[int, tuple[int, int]]:
    counted: dict[int, tuple[int, int]] = {}
    for _, at, status, *_rest, first in rows(store):
        if first:
            n, succeeded = counted.get(at - at % 60, (0, 0))
            counted[at - at % 60] = (n + 1, succeeded + (status == "succeeded"))
    return counted


def test_page_of_new_attempts_is_counted_new_and_the_same_page_again_is_nothing(memory: Store):
    page = [attempt("a"), attempt("b", 1, "succeeded")]
    assert apply(memory, *page).new_attempts == 2
    again = apply(memory, *page)
    assert (again.new_attempts, again.changed_attempts) == (0, 0)
    assert memory.facts.attempts_count(ACCOUNT) == 2


def test_later_change_wins_whatever_arrives_first(memory: Store):
    early = attempt("a", status="failed", changed=1)
    late = attempt("a", status="succeeded", changed=2)
    apply(memory, late)
    assert apply(memory, early).changed_attempts == 0
    assert rows(memory)[0][2] == "succeeded"


def test_ended_attempt_never_goes_back_to_pending(memory: Store):
    apply(memory, attempt("a", status="succeeded", changed=1))
    apply(memory, attempt("a", status="pending", changed=9))
    assert rows(memory)[0][2] == "succeeded"


def test_ended_wins_a_tie_over_pending(memory: Store):
    apply(memory, attempt("a", status="pending", changed=1))
    assert apply(memory, attempt("a", status="failed", changed=1)).changed_attempts == 1
    assert rows(memory)[0][2] == "failed"


def test_accounts_do_not_mix(memory: Store):
    apply(memory, attempt("a", payment_id="pay"))
    other = Attempt("stripe-test", "a", START, "failed", START, payment_id="pay")
    memory.facts.apply_facts("stripe-test", Facts(attempts=(other,)), START)
    assert memory.facts.attempts_count("stripe-test") == 1
    assert memory.facts.window("stripe-test", START, START + timedelta(minutes=1)).n == 1


def test_pending_attempt_that_fails_turns_the_later_one_into_a_retry_and_moves_the_rollup(memory: Store):
    apply(memory, attempt("a", 0, "pending", payment_id="pay"), attempt("b", 5, "failed", payment_id="pay"))
    assert first_ids(memory) == {"b"}
    apply(memory, attempt("a", 0, "failed", changed=6, payment_id="pay"))
    assert first_ids(memory) == {"a"}
    assert rollup(memory) == {int(START.timestamp()): (1, 0)}


def test_attempt_that_moves_to_another_payment_frees_what_it_had_made_a_retry(memory: Store):
    apply(memory, attempt("a", 0, payment_id="one"), attempt("b", 5, payment_id="one"))
    apply(memory, attempt("a", 0, changed=9, payment_id="two"))
    assert first_ids(memory) == {"a", "b"}


def test_very_old_failure_of_the_payment_closed_by_another_payment_makes_no_retry(memory: Store):
    same = {"customer": "cus", "amount_minor": 100, "currency": "EUR"}
    apply(memory, attempt("a", 0, payment_id="one", **same))
    apply(memory, attempt("b", 30, "succeeded", payment_id="two", **same))
    apply(memory, attempt("c", 60 * 24, payment_id="one", **same))
    assert first_ids(memory) == {"a", "c"}


SAME = {"customer": "cus", "amount_minor": 100, "currency": "EUR"}


def test_failure_that_arrives_late_turns_the_customers_next_hour_into_retries(memory: Store):
    apply(memory, attempt("b", 10, payment_id="two", **SAME), attempt("c", 61, payment_id="three", **SAME))
    assert first_ids(memory) == {"b"}
    apply(memory, attempt("a", 0, payment_id="one", **SAME))
    assert first_ids(memory) == {"a", "c"}


def test_retry_of_an_hour_ago_is_not_taken_for_a_first_attempt(memory: Store):
    apply(memory, attempt("a", 0, payment_id="one", **SAME), attempt("b", 50, payment_id="two", **SAME))
    apply(memory, attempt("c", 70, payment_id="three", **SAME))
    assert first_ids(memory) == {"a", "c"}


STATES = st.lists(
    st.tuples(
        st.integers(0, 11),  # which attempt
        st.sampled_from(["succeeded", "failed", "failed", "pending", "canceled"]),
        st.integers(0, 5),  # changed, minutes after it was made
    ),
    min_size=1,
    max_size=30,
)
SHAPES = st.lists(
    st.tuples(
        st.integers(0, 200),  # made, minutes after the start
        st.sampled_from([None, "p1", "p2", "p3", "p4"]),
        st.sampled_from([None, "c1", "c2"]),
        st.sampled_from([100, 200]),
    ),
    min_size=12,
    max_size=12,
)


def seen_states(states: list, shapes: list) -> list[Attempt]:
    seen = []
    for which, status, changed in states:
        minute, payment, customer, amount = shapes[which]
        seen.append(
            attempt(
                f"ch_{which:02}",
                minute,
                status,
                minute + changed,
                payment_id=payment,
                customer=customer,
                amount_minor=amount,
                currency="EUR",
            )
        )
    return seen


def naive(seen: list[Attempt]) -> dict[str, tuple[str, bool]]:
    """All states at once: the greatest of each attempt, then the marks over all of them."""
    kept: dict[str, Attempt] = {}
    for one in seen:
        known = kept.get(one.attempt_id)
        if known is None or state_rank(one.status, one.changed_at.timestamp()) > state_rank(
            known.status, known.changed_at.timestamp()
        ):
            kept[one.attempt_id] = one
    ordered = list(kept.values())
    marks = mark_first(
        Tried(
            one.at.timestamp(),
            one.attempt_id,
            one.status,
            one.payment_id,
            one.customer,
            one.amount_minor,
            one.currency,
        )
        for one in ordered
    )
    return {one.attempt_id: (one.status, first) for one, first in zip(ordered, marks, strict=True)}


@settings(max_examples=80, deadline=None)
@given(STATES, SHAPES, st.randoms(use_true_random=False), st.integers(1, 10))
def test_arrival_order_and_page_size_change_neither_rows_nor_marks_nor_rollup(
    states: list, shapes: list, rng: random.Random, size: int
):
    seen = seen_states(states, shapes)
    expected = naive(seen)
    rng.shuffle(seen)
    with Store.in_memory(START) as store:
        for start in range(0, len(seen), size):
            apply(store, *seen[start : start + size])
        assert {row[0]: (row[2], bool(row[-1])) for row in rows(store)} == expected
        assert rollup(store) == recount(store)
        assert store.facts.attempts_count(ACCOUNT) == len(expected)


@pytest.mark.parametrize("newest_first", [False, True])
def test_page_of_a_hundred_reads_only_its_neighbourhood(memory: Store, newest_first: bool):
    """10,000 stored attempts of which every payment and customer is its own: a page must not touch them."""
    apply(
        memory,
        *(
            attempt(
                f"old_{i}", i / 50, "succeeded", payment_id=f"pi_{i}", customer=f"cus_{i}", amount_minor=1
            )
            for i in range(10_000)
        ),
    )
    minute = -10 if newest_first else 300
    page = [attempt(f"new_{i}", minute, payment_id=f"new_{i}", customer=f"new_{i}") for i in range(100)]
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with memory.write() as db:
        db.set_progress_handler(count, 1000)
        apply(memory, *page)
        db.set_progress_handler(None, 0)
    assert steps < 100, f"{steps} thousand steps of SQLite's machine for a page of 100"
