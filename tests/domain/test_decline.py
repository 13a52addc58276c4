"""The decline vocabulary: complete, one answer per code, plain words, and never more hopeful than its sources."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.decline import CATEGORIES, DECLINES, NOT_TOLD, RETRIES, by_category, lookup
from payops.domain.payments import PROVIDERS

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data"
RETRYABLE = {"same_card_later", "now"}
# What the providers and card networks say must not be tried again on the same card.
NEVER = {
    "stripe": """incorrect_number lost_card pickup_card stolen_card revocation_of_authorization
        revocation_of_all_authorizations authentication_required highest_risk_level transaction_not_allowed
        previously_declined_do_not_retry""",
    "braintree": "2004 2005 2009 2012 2013 2014 2015 2017 2018 2019 2022 2043 2047 2053 2107 2108",
    "paypal": "9520 9500 5140 5400 1330 1335 0580 5910 5950 PPRN",
}
# A new card or a human is needed: never the same card unattended.
NOT_UNATTENDED = {
    "stripe": """fraudulent merchant_blacklist stop_payment_order restricted_card security_violation
        invalid_account expired_card incorrect_cvc invalid_expiry_month invalid_expiry_year card_not_supported
        currency_not_supported testmode_decline rule low_probability_of_authorization""",
    "braintree": "2057 2099",
    "paypal": "5650 INSTRUMENT_DECLINED PAYER_ACTION_REQUIRED TRANSACTION_REFUSED COMPLIANCE_VIOLATION",
}
# The codes of the page docs.stripe.com/declines/codes.
STRIPE_PAGE = """approve_with_id authentication_not_handled authentication_required call_issuer card_not_supported
    card_velocity_exceeded currency_not_supported do_not_honor do_not_try_again duplicate_transaction expired_card
    fraudulent generic_decline incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip
    insufficient_funds invalid_account invalid_amount invalid_cvc invalid_expiry_month invalid_expiry_year
    invalid_number invalid_pin issuer_not_available lost_card merchant_blacklist
    mobile_device_authentication_required new_account_information_available no_action_taken not_permitted
    offline_pin_required online_or_offline_pin_required pickup_card pin_try_exceeded processing_error
    reenter_transaction restricted_card revocation_of_all_authorizations revocation_of_authorization
    security_violation service_not_allowed stolen_card stop_payment_order testmode_decline transaction_not_allowed
    try_again_later withdrawal_count_limit_exceeded"""
PAYPAL_APPROVALS = {"0000", "1000", "7600"}


def _pairs(listed):
    return [(provider, code) for provider, codes in listed.items() for code in codes.split()]


def _codes(provider):
    return {each.code for each in DECLINES if each.provider == provider}


@pytest.mark.parametrize(("provider", "code"), _pairs(NEVER))
def test_code_on_a_never_list_is_never_retried(provider, code):
    decline = lookup(provider, code)
    assert decline.retry == "never"
    assert decline.category != "unknown"


@pytest.mark.parametrize(("provider", "code"), _pairs(NOT_UNATTENDED))
def test_code_that_needs_a_new_card_or_a_person_is_not_retryable(provider, code):
    decline = lookup(provider, code)
    assert decline.retry not in RETRYABLE
    assert decline.category != "unknown"


def test_every_code_has_one_place():
    twice = [key for key, n in Counter((each.provider, each.code) for each in DECLINES).items() if n > 1]
    assert twice == []
    assert {each.provider for each in DECLINES} == set(PROVIDERS)
    for each in DECLINES:
        assert lookup(each.provider, each.code) is each


def test_every_sentence_is_plain_and_every_code_has_a_source():
    for each in DECLINES:
        assert re.fullmatch(r"[A-Z][^_0-9]+\.", each.sentence), each
        assert set(re.findall(r"\b[A-Z]{2,}\b", each.sentence)) <= {"PIN"}, each
        assert each.source.strip(), each
        assert each.category in CATEGORIES and each.category != "unknown", each
        assert each.retry in RETRIES, each


def test_only_soft_and_network_declines_may_be_retried_unattended():
    assert {each.category for each in DECLINES if each.retry in RETRYABLE} == {"soft", "network"}
    final = {"hard", "do_not_retry", "merchant_rule"}
    assert {each.retry for each in DECLINES if each.category in final} == {"never"}


def test_weak_source_says_so_where_it_allows_a_retry_or_gives_the_stricter_answer():
    for each in DECLINES:
        if "stricter answer" in each.source:
            assert each.retry not in RETRYABLE, each
    assert "weak" in lookup("stripe", "do_not_honor").source
    assert "weak" in lookup("paypal", "5920").source


@given(st.sampled_from(PROVIDERS), st.text(max_size=80))
@settings(max_examples=200, derandomize=True)
def test_unknown_code_is_kept_and_never_retryable(provider, code):
    decline = lookup(provider, code)
    assert decline.code == code
    if code not in _codes(provider):
        assert (decline.category, decline.retry) == ("unknown", "never")
        assert decline.sentence.isprintable()


def test_unknown_code_is_named():
    sentence = lookup("stripe", "brand_new_code").sentence
    assert sentence == "payops does not know the code 'brand_new_code'; it is never taken for retryable."
    assert "\x1b" not in lookup("stripe", "\x1b[2J").sentence


def test_code_of_one_provider_means_nothing_at_another():
    assert lookup("braintree", "do_not_honor").category == "unknown"
    assert lookup("stripe", "2000").category == "unknown"


def test_failure_without_a_code_is_not_called_a_code():
    assert lookup("stripe", NOT_TOLD).sentence == "The provider gave no reason."
    assert lookup("stripe", "").category == "unknown"


def test_tally_sums_by_category_and_leaves_nothing_out():
    counts = [
        ("do_not_honor", 21),
        ("mystery", 4),
        ("insufficient_funds", 22),
        ("lost_card", 1),
        ("mystery", 1),
    ]
    soft, unknown, never = by_category("stripe", counts)
    assert (soft.category, soft.n) == ("soft", 43)
    assert soft.codes == (("insufficient_funds", 22), ("do_not_honor", 21))
    assert (unknown.category, unknown.n, unknown.codes) == ("unknown", 5, (("mystery", 5),))
    assert (never.category, never.n) == ("do_not_retry", 1)
    assert by_category("stripe", []) == ()


def test_stripe_page_is_complete():
    assert set(STRIPE_PAGE.split()) <= _codes("stripe")


def test_stripe_error_codes_are_stripes():
    from stripe import _payment_intent as sdk

    words = set(re.findall(r'"(\w+)"', Path(sdk.__file__).read_text("utf-8")))
    errors = {each.code for each in DECLINES if each.provider == "stripe" and "error-codes" in each.source}
    assert errors <= words


def test_braintree_table_is_complete():
    from braintree import Transaction

    reasons = {
        value for name, value in vars(Transaction.GatewayRejectionReason).items() if not name.startswith("_")
    }
    assert _codes("braintree") == {str(code) for code in range(2000, 2109)} | {"3000"} | reasons


def _description(name):
    path = SAMPLES / "paypal" / "openapi" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"PayPal's API descriptions are not beside the checkout: {path}")
    return json.loads(path.read_text("utf-8"))["components"]["schemas"]


def test_paypal_processor_responses_are_complete():
    schemas = _description("payments_payment_v2")
    listed = set(schemas["processor_response"]["properties"]["response_code"]["enum"])
    ours = {
        each.code for each in DECLINES if each.provider == "paypal" and "ProcessorResponse" in each.source
    }
    assert ours == listed - PAYPAL_APPROVALS


def test_paypal_subscription_reasons_are_complete():
    schemas = _description("billing_subscriptions_v1")
    assert set(schemas["failed_payment_details"]["properties"]["reason_code"]["enum"]) <= _codes("paypal")


def test_paypal_issues_are_paypals():
    text = json.dumps([_description("checkout_orders_v2"), _description("payments_payment_v2")])
    issues = {each.code for each in DECLINES if each.provider == "paypal" and "issues of" in each.source}
    assert {code for code in issues if f'"{code}"' not in text} == set()
