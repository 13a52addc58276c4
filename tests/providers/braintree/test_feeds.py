"""The feeds against a scripted server: two steps, only what is new, nothing lost by cuts, caps or clocks."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError, UsageError
from payops.providers.braintree import search

from .conftest import NOW, attempts, collection, listing, read, sale, xml

MINUTE = timedelta(minutes=1)


def test_history_is_read_newest_first_with_progress(braintree, open_account):
    braintree.transactions = [sale(n, NOW - n * 7 * MINUTE) for n in range(1, 180)]
    pages = read(open_account())
    assert [page.read for page in pages] == [50, 50, 50, 29]
    seen = attempts(pages)
    assert len(seen) == len(set(seen)) == 179 and seen[0] == "t000001"
    shown = [page.progress for page in pages]
    assert shown[0] == pytest.approx(50 / 179) and shown == sorted(shown) and shown[-1] == 1.0
    # One listing for the head, one for the gap, and a page of objects each.
    assert braintree.searches().count("/transactions/advanced_search_ids") == 2


def test_only_what_is_new_is_fetched(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(n, NOW - n * MINUTE) for n in range(1, 6)]
    (first,) = read(provider)
    braintree.asked.clear()
    (same,) = read(provider, now=NOW + timedelta(seconds=30), cursor=first.cursor)
    assert same.read == 0 and braintree.searches() == ["/transactions/advanced_search_ids"]
    braintree.transactions.insert(0, sale(9, NOW + timedelta(seconds=40)))
    (new,) = read(provider, now=NOW + MINUTE, cursor=same.cursor)
    assert attempts([new]) == ["t000009"] and new.requests == 2


def test_a_transaction_listed_late_is_still_found(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(1, NOW - timedelta(seconds=10))]
    pages = read(provider)
    braintree.transactions.append(sale(2, NOW - timedelta(minutes=2)))
    later = read(provider, now=NOW + MINUTE, cursor=pages[-1].cursor)
    assert attempts(later) == ["t000002"]


def test_ids_left_out_by_the_second_step_are_asked_for_again(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(n, NOW - n * MINUTE) for n in range(1, 5)]
    hidden = {"t000002"}

    def second(request):
        wanted = {item.text for item in request.xml.iterfind("ids/item")} - hidden
        return collection([each for each in braintree.transactions if each["id"] in wanted])

    braintree.routes["POST /transactions/advanced_search"] = second
    (first,) = read(provider)
    assert set(attempts([first])) == {"t000001", "t000003", "t000004"}
    assert first.data_as_of is None  # what is missing is not proven
    hidden.clear()
    (again,) = read(provider, now=NOW + MINUTE, cursor=first.cursor)
    assert attempts([again]) == ["t000002"] and again.data_as_of is not None


def test_an_id_that_is_never_shown_stops_nothing(braintree, open_account):
    provider = open_account()
    braintree.routes["POST /transactions/advanced_search_ids"] = lambda _: listing(["ghost1"])
    cursor = None
    for n in range(20):
        (page,) = read(provider, now=NOW + n * MINUTE, cursor=cursor)
        cursor = page.cursor
    assert page.data_as_of is not None
    assert len(cursor) < 1000


def test_search_that_repeats_ids_and_shows_others_ends(braintree, open_account):
    one = sale(1, NOW - MINUTE)
    braintree.routes["POST /transactions/advanced_search_ids"] = lambda _: listing(["t000001"] * 500)
    braintree.routes["POST /transactions/advanced_search"] = lambda _: collection([one, one, sale(7, NOW)])
    pages = read(open_account())
    assert attempts(pages) == ["t000001"]


def test_a_listing_as_long_as_the_limit_is_split_until_it_fits(braintree, open_account, monkeypatch):
    kind = search.TRANSACTIONS
    monkeypatch.setattr(
        search, "TRANSACTIONS", search.Kind(kind.path, kind.root, kind.element, kind.fields, 60)
    )
    braintree.cap = 60
    braintree.transactions = [sale(n, NOW - n * 4 * MINUTE) for n in range(1, 300)]
    seen = attempts(read(open_account()))
    assert set(seen) == {each["id"] for each in braintree.transactions}
    assert len(seen) - len(set(seen)) < 16  # the minutes at which windows meet


def test_a_restart_in_the_middle_of_history_loses_and_doubles_nothing(braintree, open_account):
    braintree.transactions = [sale(n, NOW - n * 5 * MINUTE) for n in range(1, 221)]
    first = open_account().poll("transactions", None, NOW)
    second = open_account().poll("transactions", first.cursor, NOW)
    rest = read(open_account(), cursor=second.cursor)
    seen = attempts([first, second, *rest])
    assert len(seen) == len(set(seen)) == 220


def test_new_payments_do_not_wait_for_history(braintree, open_account):
    braintree.transactions = [sale(n, NOW - n * 5 * MINUTE) for n in range(1, 221)]
    provider = open_account()
    page = provider.poll("transactions", None, NOW)
    braintree.transactions.insert(0, sale(999, NOW + timedelta(seconds=20)))
    new = provider.poll("transactions", page.cursor, NOW + timedelta(seconds=40))
    assert attempts([new]) == ["t000999"] and new.more
    seen = attempts([page, new, *read(provider, now=NOW + timedelta(seconds=40), cursor=new.cursor)])
    assert len(seen) == len(set(seen)) == 221


@pytest.mark.parametrize("jump", [timedelta(days=2), timedelta(days=-2), timedelta(hours=1)])
def test_a_clock_that_jumps_skips_nothing(braintree, open_account, jump):
    provider = open_account()
    braintree.transactions = [sale(1, NOW - MINUTE)]
    cursor = read(provider)[-1].cursor
    braintree.transactions.insert(0, sale(2, NOW + MINUTE))
    jumped = read(provider, now=NOW + jump, cursor=cursor)
    braintree.transactions.insert(0, sale(3, NOW + 3 * MINUTE))
    back = read(provider, now=NOW + 4 * MINUTE, cursor=jumped[-1].cursor)
    assert {"t000002", "t000003"} <= set(attempts([*jumped, *back]))


def test_an_empty_listing_of_the_other_environment_proves_nothing(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(1, NOW - MINUTE)]
    cursor = read(provider)[-1].cursor
    braintree.environment, braintree.transactions = "sandbox", []
    with pytest.raises(ProviderError) as caught:
        provider.poll("transactions", cursor, NOW + 9 * MINUTE)
    assert caught.value.code == "wrong_mode"
    for feed in ("transactions", "changes", "subscriptions", "disputes", "account"):
        with pytest.raises(ProviderError):
            provider.poll(feed, None, NOW + 9 * MINUTE)


def test_refunds_are_refunds_and_never_attempts(braintree, open_account):
    back = sale(2, NOW - MINUTE, type="credit", refunded__transaction__id="t000001")
    braintree.transactions = [back, sale(1, NOW - 2 * MINUTE)]
    (page,) = read(open_account())
    assert attempts([page]) == ["t000001"]
    (refund,) = page.facts.refunds
    assert (refund.refund_id, refund.attempt_id, refund.amount_minor) == ("t000002", "t000001", 1999)


def test_changes_find_what_became_of_a_payment(braintree, open_account):
    provider = open_account()
    made = NOW - timedelta(hours=3)
    braintree.transactions = [sale(1, made, status="authorized"), sale(2, made)]
    first = read(provider, "changes")
    assert attempts(first) == ["t000001"]  # open ones are read once, whatever their age
    settled = sale(2, made, status="settled", settled_at=(NOW + MINUTE).isoformat()[:19] + "Z")
    captured = sale(1, made)
    braintree.transactions = [captured, settled]
    later = read(provider, "changes", NOW + timedelta(minutes=3), first[-1].cursor)
    assert sorted(attempts(later)) == ["t000001", "t000002"]
    again = read(provider, "changes", NOW + timedelta(minutes=6), later[-1].cursor)
    assert attempts(again) == []


def test_a_batch_of_settlements_is_read_in_pages_and_once(braintree, open_account):
    provider = open_account()
    cursor = read(provider, "changes")[-1].cursor
    at = (NOW + MINUTE).isoformat()[:19] + "Z"
    braintree.transactions = [
        sale(n, NOW - n * MINUTE, status="settled", settled_at=at, updated__at=at) for n in range(1, 131)
    ]
    pages = read(provider, "changes", NOW + timedelta(minutes=3), cursor)
    seen = attempts(pages)
    assert len(seen) == len(set(seen)) == 130 and max(page.read for page in pages) == 50


def test_cursors_stay_small_and_a_broken_one_starts_anew(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(n, NOW - timedelta(seconds=n)) for n in range(1, 400)]
    pages = read(provider)
    assert len(pages[-1].cursor) < 20_000
    for feed in ("transactions", "changes", "subscriptions", "disputes"):
        assert json.loads(read(provider, feed, cursor="no cursor")[-1].cursor)


def test_open_disputes_are_read_to_the_last_page_and_their_end_by_id(braintree, open_account):
    def dispute(n, status="open"):
        return (
            f"<dispute><id>d{n}</id><amount>10.00</amount><amount-disputed>10.00</amount-disputed>"
            f"<currency-iso-code>USD</currency-iso-code><status>{status}</status><reason>fraud</reason>"
            f"<created-at>2026-01-10T09:00:00Z</created-at><updated-at>2026-01-10T09:00:00Z</updated-at>"
            f"<reply-by-date>2026-01-20</reply-by-date><transaction><id>t{n}</id></transaction></dispute>"
        )

    def page(request):
        n = int(request.query.split("=")[1])
        return xml(
            '<disputes type="collection"><page-size type="integer">1</page-size>'
            f'<total-items type="integer">2</total-items>{dispute(n)}</disputes>'
        )

    braintree.routes["POST /disputes/advanced_search"] = page
    provider = open_account()
    (first,) = read(provider, "disputes")
    assert [each.dispute_id for each in first.facts.disputes] == ["d1", "d2"]
    assert first.facts.disputes[0].reply_by.date().isoformat() == "2026-01-20"
    del braintree.routes["POST /disputes/advanced_search"]
    braintree.routes["GET /disputes/d1"] = lambda _: xml(dispute(1, "lost"))
    (later,) = read(provider, "disputes", cursor=first.cursor)
    assert [(each.dispute_id, each.status) for each in later.facts.disputes] == [("d1", "lost")]


def test_a_dispute_page_that_repeats_for_ever_is_an_outage(braintree, open_account):
    same = "<dispute><id>d1</id></dispute>"
    braintree.routes["POST /disputes/advanced_search"] = lambda _: xml(
        f'<disputes type="collection"><total-items type="integer">900</total-items>{same}</disputes>'
    )
    with pytest.raises(ProviderError, match="repeats itself"):
        open_account().poll("disputes", None, NOW)
    assert len(braintree.searches()) == 2


def test_suspended_merchant_account_restricts_the_account(braintree, open_account):
    braintree.routes["GET /merchant_accounts/"] = lambda _: xml(
        '<merchant-accounts type="collection"><total-items type="integer">2</total-items>'
        "<merchant-account><id>usd</id><status>active</status><default type='boolean'>true</default></merchant-account>"
        "<merchant-account><id>eur</id><status>suspended</status></merchant-account></merchant-accounts>"
    )
    state = open_account().poll("account", None, NOW).account_state
    assert state.restricted and state.reason == "merchant account eur is suspended"


def subscription(n: int, status: str, token: str = "card1", **more: str) -> str:
    extra = "".join(
        f"<{name.replace('__', '-')}>{value}</{name.replace('__', '-')}>" for name, value in more.items()
    )
    return (
        f"<subscription><id>s{n}</id><status>{status}</status><price>9.99</price><balance>9.99</balance>"
        f"<payment-method-token>{token}</payment-method-token><failure-count type='integer'>2</failure-count>"
        "<created-at>2026-01-01T00:00:00Z</created-at><updated-at>2026-01-10T00:00:00Z</updated-at>"
        "<next-billing-date type='date'>2026-02-01</next-billing-date>"
        "<status-history type='array'><status-event><status>Active</status>"
        f"<currency-iso-code>USD</currency-iso-code></status-event></status-history>{extra}</subscription>"
    )


def test_past_due_subscriptions_are_read_and_their_payment_method_looked_up(braintree, open_account):
    known = {"s1": ("Past Due", "card1"), "s2": ("Past Due", "gone1"), "s3": ("Active", "card1")}

    def ids(request):
        words = {item.text for item in request.xml.iterfind("status/item")}
        return listing([each for each, (status, _) in known.items() if status in words])

    def objects(request):
        wanted = [item.text for item in request.xml.iterfind("ids/item")]
        shown = "".join(subscription(int(each[1:]), *known[each]) for each in wanted)
        return xml(f'<subscriptions type="collection">{shown}</subscriptions>')

    braintree.routes |= {
        "POST /subscriptions/advanced_search_ids": ids,
        "POST /subscriptions/advanced_search": objects,
        "GET /payment_methods/any/card1": lambda _: xml("<credit-card><token>card1</token></credit-card>"),
    }
    provider = open_account()
    pages = read(provider, "subscriptions")
    found = {each.subscription_id: each for page in pages for each in page.facts.subscriptions}
    assert {key: each.has_payment_method for key, each in found.items()} == {
        "s1": True,
        "s2": False,
        "s3": None,
    }
    assert found["s1"].status == "past_due" and found["s1"].outstanding_minor == 999
    assert found["s1"].failed_payments == 2 and found["s3"].status == "active"
    known["s1"] = ("Canceled", "card1")
    later = read(provider, "subscriptions", NOW + 3 * MINUTE, pages[-1].cursor)
    assert "canceled" in {
        each.status for page in later for each in page.facts.subscriptions if each.subscription_id == "s1"
    }


def test_a_feed_it_has_not_is_named(open_account):
    with pytest.raises(UsageError, match="transactions"):
        open_account().poll("events", None, NOW)
