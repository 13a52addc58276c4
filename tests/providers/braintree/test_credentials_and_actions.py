"""What is proved about a credential, and what actions send and make of the answer."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.money import Money
from payops.providers import open_provider
from payops.providers.port import APPLICATION

from .conftest import NOW, SECRETS, invalid, sale, settings, transaction, xml


def test_a_key_pair_is_proved_by_two_reads(braintree, open_account):
    proof = open_account().poll("credential", None, NOW).proof
    assert (proof.ok, proof.mode, proof.identity) == (True, "live", "merchantabc12345")
    assert proof.evidence == "client_token.environment" and proof.request_id == "req-1"
    ours, applications = braintree.asked[:2], braintree.asked[2:]
    assert [each.below for each in ours] == ["/merchant_accounts/", "/client_token"]
    assert [each.below for each in applications] == ["/merchant_accounts/"], "one cheap read, and no more"
    assert proof.hint == "…abcd" and proof.permissions is None


def test_keys_of_the_sandbox_are_proved_to_be_of_it(braintree, open_account):
    braintree.environment = "sandbox"
    assert open_account().prove(0, NOW).mode == "test"


def test_an_unknown_environment_proves_no_mode(braintree, open_account):
    braintree.environment = "development"
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.mode, proof.evidence) == (True, None, "")


@pytest.mark.parametrize(
    "value", ["", "%%%", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{").decode()]
)
def test_a_client_token_of_another_form_proves_no_mode(braintree, open_account, value):
    braintree.routes["POST /client_token"] = lambda _: xml(
        f"<client-token><value>{value}</value></client-token>"
    )
    assert open_account().prove(0, NOW).mode is None


def test_a_rejected_pair_is_a_proof(braintree, open_account):
    braintree.routes["*"] = lambda _: xml(b"", 401)
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.error, proof.identity, proof.mode) == (False, "auth", None, None)
    assert len(braintree.asked) == 1


def test_a_403_is_a_permission_without_a_name(braintree, open_account):
    braintree.routes["GET /merchant_accounts/"] = lambda _: xml(b"", 403)
    proof = open_account().prove(0, NOW)
    assert (proof.ok, proof.error, proof.mode, proof.missing) == (True, None, "live", ())
    assert proof.code == "forbidden" and "does not say which permission" in proof.message
    braintree.routes["*"] = lambda _: xml(b"", 403)
    limited = open_account().prove(0, NOW)
    assert (limited.ok, limited.mode, limited.code) == (True, None, "forbidden")


def test_an_outage_is_no_proof(braintree, open_account):
    braintree.routes["*"] = lambda _: xml(b"", 503)
    with pytest.raises(ProviderError):
        open_account().prove(0, NOW)


def test_a_credential_that_names_its_environment_tells_more_of_a_401(braintree, open_account):
    braintree.routes["*"] = lambda _: xml(b"", 401)
    stated = {"env:PUBLIC": "client_id$sandbox$abcdefgh", "env:PRIVATE": "client_secret$sandbox$abcdefgh"}
    proof = open_account(secrets=stated).prove(0, NOW)
    assert (proof.ok, proof.mode) == (False, "test") and "environment" in proof.evidence


def test_the_applications_credential_is_probed_with_its_own_keys(braintree, open_account):
    provider = open_account()
    proof = provider.prove(APPLICATION, NOW)
    assert (proof.slot, proof.ok, proof.hint) == (APPLICATION, True, "…ijkl")
    pair = base64.b64decode(braintree.asked[0].headers["authorization"][6:]).decode()
    assert pair == SECRETS["env:APP"].split(":", 1)[1]
    with pytest.raises(UsageError):
        provider.use_slot(APPLICATION)


@pytest.mark.parametrize("text", ["", "one", "a:b", "a:b:c:d", "a:b:c d", "a::c"])
def test_an_application_credential_of_another_form_is_refused_unseen(open_account, text):
    with pytest.raises(UsageError) as caught:
        open_account(secrets={"env:APP": text or " "}).prove(APPLICATION, NOW)
    assert "merchant_id:public_key:private_key" in str(caught.value) or "no Braintree id" in str(caught.value)
    assert len(text) < 5 or text not in str(caught.value)


def test_a_missing_slot_or_an_odd_key_is_named_at_once(braintree):
    with pytest.raises(UsageError, match="no Braintree id or key"):
        open_provider(settings(braintree.url), {**SECRETS, "env:PRIVATE": "with space"}.__getitem__)
    provider = open_provider(settings(braintree.url), SECRETS.__getitem__)
    with pytest.raises(UsageError, match="no stored credential 2"):
        provider.use_slot(2)


def test_what_braintree_cannot_is_refused_with_its_reason(open_account):
    provider = open_account()
    for act in (
        lambda: provider.endpoint("e", NOW),
        lambda: provider.enable_endpoint("e", "k", NOW),
        lambda: provider.change_endpoint("e", "k", NOW, url="https://a"),
        lambda: provider.resend_event("e", "p", "k", NOW),
        lambda: provider.finalize_invoice("i", "k", NOW),
    ):
        with pytest.raises(NotPossible, match="Braintree"):
            act()


def test_refund_sends_amount_reference_and_key(braintree, open_account):
    made = sale(9, NOW, type="credit", order__id="payops-1")
    braintree.transactions = [sale(1, NOW, currency__iso__code="JPY")]
    braintree.routes["POST /transactions/t000001/refund"] = lambda _: xml(transaction(made), 201)
    answer = open_account().refund("t000001", Money(500, "JPY"), "payops-1", "key-1", NOW)
    asked = braintree.asked[-1]
    assert {each.tag: each.text for each in asked.xml} == {
        "order_id": "payops-1",
        "amount": "500",
        "api_request_key": "key-1",
    }
    assert (answer.object_id, answer.request_ids) == ("t000009", ("req-1",))


MOVES = {
    "refund": lambda p, money: p.refund("t000001", money, "payops-1", "k", NOW),
    "capture": lambda p, money: p.capture("t000001", money, "k", NOW),
    "collect": lambda p, money: p.collect("s1", money, "payops-1", "k", NOW),
}


def written(braintree) -> list[str]:
    """What was asked for that could change something."""
    reads = ("/client_token", "/transactions/advanced_search", "/transactions/advanced_search_ids")
    return [each.below for each in braintree.asked if each.method != "GET" and each.below not in reads]


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize(
    "money", [Money(500, "JPY"), Money(500, "EUR"), Money(0, "USD"), Money(-1, "USD")], ids=str
)
def test_money_of_another_currency_or_none_is_never_sent(braintree, open_account, move, money):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["GET /subscriptions/s1"] = past_due()
    with pytest.raises(ProviderError) as caught:
        move(open_account(), money)
    assert caught.value.bucket == "invalid_request" and written(braintree) == []


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_credential_of_the_other_mode_moves_nothing(braintree, open_account, move):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["GET /subscriptions/s1"] = past_due()
    with pytest.raises(ProviderError) as caught:
        move(open_account(mode="test"), Money(500, "USD"))
    assert caught.value.code == "wrong_mode" and written(braintree) == []


def past_due(status: str = "Past Due", *charges: dict):
    shown = "".join(map(transaction, charges or [sale(4, NOW)]))
    return lambda _: xml(
        f"<subscription><id>s1</id><status>{status}</status><created-at>2026-01-01T00:00:00Z</created-at>"
        f'<transactions type="array">{shown}</transactions></subscription>'
    )


def test_a_full_refund_states_no_amount(braintree, open_account):
    braintree.transactions = [sale(1, NOW)]
    braintree.routes["POST /transactions/t000001/refund"] = lambda _: xml(transaction(sale(9, NOW)), 201)
    open_account().refund("t000001", None, "payops-1", "key-1", NOW)
    assert braintree.asked[-1].xml.find("amount") is None


def keyless(braintree, path: str, answer):
    """Braintree of a merchant without request keys."""
    braintree.routes[path] = lambda request: (
        invalid("915231") if request.xml.find(".//api_request_key") is not None else answer()
    )


def test_without_request_keys_a_refund_is_looked_for_in_two_ways_first(braintree, open_account):
    braintree.transactions = [sale(1, NOW, refund__ids=[])]
    keyless(braintree, "POST /transactions/t000001/refund", lambda: xml(transaction(sale(9, NOW)), 201))
    assert open_account().refund("t000001", None, "payops-1", "k", NOW).object_id == "t000009"
    assert [each.below for each in braintree.asked] == [
        "/client_token",
        "/transactions/t000001",
        "/transactions/t000001/refund",
        "/transactions/advanced_search_ids",
        "/transactions/t000001",
        "/transactions/t000001/refund",
    ]


def test_without_request_keys_a_refund_that_is_there_is_not_made_again(braintree, open_account):
    back = sale(9, NOW, type="credit", order__id="payops-1", refunded__transaction__id="t000001")
    braintree.transactions = [back, sale(1, NOW, refund__ids=["t000009"])]
    keyless(braintree, "POST /transactions/t000001/refund", lambda: pytest.fail("refunded twice"))
    # The search index lags: only the sale itself names the refund.
    braintree.routes["POST /transactions/advanced_search_ids"] = lambda _: xml(
        "<search-results><ids type='array'/></search-results>"
    )
    assert open_account().refund("t000001", None, "payops-1", "k", NOW).object_id == "t000009"


def test_a_sum_of_refunds_is_never_told_with_one_left_out(braintree, open_account):
    braintree.transactions = [sale(1, NOW, refund__ids=["t000009"])]
    for read in (lambda p: p.refunds_of("t000001", NOW), lambda p: p.attempt("t000001", NOW)):
        with pytest.raises(ProviderError, match="every refund"):
            read(open_account())


def test_an_attempt_read_back_sums_its_refunds_that_did_not_fail(braintree, open_account):
    of = {"type": "credit", "refunded__transaction__id": "t000001"}
    braintree.transactions = [
        sale(1, NOW, refund__ids=["t000007", "t000008"]),
        sale(7, NOW, amount="5.00", **of),
        sale(8, NOW, amount="6.00", status="processor_declined", **of),
    ]
    assert open_account().attempt("t000001", NOW).amount_refunded_minor == 500


def test_collect_states_the_amount_and_submits_for_settlement(braintree, open_account):
    braintree.routes["GET /subscriptions/s1"] = past_due()
    braintree.routes["POST /transactions"] = lambda _: xml(transaction(sale(5, NOW)), 201)
    answer = open_account().collect("s1", Money(999, "USD"), "payops-1", "key-1", NOW)
    asked = braintree.asked[-1].xml
    assert (asked.findtext("amount"), asked.findtext("subscription_id")) == ("9.99", "s1")
    assert asked.findtext("options/submit_for_settlement") == "true"
    assert asked.findtext("api_request_key") == "key-1" and answer.object_id == "t000005"


def test_without_request_keys_nothing_is_collected_of_what_is_not_past_due(braintree, open_account):
    keyless(braintree, "POST /transactions", lambda: pytest.fail("charged twice"))
    braintree.routes["GET /subscriptions/s1"] = past_due("Active")
    with pytest.raises(ProviderError, match="owes nothing"):
        open_account().collect("s1", Money(999, "USD"), "payops-1", "key-1", NOW)


def test_without_request_keys_a_charge_that_is_under_way_is_not_made_again(braintree, open_account):
    """It may be ours, of a call whose answer was lost: by some methods a subscription stays past due for days."""
    failed = sale(3, NOW - timedelta(days=1), status="processor_declined")
    keyless(braintree, "POST /transactions", lambda: xml(transaction(sale(5, NOW)), 201))
    collect = MOVES["collect"]
    braintree.routes["GET /subscriptions/s1"] = past_due(
        "Past Due", sale(4, NOW, status="settlement_pending"), failed
    )
    with pytest.raises(ProviderError, match="t000004, did not fail"):
        collect(open_account(), Money(999, "USD"))
    braintree.routes["GET /subscriptions/s1"] = past_due("Past Due", failed)
    assert collect(open_account(), Money(999, "USD")).object_id == "t000005"


def test_capture_without_request_keys_looks_first(braintree, open_account):
    braintree.transactions = [sale(1, NOW)]
    keyless(braintree, "PUT /transactions/t000001/submit_for_settlement", lambda: pytest.fail("twice"))
    assert "already" in open_account().capture("t000001", None, "key-1", NOW).detail


def test_a_payment_method_is_set_on_the_subscription(braintree, open_account):
    braintree.routes["PUT /subscriptions/s1"] = lambda _: xml(
        "<subscription><id>s1</id><status>Active</status><transactions type='array'/></subscription>"
    )
    answer = open_account().use_payment_method("s1", "card1", "k", NOW)
    assert answer.object_id == "s1" and braintree.asked[-1].xml.findtext("payment_method_token") == "card1"
