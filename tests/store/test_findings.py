from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from payops.domain.events import Delivery, Facts, FeedPage, Remark, WebhookEvent
from payops.domain.payments import Attempt
from payops.store import Store

ACCOUNT = "stripe-live"
PAN, OTHER = "4242424242424242", "5555555555554444"
MINUTE = timedelta(minutes=1)


def delivery(n: int, now: datetime, **metadata: object) -> Delivery:
    event = WebhookEvent(ACCOUNT, f"evt_{n}", "charge.succeeded", now, True, f"ch_{n}")
    body = json.dumps({"id": f"evt_{n}", "data": {"object": {"metadata": metadata}}})
    return Delivery(ACCOUNT, event, now, body, "ab" * 32, "signature ok")


def page(*attempts: Attempt, remarks: tuple[Remark, ...] = ()) -> FeedPage:
    return FeedPage("payments", len(attempts), 1, facts=Facts(attempts=attempts, remarks=remarks))


def attempt(n: int, now: datetime, **more: str) -> Attempt:
    return Attempt(ACCOUNT, f"ch_{n}", now, "succeeded", now, **more)  # type: ignore[arg-type]


def stored_metadata(store: Store, n: int) -> object:
    row = store.inbox.row(ACCOUNT, f"evt_{n}")
    assert row is not None
    return json.loads(row.body)["data"]["object"]["metadata"]


def test_a_finding_is_kept_as_place_field_count_hash_and_time_and_never_as_value(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now, note=f"card {PAN}", cvv="123"), delivery(2, now, note="nothing")])
    pan, cvv = sorted(store.findings.listing(ACCOUNT), key=lambda each: each.field, reverse=True)
    assert (pan.place, pan.ref, pan.field, pan.kind) == (
        "webhook charge.succeeded",
        "evt_1",
        "data.object.metadata.note",
        "pan",
    )
    assert (pan.certainty, pan.count, pan.found_at, len(pan.seal)) == ("confirmed", 1, now, 16)
    assert (cvv.kind, cvv.seal) == ("cvv", ""), "of a thousand possible codes a hash would tell which it was"
    assert store.findings.counts(ACCOUNT).confirmed == 2


def test_equal_numbers_have_equal_hashes_with_a_key_of_the_stores_own(
    store: Store, path: Path, now: datetime
):
    store.inbox.receive([delivery(1, now, a=PAN), delivery(2, now, b=PAN), delivery(3, now, c=OTHER)])
    one, same, other = (each.seal for each in sorted(store.findings.listing(ACCOUNT), key=lambda e: e.ref))
    assert one == same != other
    key = path.with_name(f"{path.name}.cardkey")
    assert key.stat().st_mode & 0o777 == 0o600
    with Store.open(path, now=now) as again:
        assert again.findings.seal(PAN) == one
    key.unlink()
    with Store.open(path, now=now) as another:
        assert another.findings.seal(PAN) != one


def test_a_key_that_others_can_read_is_not_used(store: Store, path: Path, now: datetime):
    path.with_name(f"{path.name}.cardkey").write_bytes(b"k" * 32)
    path.with_name(f"{path.name}.cardkey").chmod(0o644)
    store.inbox.receive([delivery(1, now, note=PAN)])
    assert [each.seal for each in store.findings.listing(ACCOUNT)] == [""]


def test_after_a_confirmed_finding_nothing_of_its_field_is_kept_until_a_person_has_looked(
    store: Store, now: datetime
):
    store.inbox.receive([delivery(1, now, note=PAN, order="A-1")])
    store.inbox.receive([delivery(2, now, note="Ann's wish", order="A-2"), delivery(3, now, note=OTHER)])
    assert stored_metadata(store, 2) == {"note": None, "order": "A-2"}
    counts = store.findings.counts(ACCOUNT)
    assert (counts.confirmed, counts.closed) == (2, ("data.object.metadata.note",)), "what goes on is counted"
    store.findings.review(ACCOUNT, now, false_alarm=False)
    counts = store.findings.counts(ACCOUNT)
    assert (counts.confirmed, counts.seen, counts.closed) == (0, 2, ())
    store.inbox.receive([delivery(4, now, note="Ann's wish"), delivery(5, now + MINUTE, note=PAN)])
    assert stored_metadata(store, 4) == {"note": "Ann's wish"}
    assert store.findings.counts(ACCOUNT).confirmed == 1


def test_an_event_delivered_twice_is_one_finding(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now, note=PAN), delivery(1, now, note=PAN)])
    store.inbox.receive([delivery(1, now, note=PAN)])
    assert [each.count for each in store.findings.listing(ACCOUNT)] == [1]


def test_what_a_person_calls_a_false_alarm_is_suspected_no_more_and_confirmed_still(
    store: Store, now: datetime
):
    store.inbox.receive([delivery(1, now, order_id=PAN)])
    assert store.findings.counts(ACCOUNT).suspected == 1
    assert store.findings.counts(ACCOUNT).closed == (), "a suspicion closes nothing"
    store.findings.review(ACCOUNT, now, false_alarm=True)
    store.inbox.receive([delivery(2, now, order_id=OTHER), delivery(3, now, order_id=f"visa {OTHER}")])
    counts = store.findings.counts(ACCOUNT)
    assert (counts.confirmed, counts.suspected) == (1, 0)
    assert PAN not in json.dumps(stored_metadata(store, 1))


def test_what_polls_read_is_searched_as_well_and_once(store: Store, now: datetime):
    told = page(
        attempt(1, now, order_id=f"card {PAN}"),
        attempt(2, now, customer="cus_1234567890abcdef"),
        remarks=(Remark("ch_3", "custom_fields.cvv", "123"), Remark("ch_4", "custom_fields.note", "thanks")),
    )
    for _ in range(3):
        store.facts.apply_page(ACCOUNT, told, now)
    found = {
        (each.ref, each.field, each.kind, each.place, each.count) for each in store.findings.listing(ACCOUNT)
    }
    assert found == {
        ("ch_1", "order_id", "pan", "feed payments", 1),
        ("ch_3", "custom_fields.cvv", "cvv", "feed payments", 1),
    }
    store.facts.apply_page(ACCOUNT, page(attempt(5, now, order_id="A-5")), now)
    with store.read() as db:
        kept = {row[0] for row in db.execute("SELECT order_id FROM attempts")}
    assert kept == {None}, "the field is closed"


def test_no_two_accounts_share_a_finding(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now, note=PAN)])
    assert store.findings.counts("paypal-live").seen == 0
    assert store.findings.listing("paypal-live") == []


@pytest.mark.parametrize("most", [3])
def test_a_flood_of_findings_is_counted_and_not_kept_one_by_one(
    store: Store, now: datetime, most: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("payops.store.findings.MOST", most)
    numbers = [f"4{n:014d}" for n in range(200)]
    cards = [f"{each}{check}" for each in numbers for check in range(10)]
    store.inbox.receive([delivery(n, now, note=card) for n, card in enumerate(cards)])
    found = store.findings.listing(ACCOUNT)
    assert len(found) == most + 1
    assert sum(each.count for each in found) == 200 == store.findings.counts(ACCOUNT).confirmed


def test_the_name_of_a_field_may_be_a_card_number_too(store: Store, path: Path, now: datetime):
    store.inbox.receive([delivery(1, now, **{PAN: "x", f"a {OTHER}": {"cvv": "123"}})])
    store.close()
    written = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert PAN.encode() not in written and OTHER.encode() not in written
