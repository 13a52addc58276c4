"""The look-back over the last day, the account's state, and what an event alone does not tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError

from .conftest import NOW, T0, charge_event, error, listing, reply

DAY = 86_400


def charge(n: int, created: int, **fields) -> dict:
    return {
        **charge_event(n, created)["data"]["object"],
        "captured": True,
        "amount_refunded": 0,
        **fields,
    }


def refund(n: int, created: int, **fields) -> dict:
    return {
        "id": f"re_{n}",
        "object": "refund",
        "created": created,
        "amount": 500,
        "currency": "eur",
        "status": "pending",
        "charge": "ch_1",
        **fields,
    }


def lists(charges=(), refunds=(), past_due=(), unpaid=(), payouts=()):
    """Stripe's lists, newest first, as far as the look-back uses them."""

    def answer(request):
        if request.path in ("/v1/balance", "/v1/account"):
            return reply({"id": "acct_1", "livemode": True})
        if request.path == "/v1/subscriptions":
            rows = {"past_due": past_due, "unpaid": unpaid}[request.params["status"]]
        else:
            rows = {"/v1/charges": charges, "/v1/refunds": refunds, "/v1/payouts": payouts}[request.path]
        rows = sorted(rows, key=lambda row: (-row["created"], row["id"]))
        rows = [row for row in rows if row["created"] >= int(request.params.get("created[gte]", 0))]
        after = request.params.get("starting_after")
        if after is not None:
            ids = [row["id"] for row in rows]
            if after not in ids:
                return error(400, f"No such thing: '{after}'", "resource_missing", "invalid_request_error")
            rows = rows[ids.index(after) + 1 :]
        return reply({"data": rows[:100], "has_more": len(rows) > 100})

    return answer


def drain(provider, cursor=None, now=NOW):
    pages = []
    for _ in range(100):
        pages.append(provider.poll("reconcile", cursor, now))
        cursor = pages[-1].cursor
        if not pages[-1].more:
            return pages, cursor
    raise AssertionError("reading does not end")


def attempts(pages) -> list[str]:
    return [each.attempt_id for page in pages for each in page.facts.attempts]


def test_a_pass_reads_the_last_day_s_charges_and_refunds_page_by_page(stripe, open_account):
    charges = [charge(n, T0 - 60 - n * 400) for n in range(300)]
    stripe.answer = lists(charges, [refund(n, T0 - 5 - n) for n in range(120)])
    pages, _ = drain(open_account())
    within = [each["id"] for each in charges if each["created"] >= T0 - DAY]
    assert attempts(pages) == within and len(within) == 216
    assert sum(len(page.facts.refunds) for page in pages) == 120
    assert [page.data_as_of for page in pages] == [None] * (len(pages) - 1) + [NOW]
    assert sum(page.requests for page in pages) == len(stripe.asked)


@pytest.mark.parametrize("killed_after", range(6))
def test_a_pass_that_was_killed_goes_on_where_it_was(stripe, open_account, killed_after):
    stripe.answer = lists([charge(n, T0 - 60 - n) for n in range(250)], [refund(n, T0 - n) for n in range(5)])
    cursor, pages = None, []
    for _ in range(killed_after):
        pages.append(open_account().poll("reconcile", cursor, NOW))
        cursor = pages[-1].cursor
    open_account().poll("reconcile", cursor, NOW)  # answered, but killed before it was stored
    rest, _ = drain(open_account(), cursor)
    assert sorted(attempts(pages + rest)) == sorted(f"ch_{n}" for n in range(250))


def test_each_pass_begins_anew_and_slides(stripe, open_account):
    charges = [charge(0, T0 - DAY + 1800), charge(1, T0 - 100)]
    stripe.answer = lists(charges)
    provider = open_account()
    pages, cursor = drain(provider)
    assert attempts(pages) == ["ch_1", "ch_0"]
    charges[1] = charge(1, T0 - 100, amount_refunded=1999)
    charges.append(charge(2, T0 + 3000))
    later = NOW + timedelta(hours=1)
    pages, _ = drain(provider, cursor, later)
    assert attempts(pages) == ["ch_2", "ch_1"]
    (_, changed) = pages[0].facts.attempts
    assert (changed.amount_refunded_minor, changed.changed_at) == (1999, later)


def test_a_pass_that_lay_too_long_is_not_gone_on_with(stripe, open_account):
    stripe.answer = lists([charge(n, T0 - 60 - n) for n in range(150)])
    provider = open_account()
    cursor = provider.poll("reconcile", None, NOW).cursor
    for moved in (timedelta(hours=7), timedelta(hours=-1)):
        page = provider.poll("reconcile", cursor, NOW + moved)
        assert "starting_after" not in stripe.asked[-1].params
        assert page.requests == 1


def test_what_is_as_it_was_made_is_not_called_changed(stripe, open_account):
    other = {"payment_method_details": {"type": "sepa_debit"}}
    stripe.answer = lists(
        [
            charge(1, T0 - 500),
            charge(2, T0 - 500, status="failed", captured=False),
            charge(3, T0 - 500, amount_refunded=5),
            charge(4, T0 - 500, captured=False),
            charge(5, T0 - 500, **other),
            charge(6, T0 - 500, disputed=True),
        ]
    )
    pages, _ = drain(open_account())
    changed = {each.attempt_id: each.changed_at for page in pages for each in page.facts.attempts}
    made = NOW - timedelta(seconds=500)
    assert changed == {"ch_1": made, "ch_2": made, "ch_3": NOW, "ch_4": NOW, "ch_5": NOW, "ch_6": NOW}


def test_a_clock_of_ours_that_is_ahead_does_not_outdate_later_events(stripe, open_account):
    rows = lists([charge(1, T0 - 500, amount_refunded=5)], [refund(1, T0 - 400)])

    def dated(request):
        status, headers, body = rows(request)
        return status, {**headers, "Date": "Thu, 15 Jan 2026 09:00:00 GMT"}, body

    stripe.answer = dated
    pages, _ = drain(open_account(), None, NOW + timedelta(hours=3))
    facts = [each for page in pages for each in (*page.facts.attempts, *page.facts.refunds)]
    assert [each.changed_at for each in facts] == [NOW, NOW]


@pytest.mark.parametrize("circle", [1, 2, 3, 7])
def test_a_list_that_goes_round_in_circles_ends_in_an_outage_error(stripe, open_account, circle):
    def answer(request):
        n = len(stripe.asked) % circle
        rows = [charge(100 * n + k, T0 - 60 - k) for k in range(100)]
        return reply({"data": rows, "has_more": True})

    stripe.answer = answer
    provider, cursor = open_account(), None
    with pytest.raises(ProviderError, match="repeats itself") as caught:
        for _ in range(6 * circle + 6):
            cursor = provider.poll("reconcile", cursor, NOW).cursor
    assert caught.value.bucket == "outage"


def test_an_empty_page_that_promises_more_ends_in_an_outage_error(stripe, open_account):
    stripe.answer = lambda request: reply({"livemode": True, "data": [], "has_more": True})
    with pytest.raises(ProviderError, match="repeats itself"):
        open_account().poll("reconcile", None, NOW)


def test_a_server_that_ignores_the_time_filter_does_not_send_us_back_for_ever(stripe, open_account):
    stripe.answer = lambda request: reply(
        {
            "data": [charge(n + len(stripe.asked), T0 - 40 * DAY) for n in range(100)],
            "has_more": request.path == "/v1/charges",
        }
    )
    pages, _ = drain(open_account())
    assert len(pages) == 5


def test_what_reading_stopped_at_may_leave_the_list(stripe, open_account):
    charges = [charge(n, T0 - 60 - n) for n in range(250)]
    stripe.answer = lists(charges)
    provider = open_account()
    first = provider.poll("reconcile", None, NOW)
    del charges[99]
    rest, _ = drain(provider, first.cursor)
    assert set(attempts([first, *rest])) == {f"ch_{n}" for n in range(250)}


def test_a_list_the_key_may_not_read_is_named_and_passed_over(stripe, open_account):
    rows = lists([charge(1, T0 - 60)], [refund(1, T0 - 60)])
    stripe.answer = lambda request: (
        error(403, "Having the 'rak_subscription_read' permission would allow this")
        if request.path == "/v1/subscriptions"
        else rows(request)
    )
    provider = open_account()
    pages, _ = drain(provider)
    assert attempts(pages) == ["ch_1"] and pages[-1].more is False
    assert provider.prove(0, NOW).missing == ("rak_subscription_read",)


def test_without_charges_there_is_no_pass(stripe, open_account):
    stripe.answer = lambda _: error(403, "Having the 'rak_charge_read' permission would allow this")
    with pytest.raises(ProviderError, match="rak_charge_read"):
        open_account().poll("reconcile", None, NOW)


def test_an_outage_in_the_middle_is_an_error_and_the_pass_goes_on_later(stripe, open_account):
    rows = lists([charge(1, T0 - 60)], [refund(1, T0 - 60)])
    stripe.answer = rows
    provider = open_account()
    cursor = provider.poll("reconcile", None, NOW).cursor
    stripe.answer = lambda _: error(500)
    with pytest.raises(ProviderError):
        provider.poll("reconcile", cursor, NOW)
    stripe.answer = rows
    pages, _ = drain(provider, cursor)
    assert [each.refund_id for page in pages for each in page.facts.refunds] == ["re_1"]


@pytest.mark.parametrize("cursor", ["", "{", "null", '{"at": "x"}', '{"at": 1, "list": 99}', "done"])
def test_an_unreadable_cursor_begins_a_pass(stripe, open_account, cursor):
    stripe.answer = lists([charge(1, T0 - 60)])
    assert attempts(drain(open_account(), cursor)[0]) == ["ch_1"]


def test_charges_of_the_other_mode_are_no_facts(stripe, open_account):
    stripe.answer = lists([charge(1, T0 - 60, livemode=False), charge(2, T0 - 61)])
    assert attempts(drain(open_account())[0]) == ["ch_2"]


def test_nothing_is_taken_from_a_key_of_the_other_mode(stripe, open_account):
    stripe.answer = lambda request: reply({"livemode": False, "data": [], "has_more": False})
    with pytest.raises(ProviderError, match="reads test data"):
        open_account().poll("reconcile", None, NOW)


# -- payouts


def test_a_payout_that_went_out_is_read_and_dated_by_its_making(stripe, open_account):
    made = {"object": "payout", "amount": 10_000, "currency": "eur"}
    stripe.answer = lists(
        [charge(1, T0 - 60)],
        payouts=[
            {"id": "po_1", "created": T0 - 7200, "status": "failed", **made},
            {"id": "po_2", "created": T0 - 60, "status": "paid", **made},
        ],
    )
    pages, _ = drain(open_account())
    found = {each.payout_id: each for page in pages for each in page.facts.payouts}
    assert {name: each.status for name, each in found.items()} == {"po_1": "failed", "po_2": "paid"}
    assert all(each.changed_at == each.at for each in found.values())


# -- what subscriptions owe


def subscription(n: int, status: str = "past_due", **fields) -> dict:
    return {
        "id": f"sub_{n}",
        "object": "subscription",
        "created": T0 - 5000 + n,
        "livemode": True,
        "status": status,
        "currency": "eur",
        "customer": "cus_1",
        "default_payment_method": None,
        "default_source": None,
        "latest_invoice": "in_1",
        **fields,
    }


OWES = {
    "customer": {"id": "cus_1", "invoice_settings": {"default_payment_method": None}},
    "latest_invoice": {"id": "in_1", "status": "open", "amount_remaining": 500, "attempt_count": 1},
}


def test_a_pass_reads_what_subscriptions_owe_however_old_they_are(stripe, open_account):
    old = subscription(1, created=T0 - 400 * DAY, **OWES)
    stripe.answer = lists([charge(1, T0 - 9)], past_due=[old], unpaid=[subscription(2, "unpaid", **OWES)])
    pages, _ = drain(open_account())
    found = [each for page in pages for each in page.facts.subscriptions]
    assert [(each.subscription_id, each.status, each.outstanding_minor) for each in found] == [
        ("sub_1", "past_due", 500),
        ("sub_2", "unpaid", 500),
    ]
    assert all(each.has_payment_method is False for each in found)


def changed(n: int, created: int, **fields) -> dict:
    event = charge_event(n, created)
    event |= {"type": "customer.subscription.updated", "data": {"object": subscription(n, **fields)}}
    return event


def test_an_event_of_a_subscription_that_owes_is_looked_at_closer(stripe, open_account):
    listed = listing([changed(n, T0 - 60 + n) for n in range(9)] + [changed(20, T0 - 5, status="active")])

    def answer(request):
        if request.path.startswith("/v1/subscriptions/"):
            return reply(subscription(int(request.path.rpartition("_")[2]), **OWES))
        return listed(request)

    stripe.answer = answer
    provider = open_account()
    page = provider.poll("events", None, NOW)
    asked = [path for path in stripe.paths() if "subscriptions" in path]
    assert asked == [f"GET /v1/subscriptions/sub_{n}" for n in (8, 7, 6, 5, 4)], "newest first, a few"
    assert page.requests == 6
    last = {each.subscription_id: each for each in page.facts.subscriptions}
    assert last["sub_8"].has_payment_method is False and last["sub_8"].changed_at == NOW
    assert last["sub_0"].has_payment_method is None and last["sub_20"].status == "active"
    provider.poll("events", page.cursor, NOW + timedelta(seconds=40))
    again = [path for path in stripe.paths() if "subscriptions" in path][len(asked) :]
    assert again == [f"GET /v1/subscriptions/sub_{n}" for n in (3, 2, 1, 0)], "each change once"


@pytest.mark.parametrize("refusal", [error(404, "Unrecognized"), error(403), error(500), reply(b"<html>")])
def test_what_the_event_says_stands_when_a_closer_look_is_refused(stripe, open_account, refusal):
    listed = listing([changed(1, T0 - 100)])
    stripe.answer = lambda request: refusal if "subscriptions" in request.path else listed(request)
    page = open_account().poll("events", None, NOW)
    assert [each.status for each in page.facts.subscriptions] == ["past_due"]


# -- the account


def known(**fields):
    return lambda _: reply({"id": "acct_1", "object": "account", **fields})


def test_a_free_account_is_free(stripe, open_account):
    stripe.answer = known(
        charges_enabled=True,
        payouts_enabled=True,
        requirements={"currently_due": [], "disabled_reason": None},
    )
    provider = open_account()
    page = provider.poll("account", None, NOW)
    state = page.account_state
    assert (state.charges_enabled, state.payouts_enabled, state.restricted) == (True, True, False)
    assert (state.due, state.reason, state.at) == ((), None, NOW)
    assert page.requests == 1 == next(spec.requests for spec in provider.feeds if spec.name == "account")


def test_a_restricted_account_says_what_is_due(stripe, open_account):
    stripe.answer = known(
        charges_enabled=False,
        payouts_enabled=True,
        requirements={
            "currently_due": ["company.tax_id", "a\x1b[2Jb"],
            "disabled_reason": "requirements.past_due",
        },
    )
    state = open_account().poll("account", None, NOW).account_state
    assert state.restricted and state.reason == "requirements.past_due"
    assert state.due == ("company.tax_id", "ab")


def test_a_key_that_may_not_read_the_account_leaves_its_state_unknown(stripe, open_account):
    said = "Having the 'rak_accounts_kyc_basic_read' permission would allow this on account 'acct_1'"
    stripe.answer = lambda request: (
        reply({"livemode": True}) if request.path == "/v1/balance" else error(403, said)
    )
    provider = open_account()
    state = provider.poll("account", None, NOW).account_state
    assert (state.charges_enabled, state.payouts_enabled, state.restricted) == (None, None, False)
    assert "rak_accounts_kyc_basic_read" in state.reason
    assert provider.prove(0, NOW).missing == (), "payops does without it"


@pytest.mark.parametrize("answer", [error(401), error(500), error(429), reply(b"<html>")])
def test_no_answer_is_no_state(stripe, open_account, answer):
    stripe.answer = lambda _: answer
    with pytest.raises(ProviderError):
        open_account().poll("account", None, NOW)


def test_the_account_s_api_version_is_that_of_its_newest_event(stripe, open_account):
    old, new = charge_event(1, T0 - 50), charge_event(2, T0 - 5)
    old["api_version"], new["api_version"] = "2024-04-10", "2026-10-28.endive"
    listed, account = listing([old, new]), known(charges_enabled=True)
    stripe.answer = lambda request: account(request) if request.path == "/v1/account" else listed(request)
    provider = open_account()
    assert provider.poll("account", None, NOW).account_state.api_version is None
    provider.poll("events", None, NOW)
    assert provider.poll("account", None, NOW).account_state.api_version == "2026-10-28.endive"


# -- the whole


def test_every_feed_is_declared_and_answers(stripe, open_account):
    provider = open_account()
    assert [spec.name for spec in provider.feeds] == [
        "events",
        "endpoints",
        "undelivered",
        "credential",
        "account",
        "reconcile",
    ]
    rows, listed = lists([charge(1, T0)]), listing([charge_event(1, T0)])
    stripe.answer = lambda request: (
        listed(request)
        if request.path in ("/v1/events", "/v1/balance")
        else reply({"id": "acct_1", "data": []})
        if request.path not in ("/v1/charges", "/v1/refunds", "/v1/payouts", "/v1/subscriptions")
        else rows(request)
        if "status" in request.params or request.path != "/v1/subscriptions"
        else reply({"data": []})
    )
    for spec in provider.feeds:
        page = provider.poll(spec.name, None, NOW)
        assert page.feed == spec.name and spec.sees and spec.interval_s > 0


def test_an_old_cursor_whose_events_are_no_longer_kept_reads_on_by_time(stripe, open_account):
    events = [charge_event(n, T0 - 60 - n * 200) for n in range(350)]
    stripe.answer = listing(events)
    provider = open_account()
    cursor = provider.poll("events", None, NOW).cursor
    later = NOW + timedelta(days=40)
    kept = [charge_event(1000 + n, T0 + 39 * DAY + n) for n in range(120)]
    events[:] = kept
    seen = set()
    for _ in range(20):
        page = provider.poll("events", cursor, later)
        cursor = page.cursor
        seen |= {event.event_id for event in page.facts.events}
        if not page.more:
            break
    assert not page.more and seen == {event["id"] for event in kept}
    assert provider.retention_s == 30 * DAY
