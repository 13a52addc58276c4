from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.attempts import RETRY_WINDOW_S, Tried, mark_first, state_rank


def first_ids(*rows: Tried) -> set[str]:
    return {row.attempt_id for row, first in zip(rows, mark_first(rows), strict=True) if first}


def test_retries_of_a_payment_are_one_first_attempt_whenever_they_come():
    day = 86400
    rows = [
        Tried(0, "a", "failed", "pay"),
        Tried(day, "b", "failed", "pay"),
        Tried(9 * day, "c", "succeeded", "pay"),
    ]
    assert first_ids(*rows) == {"a"}


def test_first_success_ends_the_purchase():
    rows = [
        Tried(0, "a", "failed", "pay"),
        Tried(1, "b", "succeeded", "pay"),
        Tried(2, "c", "failed", "pay"),
        Tried(3, "d", "failed", "pay"),
    ]
    assert first_ids(*rows) == {"a", "c"}


def test_success_makes_nothing_a_retry():
    assert first_ids(Tried(0, "a", "succeeded", "pay"), Tried(1, "b", "succeeded", "pay")) == {"a", "b"}


def test_customer_links_up_to_sixty_minutes_after_the_first_failure_and_no_further():
    inside = Tried(RETRY_WINDOW_S, "b", "failed", "two", "cus", 500, "EUR")
    outside = Tried(RETRY_WINDOW_S + 1, "c", "failed", "three", "cus", 500, "EUR")
    assert first_ids(Tried(0, "a", "failed", "one", "cus", 500, "EUR"), inside, outside) == {"a", "c"}


def test_customer_with_another_amount_or_currency_is_another_purchase():
    rows = [
        Tried(0, "a", "failed", "one", "cus", 500, "EUR"),
        Tried(1, "b", "failed", "two", "cus", 501, "EUR"),
        Tried(2, "c", "failed", "three", "cus", 500, "USD"),
    ]
    assert first_ids(*rows) == {"a", "b", "c"}


def test_unknown_customers_are_not_one_customer():
    rows = [
        Tried(0, "a", "failed", "one", None, 500, "EUR"),
        Tried(1, "b", "failed", "two", "", 500, "EUR"),
        Tried(2, "c", "failed", "three", "", 500, "EUR"),
    ]
    assert first_ids(*rows) == {"a", "b", "c"}


def test_pending_and_canceled_are_neither_first_nor_make_retries():
    rows = [
        Tried(0, "a", "pending", "pay"),
        Tried(1, "b", "canceled", "pay"),
        Tried(2, "c", "failed", "pay"),
    ]
    assert first_ids(*rows) == {"c"}


def test_success_of_another_payment_of_the_customer_closes_both_links():
    rows = [
        Tried(0, "a", "failed", "one", "cus", 500, "EUR"),
        Tried(10, "b", "succeeded", "two", "cus", 500, "EUR"),
        Tried(20, "c", "failed", "one", "cus", 500, "EUR"),
    ]
    assert first_ids(*rows) == {"a", "c"}


def test_equal_times_are_ordered_by_attempt_id():
    assert first_ids(Tried(5, "b", "failed", "pay"), Tried(5, "a", "failed", "pay")) == {"a"}


ROWS = st.lists(
    st.tuples(
        st.integers(0, 9000),
        st.sampled_from(["succeeded", "failed", "failed", "pending", "canceled"]),
        st.sampled_from([None, "p1", "p2", "p3"]),
        st.sampled_from([None, "", "c1", "c2"]),
        st.sampled_from([None, 100, 200]),
    ),
    max_size=25,
).map(
    lambda rows: [
        Tried(at, f"a{index:02}", status, payment, customer, amount, "EUR")
        for index, (at, status, payment, customer, amount) in enumerate(rows)
    ]
)


def by_the_definition(rows: list[Tried]) -> set[str]:
    """The rule read word by word: quadratic, without any state that is carried along."""
    ordered = sorted((row for row in rows if row.status in ("succeeded", "failed")), key=lambda r: r[:2])
    first: set[str] = set()

    def in_scope(later: Tried, failed: Tried) -> bool:
        same_payment = bool(failed.payment_id) and later.payment_id == failed.payment_id
        same_customer = bool(failed.customer) and (later.customer, later.amount_minor, later.currency) == (
            failed.customer,
            failed.amount_minor,
            failed.currency,
        )
        return same_payment or (same_customer and later.at <= failed.at + 3600)

    for position, row in enumerate(ordered):
        is_retry = any(
            failed.status == "failed"
            and failed.attempt_id in first
            and in_scope(row, failed)
            and not any(
                between.status == "succeeded" and in_scope(between, failed)
                for between in ordered[start + 1 : position]
            )
            for start, failed in enumerate(ordered[:position])
        )
        if not is_retry:
            first.add(row.attempt_id)
    return first


@settings(max_examples=150)
@given(ROWS)
def test_marks_are_those_of_the_definition(rows: list[Tried]):
    assert first_ids(*rows) == by_the_definition(rows)


@settings(max_examples=100)
@given(ROWS, st.randoms(use_true_random=False))
def test_marks_do_not_depend_on_the_order_given(rows: list[Tried], rng: random.Random):
    shuffled = rows[:]
    rng.shuffle(shuffled)
    assert first_ids(*shuffled) == first_ids(*rows)


@settings(max_examples=100)
@given(ROWS, st.integers(0, 25))
def test_verdicts_already_given_lead_to_the_same_marks_after_them(rows: list[Tried], cut: int):
    ordered = sorted(rows, key=lambda row: row[:2])
    known = by_the_definition(rows)
    judged = [row._replace(first=row.attempt_id in known) for row in ordered[:cut]]
    assert first_ids(*judged, *ordered[cut:]) == known


def test_state_rank_ended_beats_pending_and_later_beats_earlier():
    in_order = [
        state_rank("pending", 10),
        state_rank("pending", 99),
        state_rank("failed", 5),
        state_rank("succeeded", 5),
        state_rank("failed", 6),
    ]
    assert sorted(in_order) == in_order
