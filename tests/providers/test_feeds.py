"""The feeds over real HTTP: history and increments, kills, other modes, endpoints, undelivered events."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import FeedPage

from .conftest import NOW, T0, charge_event, error, listing, reply


def drain(provider, cursor, now):
    """Poll until nothing more is asked for, as the engine does."""
    pages: list[FeedPage] = []
    for _ in range(100):
        pages.append(provider.poll("events", cursor, now))
        cursor = pages[-1].cursor
        if not pages[-1].more:
            return pages, cursor
    raise AssertionError("reading does not end")


def ids(pages) -> list[str]:
    return [event.event_id for page in pages for event in page.facts.events]


def test_first_poll_reads_a_day_newest_first_in_pages_of_a_hundred(stripe, open_account):
    events = [charge_event(n, T0 - 60 - n * 200) for n in range(350)]
    stripe.answer = listing(events)
    pages, _ = drain(open_account(), None, NOW)
    assert [page.read for page in pages] == [100, 100, 100, 50]
    assert ids(pages) == [f"evt_{n}" for n in range(350)]
    assert pages[0].progress == 0.0 and pages[-1].progress == 1.0
    assert all(page.data_as_of == NOW - timedelta(seconds=60) for page in pages)
    assert [page.more for page in pages] == [True, True, True, False]
    request = stripe.asked[0]
    assert request.params["created[gte]"] == str(T0 - 86_400)
    assert [request.params[f"types[{n}]"] for n in range(len(EVENT_TYPES["stripe"]))] == list(
        EVENT_TYPES["stripe"]
    )
    assert all(page.requests == 1 and page.request_id == "req_1" for page in pages)


@pytest.mark.parametrize("killed_after", range(4))
def test_kill_between_pages_loses_and_doubles_nothing(stripe, open_account, killed_after):
    events = [charge_event(n, T0 - 60 - n * 200) for n in range(350)]
    stripe.answer = listing(events)
    cursor, pages = None, []
    for _ in range(killed_after):
        pages.append(open_account().poll("events", cursor, NOW))
        cursor = pages[-1].cursor
    open_account().poll("events", cursor, NOW)  # answered, but killed before it was stored
    rest, _ = drain(open_account(), cursor, NOW)
    assert sorted(ids(pages + rest)) == sorted(f"evt_{n}" for n in range(350))


def test_later_polls_read_forward_with_an_overlap(stripe, open_account):
    events = [charge_event(1, T0 - 10)]
    stripe.answer = listing(events)
    provider = open_account()
    _, cursor = drain(provider, None, NOW)
    events += [charge_event(2, T0 - 65), charge_event(3, T0 + 20)]  # one of them appears late
    pages, cursor = drain(provider, cursor, NOW + timedelta(seconds=30))
    assert set(ids(pages)) == {"evt_1", "evt_2", "evt_3"}
    assert stripe.asked[-1].params["created[gte]"] == str(T0 - 10 - 90)
    assert pages[-1].data_as_of == NOW + timedelta(seconds=-30)
    assert pages[-1].progress is None


def test_catch_up_after_a_long_pause_spans_pages(stripe, open_account):
    events = [charge_event(0, T0 - 10)]
    stripe.answer = listing(events)
    provider = open_account()
    _, cursor = drain(provider, None, NOW)
    events += [charge_event(n, T0 + n * 60) for n in range(1, 260)]
    later = NOW + timedelta(hours=5)
    pages, _ = drain(provider, cursor, later)
    assert {f"evt_{n}" for n in range(260)} <= set(ids(pages))
    assert [page.data_as_of for page in pages[:-1]] == [NOW - timedelta(seconds=60)] * (len(pages) - 1)
    assert pages[-1].data_as_of == later - timedelta(seconds=60)


def test_newest_events_come_in_during_a_long_history(stripe, open_account):
    events = [charge_event(n, T0 - 60 - n * 100) for n in range(800)]
    stripe.answer = listing(events)
    provider = open_account()
    page = provider.poll("events", None, NOW)
    page = provider.poll("events", page.cursor, NOW)
    events.append(charge_event(9999, T0 + 31))
    page = provider.poll("events", page.cursor, NOW + timedelta(seconds=35))
    assert "evt_9999" in ids([page]) and page.more


def test_more_than_a_page_within_one_second_is_read_whole(stripe, open_account):
    events = [charge_event(n, T0 - 100) for n in range(250)]
    stripe.answer = listing(events)
    pages, _ = drain(open_account(), None, NOW)
    assert sorted(ids(pages)) == sorted(f"evt_{n}" for n in range(250))


def test_event_reading_stopped_at_may_leave_the_list(stripe, open_account):
    events = [charge_event(n, T0 - 60 - n * 200) for n in range(350)]
    stripe.answer = listing(events)
    provider = open_account()
    first = provider.poll("events", None, NOW)
    del events[99]  # the anchor ages out
    pages, _ = drain(provider, first.cursor, NOW)
    assert {f"evt_{n}" for n in range(350) if n != 99} <= set(ids([first, *pages]))


@pytest.mark.parametrize("circle", [1, 2, 5])
def test_pages_that_repeat_end_in_an_outage_error(stripe, open_account, circle):
    answers = []

    def answer(request):
        answers.append(request)
        n = len(answers) % circle
        page = [charge_event(n * 100 + k, T0 - 60 - k) for k in range(100)]
        return reply({"object": "list", "data": page, "has_more": True})

    stripe.answer = answer
    provider = open_account()
    cursor = None
    with pytest.raises(ProviderError, match="repeats itself") as caught:
        for _ in range(50):
            cursor = provider.poll("events", cursor, NOW).cursor
    assert caught.value.bucket == "outage"


def test_error_in_the_middle_resumes_where_it_was(stripe, open_account):
    events = [charge_event(n, T0 - 60 - n * 200) for n in range(250)]
    stripe.answer = listing(events)
    provider = open_account()
    first = provider.poll("events", None, NOW)
    stripe.answer = lambda _: error(500)
    with pytest.raises(ProviderError):
        provider.poll("events", first.cursor, NOW)
    stripe.answer = listing(events)
    pages, _ = drain(provider, first.cursor, NOW)
    assert ids([first, *pages]) == [f"evt_{n}" for n in range(250)]


def test_one_odd_event_does_not_hide_the_others(stripe, open_account):
    odd = charge_event(2, T0 - 20, amount="many", outcome="x", payment_method_details=[1])
    events = [
        charge_event(1, T0 - 10),
        odd,
        charge_event(3, T0 - 30),
        {"created": T0 - 40},
        {"id": 7, "created": T0},
    ]
    stripe.answer = listing(
        [
            event | {"id": event.get("id", "")} if event.get("id") != 7 else charge_event(4, T0 - 50)
            for event in events
        ]
    )
    page = open_account().poll("events", None, NOW)
    assert {"evt_1", "evt_2", "evt_3", "evt_4"} == set(ids([page]))
    assert {attempt.attempt_id for attempt in page.facts.attempts} == {"ch_1", "ch_2", "ch_3", "ch_4"}


# -- modes


def test_events_of_the_other_mode_are_set_apart(stripe, open_account):
    stripe.answer = listing([charge_event(1, T0 - 10), charge_event(2, T0 - 5, livemode=False)])
    page = open_account().poll("events", None, NOW)
    assert [event.event_id for event in page.facts.wrong_mode] == ["evt_2"]
    assert ids([page]) == ["evt_1"] and len(page.facts.attempts) == 1


def with_balance(events, livemode):
    answer = listing(events)
    return lambda request: reply({"livemode": livemode}) if request.path == "/v1/balance" else answer(request)


@pytest.mark.parametrize("test_events", [0, 5, 150])
def test_nothing_is_taken_from_a_key_of_the_other_mode_and_nothing_is_skipped(
    stripe, open_account, test_events
):
    live = [charge_event(n, T0 - 60 - n * 200) for n in range(150)]
    stripe.answer = listing(live)
    provider = open_account()
    first = provider.poll("events", None, NOW)
    stripe.answer = with_balance(
        [charge_event(5000 + n, T0 + n, livemode=False) for n in range(test_events)], False
    )
    for seconds in (0, 40, 80):
        with pytest.raises(ProviderError, match=r"key rk_live_…4f2a reads test data.*is live") as caught:
            provider.poll("events", first.cursor, NOW + timedelta(seconds=seconds))
        assert (caught.value.bucket, caught.value.code) == ("invalid_request", "wrong_mode")
    for feed in ("endpoints", "undelivered"):
        with pytest.raises(ProviderError):
            provider.poll(feed, None, NOW)
    live.append(charge_event(777, T0 + 10))
    stripe.answer = listing(live)
    pages, _ = drain(provider, first.cursor, NOW + timedelta(seconds=120))
    assert {f"evt_{n}" for n in [*range(150), 777]} <= set(ids([first, *pages]))


def test_an_empty_list_counts_only_with_a_key_of_the_right_mode(stripe, open_account):
    stripe.answer = with_balance([], True)
    page = open_account().poll("events", None, NOW)
    assert page.read == 0 and page.requests == 2
    assert page.data_as_of == NOW - timedelta(seconds=60)


def test_an_unreadable_balance_does_not_stop_a_restricted_key(stripe, open_account):
    answer = listing([])
    stripe.answer = lambda request: error(403, "no") if request.path == "/v1/balance" else answer(request)
    assert open_account().poll("events", None, NOW).read == 0


# -- endpoints


def endpoint(n: int, **fields) -> dict:
    return {
        "id": f"we_{n}",
        "object": "webhook_endpoint",
        "url": f"https://shop.example/{n}",
        "status": "enabled",
        "enabled_events": ["charge.failed", "charge.succeeded"],
        "livemode": True,
        "api_version": "2026-10-28.endive",
        "created": T0 - 1000,
        **fields,
    }


def test_endpoints_are_read_with_the_reason_they_are_disabled_for(stripe, open_account):
    def answer(request):
        if request.path == "/v1/webhook_endpoints":
            return reply({"data": [endpoint(1), endpoint(2, status="disabled")], "has_more": False})
        assert request.path == "/v2/core/event_destinations/we_2"
        return reply({"status": "disabled", "status_details": {"disabled": {"reason": "user"}}})

    stripe.answer = answer
    page = open_account().poll("endpoints", None, NOW)
    assert page.endpoints is not None and page.requests == 2
    one, two = page.endpoints
    assert (one.endpoint_id, one.status, one.disabled_reason) == ("we_1", "enabled", None)
    assert (two.endpoint_id, two.status, two.disabled_reason) == ("we_2", "disabled", "user")
    assert one.event_types == ("charge.failed", "charge.succeeded") and one.livemode is True


@pytest.mark.parametrize("refusal", [error(404), error(400), error(403), error(500), error(429), reply([])])
def test_a_missing_reason_does_not_hide_a_disabled_endpoint(stripe, open_account, refusal):
    stripe.answer = lambda request: (
        reply({"data": [endpoint(1, status="disabled")]}) if request.path.startswith("/v1") else refusal
    )
    page = open_account().poll("endpoints", None, NOW)
    assert page.endpoints is not None
    assert (page.endpoints[0].status, page.endpoints[0].disabled_reason) == ("disabled", None)


def test_endpoints_of_the_other_mode_are_not_ours(stripe, open_account):
    stripe.answer = lambda request: (
        reply({"livemode": True})
        if request.path == "/v1/balance"
        else reply({"data": [endpoint(1, livemode=False), endpoint(2)]})
    )
    page = open_account().poll("endpoints", None, NOW)
    assert page.endpoints is not None
    assert [each.endpoint_id for each in page.endpoints] == ["we_2"]


# -- undelivered


def test_undelivered_events_are_read_whole(stripe, open_account):
    stripe.answer = listing([charge_event(n, T0 - 60 - n * 10) for n in range(230)])
    page = open_account().poll("undelivered", None, NOW)
    assert page.undelivered is not None and len(page.undelivered) == 230
    assert page.requests == 3 and page.read == 230
    assert stripe.asked[0].params["delivery_success"] == "false"
    assert stripe.asked[0].params["created[gte]"] == str(T0 - 3 * 86_400)
    assert page.undelivered[0].amount_minor == 1999 and page.undelivered[0].currency == "EUR"


def test_undelivered_list_that_repeats_ends_in_an_outage_error(stripe, open_account):
    page = [charge_event(n, T0 - n) for n in range(100)]
    stripe.answer = lambda _: reply({"data": page, "has_more": True})
    with pytest.raises(ProviderError, match="repeats itself"):
        open_account().poll("undelivered", None, NOW)
    assert len(stripe.asked) == 2


def test_nothing_undelivered_is_believed_of_the_right_mode_only(stripe, open_account):
    stripe.answer = with_balance([], False)
    with pytest.raises(ProviderError, match="test data"):
        open_account().poll("undelivered", None, NOW)
    stripe.answer = with_balance([], True)
    assert open_account().poll("undelivered", None, NOW).undelivered == ()
