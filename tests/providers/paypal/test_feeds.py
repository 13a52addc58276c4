"""The feeds over real HTTP: history and increments, kills, loops, gaps filled, what is unknown."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from payops.domain.errors import ProviderError, UsageError

from .conftest import NAME, NOW, WEBHOOK_EVENTS, capture, error, event, iso, listing, reply


def drain(provider, feed, cursor=None, now=NOW):
    """Poll until nothing more is asked for, as the engine does."""
    pages = []
    for _ in range(300):
        pages.append(provider.poll(feed, cursor, now))
        cursor = pages[-1].cursor
        if not pages[-1].more:
            return pages, cursor
    raise AssertionError("reading does not end")


def ids(pages) -> list[str]:
    return [found.event_id for page in pages for found in page.facts.events]


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


# Events.


def test_a_first_run_reads_a_day_newest_first_and_each_link_from_our_own_host(paypal, opened) -> None:
    paypal.answer = listing([event(n, NOW - minutes(7 * n + 2)) for n in range(200)])
    pages, _ = drain(opened(), "events")
    assert set(ids(pages)) == {f"WH-{n}" for n in range(200)}
    assert ids(pages)[0] == "WH-0"
    assert pages[-1].progress == 1.0
    assert pages[-1].data_as_of == NOW - minutes(1)
    assert all(page.requests == 1 for page in pages)


def test_a_later_run_takes_what_is_new_and_doubles_nothing_in_the_facts(paypal, opened) -> None:
    events = [event(n, NOW - minutes(30 + n)) for n in range(5)]
    paypal.answer = listing(events)
    provider = opened()
    _, cursor = drain(provider, "events")
    events.append(event(9, NOW + minutes(1)))
    events.append(event(8, NOW - minutes(1)))  # late in the list, within the overlap
    pages, _ = drain(provider, "events", cursor, NOW + minutes(2))
    assert {"WH-9", "WH-8"} <= set(ids(pages))
    assert len(pages) == 1


def test_the_embedded_capture_is_an_attempt_and_a_known_order_its_payment(paypal, opened) -> None:
    paypal.answer = listing([event(1, NOW - minutes(2))])
    pages, _ = drain(opened(), "events")
    (attempt,) = pages[0].facts.attempts
    assert (attempt.attempt_id, attempt.payment_id, attempt.status) == ("CAP1", "ORD1", "succeeded")
    assert (attempt.amount_minor, attempt.currency, attempt.at) == (1999, "EUR", NOW - minutes(2))


def test_a_page_that_can_no_longer_be_had_is_read_again_by_time(paypal, opened) -> None:
    events = [event(n, NOW - minutes(n + 2)) for n in range(8)]
    by_time = listing(events)
    refusing = [True]

    def answer(request):
        if "page_token" in request.params and refusing:
            refusing.pop()
            return error(400, "INVALID_REQUEST", "INVALID_PAGE_TOKEN")
        return by_time(request)

    paypal.answer = answer
    pages, _ = drain(opened(), "events")
    assert {f"WH-{n}" for n in range(8)} == set(ids(pages))


def test_a_next_link_to_itself_ends(paypal, opened) -> None:
    query = "start_time=a&end_time=b&page_token=1"
    links = [{"rel": "next", "href": f"https://api.paypal.com{WEBHOOK_EVENTS}?{query}"}]
    paypal.answer = lambda _: reply({"events": [event(1, NOW)], "links": links})
    with pytest.raises(ProviderError) as caught:
        drain(opened(), "events")
    assert caught.value.bucket == "outage"
    assert "repeats itself" in str(caught.value)
    assert len(paypal.asked) < 8


@pytest.mark.parametrize(
    "href", ["https://evil.example/v1/other?x=1", f"https://api.paypal.com{WEBHOOK_EVENTS}"]
)
def test_a_next_link_that_leads_nowhere_known_is_not_followed(paypal, opened, href) -> None:
    paypal.answer = lambda _: reply({"events": [event(1, NOW)], "links": [{"rel": "next", "href": href}]})
    with pytest.raises(ProviderError) as caught:
        opened().poll("events", None, NOW)
    assert caught.value.bucket == "outage"
    assert len(paypal.asked) == 2


def test_events_of_the_sandbox_are_kept_apart_and_move_nothing(paypal, opened) -> None:
    link = [{"href": "https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-1", "rel": "self"}]
    paypal.answer = listing([event(1, NOW - minutes(1), links=link)])
    page = opened().poll("events", None, NOW)
    assert [each.event_id for each in page.facts.wrong_mode] == ["WH-1"]
    assert (page.facts.events, page.facts.attempts) == ((), ())


def test_a_broken_event_leaves_the_others_alone(paypal, opened) -> None:
    rows = [7, {"id": 5}, {**event(2, NOW), "resource": "odd"}, event(3, NOW)]
    paypal.answer = lambda _: reply({"events": rows, "links": []})
    page = opened().poll("events", None, NOW)
    assert ids([page]) == ["WH-2", "WH-3"]
    assert [each.attempt_id for each in page.facts.attempts] == ["CAP3"]


def test_our_own_restriction_is_told_by_the_payments_it_stops(paypal, opened) -> None:
    subscription = {
        "id": "I-1",
        "status": "ACTIVE",
        "billing_info": {"last_failed_payment": {"reason_code": "PAYEE_ACCOUNT_RESTRICTED"}},
    }
    failed = event(2, NOW - minutes(1), "BILLING.SUBSCRIPTION.PAYMENT.FAILED", subscription)
    events = [event(1, NOW - minutes(3)), failed]
    paypal.answer = listing(events)
    provider = opened()
    page = provider.poll("events", None, NOW)
    assert page.account_state.restricted
    assert page.account_state.reason == "PAYEE_ACCOUNT_RESTRICTED"
    events.append(event(3, NOW + minutes(1)))
    assert not provider.poll("events", page.cursor, NOW + minutes(2)).account_state.restricted


def test_an_unknown_feed_is_refused_with_those_there_are(opened) -> None:
    with pytest.raises(UsageError, match="reporting"):
        opened().poll("charges", None, NOW)


# Undelivered.


def sent(n: int, at, status: str) -> dict:
    transmissions = [{"webhook_url": "https://shop", "status": status}]
    return event(n, at, status=status, transmissions=transmissions)


def test_where_no_transmission_is_shown_what_is_undelivered_is_unknown(paypal, opened) -> None:
    paypal.answer = listing([event(1, NOW - minutes(5))])
    page = opened().poll("undelivered", None, NOW)
    assert (page.undelivered, page.data_as_of) == (None, None)


def test_undelivered_is_what_is_not_confirmed_until_it_is(paypal, opened) -> None:
    events = [
        sent(1, NOW - minutes(5), "SUCCESS"),
        sent(2, NOW - minutes(4), "FAILURE"),
        sent(3, NOW, "PENDING"),
    ]
    by_time = listing(events, page_size=100)

    def answer(request):
        if request.path == f"{WEBHOOK_EVENTS}/WH-2":
            return reply(events[1])
        return by_time(request)

    paypal.answer = answer
    provider = opened()
    page = provider.poll("undelivered", None, NOW)
    assert [(each.event_id, each.pending_webhooks) for each in page.undelivered] == [("WH-3", 1), ("WH-2", 1)]
    events[2] = sent(3, NOW, "SUCCESS")
    page = provider.poll("undelivered", page.cursor, NOW + minutes(10))
    assert [each.event_id for each in page.undelivered] == ["WH-2"]
    events[1] = sent(2, NOW - minutes(4), "SUCCESS")
    page = provider.poll("undelivered", page.cursor, NOW + minutes(20))
    assert page.undelivered == ()


def test_an_event_three_days_old_is_not_pending_any_more(paypal, opened) -> None:
    paypal.answer = listing([sent(1, NOW - minutes(5), "FAILURE")], page_size=100)
    provider = opened()
    page = provider.poll("undelivered", None, NOW)
    page = provider.poll("undelivered", page.cursor, NOW + timedelta(days=3))
    assert page.undelivered == ()


def test_an_event_that_is_gone_is_nobodys_to_deliver(paypal, opened) -> None:
    events = [sent(1, NOW - minutes(5), "FAILURE")]
    paypal.answer = listing(events, page_size=100)
    provider = opened()
    page = provider.poll("undelivered", None, NOW)
    events.clear()
    assert provider.poll("undelivered", page.cursor, NOW + minutes(30)).undelivered == ()


# Reporting.


def row(n: int, at, status: str = "S", code: str = "T0006", value: str = "19.99", **over) -> dict:
    return {
        "transaction_info": {
            "transaction_id": f"CAP{n}",
            "transaction_event_code": code,
            "transaction_initiation_date": iso(at).replace("Z", "+0000"),
            "transaction_updated_date": iso(at + minutes(9)).replace("Z", "+0000"),
            "transaction_amount": {"currency_code": "EUR", "value": value},
            "transaction_status": status,
            **over,
        }
    }


def report(rows: list[dict], *, pages: int = 1, refreshed=NOW - timedelta(hours=2)) -> dict:
    return {
        "transaction_details": rows,
        "total_pages": pages,
        "last_refreshed_datetime": iso(refreshed).replace("Z", "+0000"),
    }


def test_reporting_says_how_far_it_reaches_and_asks_for_what_was_denied_too(paypal, opened) -> None:
    paypal.answer = lambda _: reply(report([row(1, NOW - timedelta(hours=3))]))
    pages, cursor = drain(opened(), "reporting")
    assert pages[-1].data_as_of == NOW - timedelta(hours=2)
    assert pages[-1].progress == 1.0
    assert all(page.data_as_of is None for page in pages[:-1])
    asked = [each.params for each in paypal.asked[1:]]
    assert {each["balance_affecting_records_only"] for each in asked} == {"N"}
    later = NOW + timedelta(hours=1)
    drain(opened(), "reporting", cursor, later)
    assert paypal.asked[-1].params["start_date"] == iso(NOW - timedelta(hours=8))
    assert paypal.asked[-1].params["end_date"] == iso(later)


def test_no_window_of_reporting_is_longer_than_31_days(paypal, opened) -> None:
    paypal.answer = lambda _: reply(report([]))
    _, cursor = drain(opened(), "reporting")
    paypal.asked.clear()
    drain(opened(), "reporting", cursor, NOW + timedelta(days=70))
    spans = [(each.params["start_date"], each.params["end_date"]) for each in paypal.asked[1:]]
    assert len(spans) == 3
    assert spans[-1][0] == iso(NOW - timedelta(hours=8))
    for newer, older in pairwise(spans):
        assert newer[0] == older[1]


def test_a_reported_capture_is_the_same_attempt_and_an_event_about_it_stands(paypal, opened) -> None:
    at = NOW - timedelta(hours=3)
    paypal.answer = lambda _: reply(report([row(1, at)]))
    reported = opened().poll("reporting", None, NOW).facts.attempts[0]
    paypal.answer = listing([event(1, at)])
    told = next(a for page in drain(opened(), "events")[0] for a in page.facts.attempts)
    assert reported.attempt_id == told.attempt_id
    assert (reported.at, reported.status, reported.amount_minor) == (told.at, told.status, told.amount_minor)
    assert reported.changed_at < told.changed_at


@pytest.mark.parametrize(
    ("given", "status"),
    [("S", "succeeded"), ("V", "succeeded"), ("P", "pending"), ("D", "failed")],
)
def test_each_status_of_reporting_has_its_meaning(paypal, opened, given, status) -> None:
    paypal.answer = lambda _: reply(report([row(1, NOW, given)]))
    assert opened().poll("reporting", None, NOW).facts.attempts[0].status == status


def test_refunds_fees_and_payouts_are_no_attempts(paypal, opened) -> None:
    rows = [
        row(1, NOW, code="T1107", value="-5.00", paypal_reference_id="CAP9", paypal_reference_id_type="TXN"),
        row(2, NOW, code="T0400", value="-900.00"),
        row(3, NOW, code="T0001", value="-1.00"),
        row(4, NOW, value="-3.00"),
        row(5, NOW, "X"),
        {"transaction_info": None},
    ]
    paypal.answer = lambda _: reply(report(rows))
    facts = opened().poll("reporting", None, NOW).facts
    assert facts.attempts == ()
    assert [(each.refund_id, each.attempt_id, each.amount_minor) for each in facts.refunds] == [
        ("CAP1", "CAP9", 500)
    ]


def test_pages_of_reporting_are_read_on_after_a_kill(paypal, opened) -> None:
    def answer(request):
        page = int(request.params["page"])
        return reply(report([row(page, NOW)] if request.params["end_date"] == iso(NOW) else [], pages=3))

    paypal.answer = lambda request: (
        answer(request) if request.params["end_date"] == iso(NOW) else reply(report([], pages=1))
    )
    first = opened().poll("reporting", None, NOW)
    pages, _ = drain(opened(), "reporting", first.cursor)
    found = [each.attempt_id for page in (first, *pages) for each in page.facts.attempts]
    assert found == ["CAP1", "CAP2", "CAP3"]


def test_the_same_page_of_reporting_again_and_again_ends(paypal, opened) -> None:
    paypal.answer = lambda _: reply(report([row(1, NOW)], pages=10**9))
    with pytest.raises(ProviderError) as caught:
        drain(opened(), "reporting")
    assert caught.value.bucket == "outage"
    assert len(paypal.asked) < 6


def test_a_result_that_is_too_large_is_asked_for_in_halves(paypal, opened) -> None:
    def answer(request):
        if request.params["start_date"] == iso(NOW - timedelta(hours=6)):
            return error(400, "RESULTSET_TOO_LARGE")
        return reply(report([row(1, NOW)]))

    paypal.answer = answer
    page = opened().poll("reporting", None, NOW)
    assert paypal.asked[-1].params["start_date"] == iso(NOW - timedelta(hours=3))
    assert page.read == 1


# Endpoints, subscriptions, disputes.


def test_a_webhook_is_an_enabled_endpoint_and_types_switched_off_are_not_its_own(paypal, opened) -> None:
    types = [{"name": "A", "status": "ENABLED"}, {"name": "B", "status": "DISABLED"}, {"name": "C"}]
    found = {"id": "WH1", "url": "https://shop/hook", "event_types": types}
    paypal.answer = lambda _: reply({"webhooks": [found, {"id": "no url"}]})
    (endpoint,) = opened().poll("endpoints", None, NOW).endpoints
    assert (endpoint.endpoint_id, endpoint.status, endpoint.event_types) == ("WH1", "enabled", ("A", "C"))
    assert endpoint.livemode is None


def agreement(n: int, **billing) -> dict:
    return {"id": f"I-{n}", "status": "ACTIVE", "create_time": iso(NOW), "billing_info": billing}


def test_a_subscription_that_owes_or_fails_is_past_due(paypal, opened) -> None:
    owed = {"outstanding_balance": {"currency_code": "EUR", "value": "7.50"}}
    rows = [agreement(1), agreement(2, **owed), agreement(3, failed_payments_count=2)]
    paypal.answer = lambda _: reply({"subscriptions": rows, "total_pages": 1})
    page = opened().poll("subscriptions", None, NOW)
    assert [(each.status, each.outstanding_minor) for each in page.facts.subscriptions] == [
        ("active", None),
        ("past_due", 750),
        ("past_due", None),
    ]


def test_only_a_first_failure_tells_since_when_a_subscription_owes(paypal, opened) -> None:
    failed = {"last_failed_payment": {"time": iso(NOW)}}
    rows = [agreement(1, failed_payments_count=1, **failed), agreement(2, failed_payments_count=2, **failed)]
    paypal.answer = lambda _: reply({"subscriptions": rows, "total_pages": 1})
    page = opened().poll("subscriptions", None, NOW)
    assert [each.owing_since for each in page.facts.subscriptions] == [NOW, None]


def test_subscriptions_are_read_page_by_page_and_a_list_that_repeats_ends(paypal, opened) -> None:
    def answer(request):
        page = int(request.params["page"])
        return reply({"subscriptions": [agreement(page * 100 + n) for n in range(20)], "total_pages": 3})

    paypal.answer = answer
    pages, _ = drain(opened(), "subscriptions")
    assert len({each.subscription_id for page in pages for each in page.facts.subscriptions}) == 60
    paypal.answer = lambda _: reply({"subscriptions": [agreement(n) for n in range(20)]})
    with pytest.raises(ProviderError, match="again"):
        drain(opened(), "subscriptions")


@pytest.mark.parametrize("status", [404, 405])
def test_where_subscriptions_are_not_listed_those_that_events_named_are_read(paypal, opened, status) -> None:
    cancelled = event(1, NOW - minutes(1), "BILLING.SUBSCRIPTION.PAYMENT.FAILED", agreement(7))
    by_time = listing([cancelled])

    def answer(request):
        if request.path == "/v1/billing/subscriptions":
            return error(status, "METHOD_NOT_SUPPORTED")
        if request.path == "/v1/billing/subscriptions/I-7":
            return reply(agreement(7, failed_payments_count=1))
        return by_time(request)

    paypal.answer = answer
    provider = opened()
    drain(provider, "events")
    pages, _ = drain(provider, "subscriptions")
    assert [each.status for page in pages for each in page.facts.subscriptions] == ["past_due"]


def dispute(n: int, **over) -> dict:
    return {
        "dispute_id": f"PP-D-{n}",
        "create_time": iso(NOW),
        "update_time": iso(NOW),
        "status": "WAITING_FOR_SELLER_RESPONSE",
        "dispute_amount": {"currency_code": "EUR", "value": "10.00"},
        "seller_response_due_date": iso(NOW + timedelta(days=3)),
        **over,
    }


def test_disputes_are_read_whole_with_their_deadline_and_only_changes_afterwards(paypal, opened) -> None:
    def answer(request):
        if request.path.endswith("/PP-D-1"):
            return reply(dispute(1, disputed_transactions=[{"seller_transaction_id": "CAP1"}]))
        if request.params.get("next_page_token") == "tok":
            return reply({"items": [], "links": []})
        href = "https://api.paypal.com/v1/customer/disputes?next_page_token=tok"
        return reply({"items": [dispute(1)], "links": [{"rel": "next", "href": href}]})

    paypal.answer = answer
    pages, cursor = drain(opened(), "disputes")
    (found,) = pages[0].facts.disputes
    assert (found.status, found.attempt_id, found.reply_by) == (
        "needs_response",
        "CAP1",
        NOW + timedelta(days=3),
    )
    paypal.answer = lambda _: reply({"items": [], "links": []})
    drain(opened(), "disputes", cursor, NOW + timedelta(hours=1))
    assert paypal.asked[-1].params["update_time_after"] == iso(NOW - minutes(5))


def test_a_dispute_list_that_repeats_ends(paypal, opened) -> None:
    whole = dispute(1, disputed_transactions=[])
    href = "https://api.paypal.com/v1/customer/disputes?next_page_token=tok"
    paypal.answer = lambda _: reply({"items": [whole], "links": [{"rel": "next", "href": href}]})
    with pytest.raises(ProviderError, match="again"):
        drain(opened(), "disputes")
    assert len(paypal.asked) < 6


def test_a_clock_that_jumps_ahead_and_back_loses_no_event(paypal, opened) -> None:
    events = [event(1, NOW - minutes(10))]
    paypal.answer = listing(events)
    provider = opened()
    _, cursor = drain(provider, "events")
    _, cursor = drain(provider, "events", cursor, NOW + timedelta(days=1))
    events.append(event(2, NOW + minutes(3), resource=capture(2, NOW, amount={"value": "1"})))
    pages, _ = drain(provider, "events", cursor, NOW + minutes(5))
    assert "WH-2" in ids(pages)
    assert pages[-1].data_as_of <= NOW + minutes(5)
    assert all(page.facts.attempts[0].account == NAME for page in pages if page.facts.attempts)
