"""The other objects of an account, its state, its credentials and the calls: what is stored is what was told last."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.events import AccountState, ApiCall, CredentialProof, Facts, FeedPage, WebhookEvent
from payops.domain.payments import Attempt, Dispute, Invoice, Payout, Refund, Subscription
from payops.store import CallStats, Store

START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ACCOUNT = "stripe-live"
MINUTE = timedelta(minutes=1)
PAN = "4242 4242 4242 4242"


def subscription(status: str = "active", minute: int = 0, **rest) -> Subscription:
    return Subscription(ACCOUNT, "sub_1", START, START + minute * MINUTE, status, **rest)


def invoice(status: str = "open", minute: int = 0, **rest) -> Invoice:
    return Invoice(ACCOUNT, "in_1", START, START + minute * MINUTE, status, 100, "eur", **rest)


def dispute(status: str = "needs_response", minute: int = 0, **rest) -> Dispute:
    return Dispute(ACCOUNT, "dp_1", START, START + minute * MINUTE, status, 100, "eur", **rest)


def payout(status: str = "pending", minute: int = 0, **rest) -> Payout:
    return Payout(ACCOUNT, "po_1", START, START + minute * MINUTE, status, 10**12, "kwd", **rest)


def refund(status: str = "pending", minute: int | None = 0, **rest) -> Refund:
    changed = None if minute is None else START + minute * MINUTE
    return Refund(
        ACCOUNT, "re_1", rest.pop("payment_id", None), START, status, 100, "eur", changed_at=changed, **rest
    )


def apply(store: Store, **facts) -> None:
    store.facts.apply_facts(ACCOUNT, Facts(**facts), START)


def everything(store: Store) -> tuple:
    return (
        store.facts.subscriptions(ACCOUNT),
        store.facts.invoices(ACCOUNT),
        store.facts.disputes(ACCOUNT),
        store.facts.payouts(ACCOUNT, START),
        store.facts.refunds(ACCOUNT, START),
    )


WHOLE = Facts(
    attempts=(
        Attempt(
            ACCOUNT, "ch_1", START, "succeeded", START,
            payment_id="pi_1", initiated_by="renewal", captured=False,
            capture_before=START + 7 * 1440 * MINUTE, amount_refunded_minor=5, order_id="shop-1",
        ),
    ),
    refunds=(refund("pending", 3, payment_id="pi_1", attempt_id="ch_1", pending_reason="processing"),),
    subscriptions=(
        subscription(
            "past_due", customer="cus_1", amount_minor=1, currency="eur", next_billing_at=START,
            outstanding_minor=2, failed_payments=3, cancel_at_period_end=False, has_payment_method=True,
            owing_since=START - MINUTE,
        ),
    ),
    invoices=(invoice(subscription_id="sub_1", attempt_count=1, next_attempt_at=START, finalization_error="no"),),
    disputes=(dispute(reason="fraudulent", attempt_id="ch_1", reply_by=START),),
    payouts=(payout(arrives_at=START, failure_code="account_closed"),),
)  # fmt: skip


def test_what_a_page_tells_comes_back_as_it_was_told(store: Store):
    proof = CredentialProof(
        ACCOUNT, 0, "rk_live_…", START, True, permissions=("charges:read",), missing=("events:read",), evidence="balance"
    )  # fmt: skip
    state = AccountState(
        ACCOUNT, START, True, False, ("tax_id",), "requirements.past_due", "2026-10-28.endive"
    )
    page = FeedPage(
        "events", 6, 1, facts=WHOLE, proof=proof,
        application_proof=replace(proof, hint="sk_live_…"), account_state=state,
    )  # fmt: skip
    assert store.facts.apply_page(ACCOUNT, page, START).new_objects == 5
    assert everything(store) == tuple(
        [one]
        for one in (
            WHOLE.subscriptions[0],
            WHOLE.invoices[0],
            WHOLE.disputes[0],
            WHOLE.payouts[0],
            WHOLE.refunds[0],
        )
    )
    assert store.facts.refunds_of(ACCOUNT, "ch_1") == list(WHOLE.refunds)
    assert store.facts.account_state(ACCOUNT) == state
    assert store.facts.proof(ACCOUNT) == proof
    assert store.facts.application_proof(ACCOUNT) == replace(proof, slot=-1, hint="sk_live_…")
    with store.read() as db:
        row = db.execute(
            "SELECT initiated_by, captured, capture_before, amount_refunded_minor, order_id FROM attempts"
        ).fetchone()
    assert tuple(row) == ("renewal", 0, int(START.timestamp()) + 7 * 86_400, 5, "shop-1")
    assert store.facts.apply_page(ACCOUNT, page, START).new == 0


def test_states_are_asked_for_by_name(memory: Store):
    apply(
        memory,
        **{name: getattr(WHOLE, name) for name in ("subscriptions", "invoices", "disputes", "payouts")},
    )
    assert len(memory.facts.subscriptions(ACCOUNT, ["past_due", "unpaid"])) == 1
    assert memory.facts.subscriptions(ACCOUNT, ["active"]) == []
    assert (
        len(memory.facts.invoices(ACCOUNT, ["open"]))
        == len(memory.facts.disputes(ACCOUNT, ["needs_response"]))
        == 1
    )
    assert memory.facts.invoices(ACCOUNT, ["draft"]) == memory.facts.disputes(ACCOUNT, []) == []
    assert memory.facts.payouts(ACCOUNT, START + MINUTE) == []
    assert memory.facts.subscriptions("other") == []


ORDERED = [
    (subscription("past_due", 5), subscription("active", 4)),
    (subscription("past_due", 5), subscription("active", 5)),
    (invoice("paid", 0), invoice("draft", 0)),
    (invoice("paid", 0), invoice("open", 0)),
    (dispute("lost", 1), dispute("needs_response", 1)),
    (payout("failed", 0), payout("paid", 0)),
    (refund("failed", 0), refund("succeeded", 9)),
    (refund("succeeded", 0), refund("pending", 9)),
    (refund("requires_action", 2), refund("pending", 1)),
    (refund("COMPLETED", 0), refund("PENDING", 3)),
    (refund("failed", None), refund("pending", 9)),
]


@pytest.mark.parametrize("later,earlier", ORDERED, ids=lambda one: f"{one.status}")
def test_the_later_state_stays_whatever_arrives_first(later, earlier):
    field = {
        Subscription: "subscriptions",
        Invoice: "invoices",
        Dispute: "disputes",
        Payout: "payouts",
        Refund: "refunds",
    }[type(later)]
    pictures = []
    for order in itertools.permutations((later, earlier)):
        for together in (True, False):
            with Store.in_memory(START) as store:
                if together:
                    apply(store, **{field: order})
                else:
                    for one in order:
                        apply(store, **{field: (one,)})
                pictures.append(everything(store))
                kept = [one for group in pictures[-1] for one in group]
                assert [one.status for one in kept] == [later.status]
    assert all(picture == pictures[0] for picture in pictures)


def test_whose_an_object_is_is_kept_from_the_state_that_told_it(memory: Store):
    apply(memory, disputes=(dispute(minute=1, attempt_id="ch_1"),))
    apply(memory, disputes=(dispute("lost", minute=2),))
    apply(memory, refunds=(refund("succeeded", 3),))
    apply(memory, refunds=(refund("pending", 1, attempt_id="ch_1", payment_id="pi_1"),))
    assert memory.facts.disputes(ACCOUNT) == [dispute("lost", 2, attempt_id="ch_1")]
    assert memory.facts.refunds(ACCOUNT, START) == [
        refund("succeeded", 3, attempt_id="ch_1", payment_id="pi_1")
    ]


SUBSCRIPTIONS = st.builds(
    subscription,
    st.sampled_from(["active", "past_due", "unpaid", "canceled"]),
    st.integers(0, 2),
    customer=st.sampled_from([None, "cus_1"]),
    outstanding_minor=st.sampled_from([None, 0, 5]),
    has_payment_method=st.sampled_from([None, True, False]),
)
REFUNDS = st.builds(
    refund,
    st.sampled_from(["pending", "succeeded", "failed", "canceled", "requires_action"]),
    st.sampled_from([None, 0, 1, 2]),
    attempt_id=st.sampled_from([None, "ch_1"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(SUBSCRIPTIONS, min_size=1, max_size=5), st.lists(REFUNDS, max_size=5), st.integers(0, 2**32))
def test_no_order_of_arrival_and_no_cut_changes_what_is_stored(subscriptions: list, refunds: list, seed: int):
    rng = random.Random(seed)
    with Store.in_memory(START) as store:
        apply(store, subscriptions=tuple(subscriptions), refunds=tuple(refunds))
        expected = everything(store)
    seen: list = [*subscriptions, *refunds]
    rng.shuffle(seen)
    with Store.in_memory(START) as store:
        for one in seen:
            apply(store, **{"refunds" if isinstance(one, Refund) else "subscriptions": (one,)})
        assert everything(store) == expected


def test_an_older_account_state_does_not_replace_a_newer_one(memory: Store):
    newer = AccountState(ACCOUNT, START + MINUTE, charges_enabled=False)
    for state in (newer, AccountState(ACCOUNT, START, charges_enabled=True)):
        memory.facts.apply_page(ACCOUNT, FeedPage("account", 1, 1, account_state=state), START)
    assert memory.facts.account_state(ACCOUNT) == newer
    assert memory.facts.account_state("other") is None


def test_the_other_mode_is_quarantined_beside_all_other_facts(memory: Store):
    wrong = WebhookEvent(ACCOUNT, "evt_1", "charge.failed", START, livemode=False)
    memory.facts.apply_facts(ACCOUNT, replace(WHOLE, wrong_mode=(wrong,)), START)
    assert memory.facts.wrong_mode_count(ACCOUNT, START) == 1
    assert memory.facts.event(ACCOUNT, "evt_1") is None


def test_no_new_text_reaches_the_disk_with_card_data(store: Store):
    dirty = f"note {PAN} a@b.example"
    facts = Facts(
        attempts=(Attempt(ACCOUNT, "ch_1", START, "failed", START, payment_id=dirty, order_id=dirty),),
        refunds=(refund(payment_id=dirty, failure_reason=dirty),),
        subscriptions=(subscription(customer=dirty),),
        invoices=(invoice(finalization_error=dirty),),
        disputes=(dispute(reason=dirty),),
        payouts=(payout(failure_code=dirty),),
    )
    proof = CredentialProof(
        ACCOUNT, 0, dirty, START, False, code=dirty, message=dirty, permissions=(dirty,), missing=(dirty,), evidence=dirty
    )  # fmt: skip
    state = AccountState(ACCOUNT, START, due=(dirty,), reason=dirty, api_version=dirty)
    page = FeedPage("events", 1, 1, facts=facts, proof=proof, application_proof=proof, account_state=state)
    store.facts.apply_page(ACCOUNT, page, START)
    store.facts.record_calls(ACCOUNT, (ApiCall(dirty, 1),), START)
    with store.read() as db:
        tables = [row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        stored = str([tuple(row) for table in tables for row in db.execute(f"SELECT * FROM {table}")])
    assert "4242" in stored, "the last four stay"
    assert PAN not in stored
    assert "a@b.example" not in stored


def call(bucket: str | None, taken_ms: int = 10, skew_s: int | None = None) -> ApiCall:
    at = None if skew_s is None else START + timedelta(seconds=skew_s)
    return ApiCall("GET /v1/events", taken_ms, bucket, None if bucket == "network" else 200, at)


def test_call_stats_count_by_bucket_and_time_only_what_answered(memory: Store):
    calls = [call(None, ms, 7) for ms in range(1, 101)]
    calls += [
        call(bucket, 9_999) for bucket in ("outage", "network", "network", "rate_limit", "auth", "permission")
    ]
    memory.facts.record_calls(ACCOUNT, calls, START)
    assert memory.facts.call_stats(ACCOUNT, START - MINUTE, START) == CallStats(
        106, 100, 1, 2, 1, 1, 1, p50_ms=50, p95_ms=95, skew_s=7
    )
    nothing = CallStats(0, 0, 0, 0, 0, 0, 0, None, None, None)
    assert memory.facts.call_stats(ACCOUNT, START, START + MINUTE) == nothing
    assert memory.facts.call_stats("other", START - MINUTE, START) == nothing


def test_calls_are_kept_for_a_day_and_each_account_prunes_its_own(memory: Store):
    memory.facts.record_calls("other", (call(None),), START)
    for hours in (0, 23, 25):
        memory.facts.record_calls(ACCOUNT, (call(None),), START + timedelta(hours=hours))
    assert memory.facts.call_stats(ACCOUNT, START - MINUTE, START + timedelta(days=2)).n == 2
    assert memory.facts.call_stats("other", START - MINUTE, START).n == 1
    assert memory.facts.reads_since(ACCOUNT, START) == 3, "the count stays when the calls go"


def test_refusals_are_counted_by_kind(memory: Store):
    for kind, reason in (("signature", "no match"), ("signature", "none"), ("mode", "test secret")):
        memory.inbox.refuse(ACCOUNT, START, kind, reason)
    memory.inbox.refuse(ACCOUNT, START - 60 * MINUTE, "body", "no JSON")
    assert memory.inbox.refusals(ACCOUNT, START) == {"signature": 2, "mode": 1}
    assert memory.inbox.refusals("other", START) == {}
