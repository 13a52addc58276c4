"""Every refusal and every broken answer: the right bucket, a sentence, no secret, and the feed stands where it stood."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.errors import DEFINITE_REJECTIONS, ProviderError
from payops.domain.money import Money

from .conftest import NOW, SECRETS, attempts, invalid, listing, read, sale, transaction, xml

HTML = b"<!DOCTYPE html><html><body>Sign in to the hotel's network</body></html>"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(
        b'<!ENTITY lol%d "%s">' % (n, b"&lol%s;" % (b"%d" % (n - 1) if n > 1 else b"") * 10)
        for n in range(1, 10)
    )
    + b"]><search-results><ids type='array'><item>&lol9;</item></ids></search-results>"
)


def caught(provider, feed="transactions", cursor=None) -> ProviderError:
    with pytest.raises(ProviderError) as found:
        provider.poll(feed, cursor, NOW)
    error = found.value
    assert str(error) and len(str(error)) < 600
    for secret in ("env:PRIVATE", "env:PRIVATE2"):
        assert SECRETS[secret] not in str(error)
    assert (error.provider, error.account) == ("braintree", "braintree-live")
    return error


@pytest.mark.parametrize(
    ("status", "bucket"),
    [
        (400, "invalid_request"),
        (401, "auth"),
        (403, "permission"),
        (404, "invalid_request"),
        (408, "outage"),
        (426, "invalid_request"),
        (429, "rate_limit"),
        (500, "outage"),
        (502, "outage"),
        (503, "outage"),
        (504, "outage"),
    ],
)
def test_each_status_has_its_bucket(braintree, open_account, status, bucket):
    braintree.routes["*"] = lambda _: xml(b"", status, Retry_After="7")
    error = caught(open_account(), "disputes")
    assert (error.bucket, error.http_status, error.request_id) == (bucket, status, "req-1")
    assert error.retry_after_s == 7


def test_a_page_of_somebody_else_says_nothing_about_our_key(braintree, open_account):
    for status in (401, 403):
        braintree.routes["*"] = lambda _, status=status: xml(HTML, status, Content_Type="text/html")
        error = caught(open_account())
        assert error.bucket == "outage" and "HTML" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HTML, id="html"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"<search-results><ids type='array'><item>t1</item>", id="truncated"),
        pytest.param(LAUGHS, id="billion laughs"),
        pytest.param(
            "<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE a []><a/>".encode("utf-16"), id="hidden DTD"
        ),
        pytest.param(b"{}", id="json"),
        pytest.param(b"<search-results/>", id="search that did not end"),
        pytest.param(b"<a>" * 100_000, id="deep"),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_outage_and_moves_nothing(braintree, open_account, body):
    provider = open_account()
    braintree.transactions = [sale(1, NOW - timedelta(minutes=1))]
    cursor = read(provider)[-1].cursor
    braintree.routes["POST /transactions/advanced_search_ids"] = lambda _: xml(body)
    assert caught(provider, cursor=cursor).bucket == "outage"
    del braintree.routes["POST /transactions/advanced_search_ids"]
    braintree.transactions.insert(0, sale(2, NOW))
    assert attempts(read(provider, now=NOW + timedelta(minutes=1), cursor=cursor)) == ["t000002"]


def test_a_page_of_objects_cut_off_in_the_middle_loses_none(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(n, NOW - timedelta(minutes=n)) for n in range(1, 20)]
    whole = braintree.answer

    def cut(request):
        del braintree.routes["POST /transactions/advanced_search"]
        status, headers, body = whole(request)
        return status, headers, body[: len(body) // 2]

    braintree.routes["POST /transactions/advanced_search"] = cut
    assert caught(provider).bucket == "outage"
    assert len(attempts(read(provider))) == 19


def test_an_error_in_a_200_is_that_error(braintree, open_account):
    braintree.routes["POST /transactions/advanced_search_ids"] = lambda _: invalid(
        "91501", message="Order ID is too long.", status=200
    )
    error = caught(open_account())
    assert (error.bucket, error.code) == ("invalid_request", "91501")


def test_half_a_megabyte_of_error_is_one_line(braintree, open_account):
    braintree.routes["*"] = lambda _: invalid("91501", message="no " * 180_000 + SECRETS["env:PRIVATE"])
    error = caught(open_account(), "disputes")
    assert error.bucket == "invalid_request" and "\n" not in str(error)


def test_our_private_key_is_cut_out_of_what_braintree_says(braintree, open_account):
    braintree.routes["*"] = lambda _: invalid("91501", message=f"bad key {SECRETS['env:PRIVATE']} \x1b[2J")
    status, headers, body = braintree.routes["*"](None)
    braintree.routes["*"] = lambda _: (status, headers, body.replace(b"\x1b", b""))
    assert "…abcd" in str(caught(open_account(), "disputes"))


def test_a_401_that_lasts_stays_an_auth_error_and_costs_no_fact(braintree, open_account):
    provider = open_account()
    braintree.transactions = [sale(1, NOW - timedelta(minutes=1))]
    cursor = read(provider)[-1].cursor
    braintree.routes["*"] = lambda _: xml(b"", 401)
    for _ in range(5):
        asked = len(braintree.asked)
        assert caught(provider, cursor=cursor).bucket == "auth"
        assert len(braintree.asked) == asked + 1
    del braintree.routes["*"]
    braintree.transactions.insert(0, sale(2, NOW))
    assert attempts(read(provider, now=NOW + timedelta(minutes=1), cursor=cursor)) == ["t000002"]


def test_validation_errors_are_invalid_requests_with_their_code(braintree, open_account):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["POST /transactions/t000001/refund"] = lambda _: invalid("91506", "91574", message="no")
    with pytest.raises(ProviderError) as found:
        open_account().refund("t000001", None, "payops-1", "key", NOW)
    assert (found.value.bucket, found.value.code) == ("invalid_request", "91506")


@pytest.mark.parametrize(
    ("code", "bucket"), [("915233", "conflict"), ("915235", "outage"), ("915232", "invalid_request")]
)
def test_trouble_with_a_request_key_is_no_definite_rejection_unless_it_is(
    braintree, open_account, code, bucket
):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["POST /transactions/t000001/refund"] = lambda _: invalid(code)
    with pytest.raises(ProviderError) as found:
        open_account().refund("t000001", None, "payops-1", "key", NOW)
    assert found.value.bucket == bucket
    assert (bucket in DEFINITE_REJECTIONS) is (code == "915232")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (
            "<status>processor_declined</status><processor-response-code>2001</processor-response-code>",
            "2001",
        ),
        (
            "<status>gateway_rejected</status><gateway-rejection-reason>duplicate</gateway-rejection-reason>",
            "duplicate",
        ),
    ],
)
def test_a_declined_payment_is_the_cards_and_has_its_code(braintree, open_account, fields, code):
    extra = f"<transaction><id>t9</id><amount>1.00</amount>{fields}</transaction>"
    braintree.routes["GET /subscriptions/s1"] = lambda _: xml(
        "<subscription><id>s1</id><status>Past Due</status><created-at>2026-01-01T00:00:00Z</created-at>"
        "<currency-iso-code>USD</currency-iso-code></subscription>"
    )
    braintree.routes["POST /transactions"] = lambda _: invalid(message="Declined", extra=extra)
    with pytest.raises(ProviderError) as found:
        open_account().collect("s1", Money(100, "USD"), "payops-1", "key", NOW)
    assert (found.value.bucket, found.value.code) == ("card", code)


@pytest.mark.parametrize(
    "body",
    [
        "<surprise/>",
        "<transaction><amount>1.00</amount></transaction>",
        "<api-error-response><x/></api-error-response>",
    ],
)
def test_a_write_answered_in_an_odd_form_is_not_taken_for_done(braintree, open_account, body):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["POST /transactions/t000001/refund"] = lambda _: xml(body, 422 if "api" in body else 201)
    with pytest.raises(ProviderError) as found:
        open_account().refund("t000001", None, "payops-1", "key", NOW)
    assert found.value.bucket in ("outage", "invalid_request")


def test_a_422_is_never_taken_for_done_whatever_it_shows(braintree, open_account):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["POST /transactions/t000001/refund"] = lambda _: xml(transaction(sale(9, NOW)), 422)
    with pytest.raises(ProviderError) as found:
        open_account().refund("t000001", None, "payops-1", "key", NOW)
    assert found.value.http_status == 422


def test_an_id_that_could_change_the_path_is_never_sent(braintree, open_account):
    provider = open_account()
    for act in (
        lambda: provider.attempt("../client_token", NOW),
        lambda: provider.refund("a/b", None, "r", "k", NOW),
        lambda: provider.use_payment_method("s1", "a?b", "k", NOW),
        lambda: provider.collect("s/1", Money(1, "USD"), "r", "k", NOW),
    ):
        with pytest.raises(ProviderError) as found:
            act()
        assert found.value.bucket == "invalid_request"
    assert braintree.asked == []


def test_hostile_ids_in_a_listing_are_not_asked_for(braintree, open_account):
    braintree.routes["POST /transactions/advanced_search_ids"] = lambda _: listing(["../x", "a b", "x" * 500])
    assert read(open_account())[-1].read == 0
