"""Which rows count: the grouping of INTERFACE.md, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def row(
    minute: float,
    status: str = "failed",
    payment: str = "",
    customer: str = "",
    amount: str = "",
    cur: str = "EUR",
):
    at = (NOON + timedelta(minutes=minute)).isoformat()
    return {
        "at": at, "status": status, "payment_id": payment, "customer": customer, "amount_minor": amount, "currency": cur,
    }  # fmt: skip


CASES = {
    "a later row of a failed payment is a retry at any time": ([row(0, payment="a"), row(9000, payment="a")], 1, 1),
    "retries end with the first success": (
        [row(0, payment="a"), row(1, "succeeded", "a"), row(2, payment="a"), row(3, payment="a")], 2, 2),
    "after a success at once the next row of the payment counts": (
        [row(0, "succeeded", "a"), row(1, payment="a")], 2, 0),
    "a customer's next try of the same amount within the hour is a retry": (
        [row(0, "failed", "a", "c", "100"), row(60, "failed", "b", "c", "100")], 1, 1),
    "after the hour it counts": ([row(0, "failed", "a", "c", "100"), row(60.1, "failed", "b", "c", "100")], 2, 0),
    "the hour counts from the counted attempt, not from its retries": (
        [row(0, "failed", "a", "c", "1"), row(50, "failed", "b", "c", "1"), row(70, "failed", "d", "c", "1")], 2, 1),
    "another amount is another purpose": (
        [row(0, "failed", "a", "c", "100"), row(1, "failed", "b", "c", "101")], 2, 0),
    "another currency is another purpose": (
        [row(0, "failed", "a", "c", "1"), row(1, "failed", "b", "c", "1", "USD")], 2, 0),
    "no customer is nobody's retry": ([row(0, amount="100"), row(1, amount="100")], 2, 0),
    "a success by the customer ends the payment's retries too": (
        [row(0, "failed", "a", "c", "1"), row(1, "succeeded", "b", "c", "1"), row(2, "failed", "a", "c", "1")], 2, 1),
    "without a payment nothing is a duplicate": ([row(0), row(0)], 2, 0),
    "what is pending is no retry": ([row(0, payment="a"), row(1, "pending", "a"), row(2, "canceled", "a")], 1, 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_first_attempts_count(judged, case: str) -> None:
    rows, counted, retries = CASES[case]
    for order in (rows, rows[::-1]):
        found = judged(order)
        assert (found["counted"], found["retries"]) == (counted, retries)
        left = found["uncounted"] + found["duplicates"] + len(found["skipped"])
        assert found["rows"] == found["counted"] + found["retries"] + left == len(rows)


def test_rows_equal_in_payment_and_time_are_duplicates_and_the_decided_one_stays(judged) -> None:
    rows = [
        row(0, "pending", "a"),
        row(0, "succeeded", "a"),
        row(0, "succeeded", "a"),
        row(1, "succeeded", "a"),
    ]
    for order in (rows, rows[::-1]):
        found = judged(order)
        assert (found["counted"], found["duplicates"], found["uncounted"]) == (2, 2, 0)
