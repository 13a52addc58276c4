"""The search of transactions: its bounds, its lateness, and what it hides from those who do not ask."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

PATH = "v1/reporting/transactions"
WHOLE = {"start_date": "2026-01-15T00:00:00Z", "end_date": "2026-01-16T00:00:00Z"}


def search(live, **params):
    return live.api.get(f"{PATH}?{urlencode({**WHOLE, **params})}")


def infos(page):
    return [row["transaction_info"] for row in page["transaction_details"]]


def test_transactions_appear_late_and_the_answer_says_how_late(shop):
    live = shop(warmup="3h")
    page = search(live, page_size=500)
    assert page["last_refreshed_datetime"] == "2026-01-15T07:30:00Z"
    assert max(each["transaction_initiation_date"] for each in infos(page)) <= "2026-01-15T07:30:00Z"
    live.after(minutes=30)
    later = search(live, page_size=500)
    assert later["last_refreshed_datetime"] == "2026-01-15T08:00:00Z"
    assert later["total_items"] > page["total_items"]
    live.account.reporting_lag_ms = 3 * 3600 * 1000
    assert search(live)["last_refreshed_datetime"] == "2026-01-15T06:30:00Z"


def test_declined_are_hidden_unless_asked_for_and_wallet_refusals_always(shop):
    live = shop(success=0.6, warmup="3h")
    usual, every = search(live), search(live, balance_affecting_records_only="N", page_size=500)
    assert {each["transaction_status"] for each in infos(usual)} == {"S"}
    assert every["total_items"] > usual["total_items"]
    denied = search(live, balance_affecting_records_only="N", transaction_status="D", page_size=500)
    assert denied["total_items"] > 0
    account = live.account
    for each in infos(denied):
        assert account.by_card(account.charges.get(each["transaction_id"]).payment.buyer)


def test_pages_hold_every_transaction_once(shop):
    live = shop(warmup="3h")
    first = search(live, page_size=100)
    assert first["total_pages"] == -(-first["total_items"] // 100) > 2
    ids = []
    for page in range(1, first["total_pages"] + 1):
        ids += [each["transaction_id"] for each in infos(search(live, page_size=100, page=page))]
    assert len(set(ids)) == len(ids) == first["total_items"]
    rels = [link["rel"] for link in search(live, page_size=100, page=2)["links"]]
    assert set(rels) == {"self", "next", "last", "first", "prev"}


def test_refund_refers_to_its_capture_and_is_negative(shop):
    live = shop(warmup="3h")
    capture = live.capture_id()
    live.api.post(f"v2/payments/captures/{capture}/refund", {})
    live.after(hours=2)
    rows = infos(search(live, transaction_type="T1107", page_size=500))
    (row,) = [each for each in rows if each["paypal_reference_id"] == capture]
    assert row["paypal_reference_id_type"] == "TXN"
    assert row["transaction_amount"]["value"].startswith("-")


def test_only_the_fields_asked_for_are_shown(shop):
    live = shop(warmup="3h")
    assert set(search(live)["transaction_details"][0]) == {"transaction_info"}
    row = search(live, fields="all")["transaction_details"][0]
    assert "@" in row["payer_info"]["email_address"]


@pytest.mark.parametrize(
    "params",
    [
        {"end_date": "2026-02-15T00:00:01Z"},
        {"end_date": "2026-01-14T00:00:00Z"},
        {"start_date": "2021-01-01T00:00:00Z", "end_date": "2021-01-02T00:00:00Z"},
        {"start_date": "2026-01-15"},
        {"start_date": "2026-01-15T00:00:00"},
        {"start_date": "2026-13-15T00:00:00Z"},
        {"page_size": "0"},
        {"page_size": "501"},
        {"page": "0"},
        {"page": "99"},
        {"balance_affecting_records_only": "no"},
        {"starting_after": "x"},
    ],
)
def test_question_that_makes_no_sense_is_an_invalid_request(shop, params):
    live = shop(rate=1)
    answer = live.raw("GET", f"/{PATH}", params={**WHOLE, **params})
    assert (answer.status_code, answer.json()["name"]) == (400, "INVALID_REQUEST")
    assert set(params) & {detail["field"] for detail in answer.json()["details"]}


def test_31_days_are_allowed_and_both_dates_required(shop):
    live = shop(rate=1)
    span = {"start_date": "2025-12-15T00:00:00Z", "end_date": "2026-01-15T00:00:00Z"}
    assert live.raw("GET", f"/{PATH}", params=span).status_code == 200
    answer = live.raw("GET", f"/{PATH}", params={"start_date": WHOLE["start_date"]})
    assert answer.json()["details"][0]["issue"] == "MISSING_REQUIRED_PARAMETER"


def test_zone_of_an_unencoded_plus_is_refused(shop):
    live = shop(rate=1)
    query = "start_date=2026-01-15T00:00:00+00:00&end_date=2026-01-15T09:00:00Z"
    assert live.raw("GET", f"/{PATH}?{query}").status_code == 400
