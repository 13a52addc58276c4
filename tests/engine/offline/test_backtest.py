"""What a backtest finds in an export with a drop, and what must not change it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import exports
import pytest

DROP = (1_500.0, 1_620.0)
VISA_NL = {"card_brand": "visa", "country": "NL"}


@pytest.fixture(scope="module")
def entries() -> list[exports.Entry]:
    return exports.payments(minutes=1_800, per_minute=2, drop=DROP, where=VISA_NL)


def minute(text: str) -> float:
    return (datetime.fromisoformat(text) - exports.START).total_seconds() / 60


@pytest.mark.parametrize("expected", [0.95, None], ids=["stated", "learned"])
def test_one_drop_is_one_alarm_at_its_slice_since_its_onset(judged, entries, expected) -> None:
    found = judged(entries, expected)
    (alarm,) = found["alarms"]
    assert alarm["slice"] == VISA_NL
    assert minute(alarm["onset"]) == pytest.approx(DROP[0], abs=15)  # the slice has a payment every 2.7 min
    assert DROP[0] < minute(alarm["at"]) < DROP[0] + 60
    assert minute(alarm["recovered_at"]) > DROP[1]
    assert alarm["observed"] >= alarm["failed"] > alarm["expected"]
    assert alarm["evidence_years"] >= 30 / 366
    assert found["recoveries"] == 1


def test_the_money_is_what_the_slice_lost(judged, entries) -> None:
    (alarm,) = judged(entries)["alarms"]
    end = minute(alarm["recovered_at"])
    for money in alarm["in_all"]["money"]:
        lost = sum(
            int(entry["amount_minor"]) * ((entry["status"] == "failed") - 0.05)
            for entry in entries
            if entry["currency"] == money["currency"]
            and VISA_NL.items() <= entry.items()
            and minute(alarm["onset"]) <= minute(entry["at"]) + 1 / 60 and minute(entry["at"]) <= end + 1 / 60
        )  # fmt: skip
        assert money["lost_minor"] == pytest.approx(lost, abs=1)
        assert 0 < money["se_minor"] < money["lost_minor"]


def test_an_order_paid_later_is_not_lost(judged, entries) -> None:
    later = [
        {
            **entry,
            "at": (datetime.fromisoformat(entry["at"]) + timedelta(seconds=1)).isoformat(),
            "status": "succeeded",
        }
        for entry in entries
        if entry["status"] == "failed"
    ]
    (before,), (after,) = judged(entries)["alarms"], judged([*entries, *later])["alarms"]
    assert (after["at"], after["onset"], after["failed"]) == (before["at"], before["onset"], before["failed"])
    assert all(money["lost_minor"] < 0 for money in after["in_all"]["money"])


def test_shuffled_duplicated_and_rewritten_rows_give_the_same_alarms(judged, entries) -> None:
    usual = judged(entries, None)
    rng = random.Random(4)
    zones = [timezone(timedelta(hours=hours)) for hours in (-7, 0, 1, 2)]

    def rewritten(entry: exports.Entry) -> exports.Entry:
        at = datetime.fromisoformat(entry["at"])
        # Half the rows as a local clock showed them, summer time or not; half as epoch seconds.
        said = at.astimezone(rng.choice(zones)).isoformat() if rng.random() < 0.5 else f"{at.timestamp():.6f}"
        return {**entry, "at": said}

    mixed = [rewritten(entry) for entry in [*entries, *rng.sample(entries, 50)]]
    rng.shuffle(mixed)
    found = judged(mixed, None)
    assert (found["alarms"], found["watches"], found["streams"]) == (
        usual["alarms"],
        usual["watches"],
        usual["streams"],
    )
    assert (found["duplicates"], found["counted"]) == (50, usual["counted"])


def test_garbage_between_the_rows_changes_no_alarm(judged, entries) -> None:
    usual = judged(entries)
    lines = exports.text(entries).splitlines(keepends=True)
    lines[100:100] = ["garbage\n", '"never closed\n', ",,,\n"]
    found = judged("".join(lines).encode())
    assert [one["line"] for one in found["skipped"]] == [101, 102, 103]
    assert found["alarms"] == usual["alarms"]


def test_a_customer_who_tries_a_bad_card_twenty_times_raises_nothing(judged) -> None:
    entries = exports.payments(minutes=1_000, per_minute=2)
    failed = [entry for entry in entries if entry["status"] == "failed"]
    again = [
        {**entry, "payment_id": f"{entry['payment_id']}-{n}",
         "at": (datetime.fromisoformat(entry["at"]) + timedelta(seconds=20 * n)).isoformat()}
        for entry in failed
        for n in range(1, 20)
    ]  # fmt: skip
    found = judged(entries + again)
    assert found["alarms"] == []
    assert found["retries"] == len(again)


def test_k_is_the_number_of_streams_with_two_hundred_payments_in_thirty_days(judged) -> None:
    # 10 days: the total and provider a with 80 a day; b has 8 a day, c has 6 and is too small.
    entries = [
        {"at": (exports.START + timedelta(minutes=n * 15)).isoformat(), "status": "succeeded",
         "provider": "b" if n % 12 == 0 else "c" if n % 16 == 1 else "a", "payment_id": str(n)}
        for n in range(960)
    ]  # fmt: skip
    assert judged(entries)["streams"] == 3


def test_columns_of_one_value_or_of_too_many_make_no_slice(judged) -> None:
    entries = [
        {"at": (exports.START + timedelta(minutes=n)).isoformat(), "status": "succeeded", "provider": "stripe",
         "method": f"m{n}", "country": "NL" if n % 2 else "", "card_brand": "visa" if n % 2 else "amex"}
        for n in range(300)
    ]  # fmt: skip
    assert judged(entries)["streams"] == 3


def test_further_columns_become_dimensions(judged, tmp_path) -> None:
    entries = exports.payments(minutes=1_800, per_minute=2)
    rng = random.Random(9)
    for entry in entries:
        entry["issuer"] = rng.choice(["bank a", "bank b", "bank c"])
        if DROP[0] <= minute(entry["at"]) < DROP[1] and entry["issuer"] == "bank b":
            entry["status"] = "failed" if rng.random() < 0.7 else "succeeded"
    found = judged(exports.text(entries, (*exports.COLUMNS, "issuer")).encode())
    assert [alarm["slice"] for alarm in found["alarms"]] == [{"issuer": "bank b"}]


def test_two_troubles_at_different_times_are_two_alarms(judged, entries) -> None:
    rng = random.Random(2)
    second = [
        {**entry, "status": "failed"}
        if 300 <= minute(entry["at"]) < 400 and entry["provider"] == "braintree" and rng.random() < 0.7
        else entry
        for entry in entries
    ]
    found = judged(second)
    assert [alarm["slice"] for alarm in found["alarms"]] == [{"provider": "braintree"}, VISA_NL]
