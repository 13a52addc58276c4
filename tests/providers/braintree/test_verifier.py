"""The signature verdict, judged against the SDK's own signing, and what a notification states."""

from __future__ import annotations

import json
import os
import re
import warnings
from base64 import b64decode, encodebytes
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payops.clock import iso
from payops.domain.errors import UsageError
from payops.providers import open_verifier
from payops.providers.braintree import sdk, wire
from payops.providers.braintree.verifier import BraintreeVerifier, notification_id
from payops.providers.port import NotVerified, Verified

from .conftest import NOW, SECRETS, sale, settings, transaction

SAMPLES = (
    Path(os.environ.get("PAYOPS_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    / "data/braintree/sample_notifications.jsonl"
)
MERCHANT = SECRETS["env:MERCHANT"]


def verifier(slot: int = 0, **secrets: str) -> BraintreeVerifier:
    return open_verifier(settings("http://127.0.0.1:1"), {**SECRETS, **secrets}.__getitem__, slot)


def gateway(public: str = "env:PUBLIC", private: str = "env:PRIVATE"):
    return sdk.BraintreeGateway(
        config=sdk.Configuration(sdk.Environment.Sandbox, MERCHANT, SECRETS[public], SECRETS[private])
    )


def payload(
    subject: str, kind: str = "transaction_settled", at: datetime = NOW, source: str | None = MERCHANT
) -> str:
    merchant = "" if source is None else f"<source-merchant-id>{source}</source-merchant-id>"
    text = (
        f'<notification><timestamp type="datetime">{iso(at)}</timestamp><kind>{kind}</kind>{merchant}'
        f"<subject>{subject}</subject></notification>"
    )
    return encodebytes(text.encode()).decode()


def signed(bt_payload: str, *pairs: str) -> str:
    from braintree.util.crypto import Crypto

    return "&".join(
        f"{SECRETS[f'env:PUBLIC{each}']}|{Crypto.sha1_hmac_hash(SECRETS[f'env:PRIVATE{each}'], bt_payload)}"
        for each in pairs or ("",)
    )


def body(bt_payload: str, signature: str | None = None) -> bytes:
    given = signed(bt_payload) if signature is None else signature
    return urlencode({"bt_signature": given, "bt_payload": bt_payload}).encode()


SETTLED = payload(transaction(sale(1, NOW - timedelta(hours=2), status="settled")))


def test_a_notification_signed_by_the_sdk_is_accepted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        sample = gateway().webhook_testing.sample_notification("transaction_settled", "t1", MERCHANT)
    told = b64decode(sample["bt_payload"]).decode()
    at = datetime.fromisoformat(re.search(r">([0-9T:Z-]{20})<", told)[1])
    verdict = verifier().verify(urlencode(sample).encode(), {}, at)
    assert isinstance(verdict, Verified) and verdict.event.type == "transaction_settled"
    assert (verdict.event.object_id, verdict.event.amount_minor, verdict.event.livemode) == (
        "t1",
        10000,
        True,
    )


def test_every_sample_of_the_sdk_is_accepted_and_read():
    if not SAMPLES.exists():
        pytest.skip(f"{SAMPLES} is absent: no samples of signed notifications")
    keys = {"env:PUBLIC": "integration_public_key", "env:PRIVATE": "integration_private_key"}
    judge, seen = verifier(**keys), set()
    for line in SAMPLES.read_text().splitlines():
        sample = json.loads(line)
        at = datetime.fromisoformat(re.search(r"<timestamp[^>]*>([^<]+)<", sample["xml"])[1])
        form = urlencode({name: sample[name] for name in ("bt_signature", "bt_payload")}).encode()
        verdict = judge.verify(form, {}, at)
        assert isinstance(verdict, Verified), (sample["kind"], verdict)
        assert verdict.event.type == sample["kind"]
        facts = judge.facts(json.loads(verdict.body))
        assert [event.event_id for event in (*facts.events, *facts.wrong_mode)] == [verdict.event.event_id]
        seen.add(sample["kind"])
    assert len(seen) > 30


def test_the_id_is_that_of_the_payload_however_it_is_wrapped():
    tight = "".join(SETTLED.split())
    wrapped, unwrapped = (verifier().verify(body(each), {}, NOW) for each in (SETTLED, tight))
    assert wrapped.event.event_id == unwrapped.event.event_id == notification_id(tight)
    assert re.fullmatch(r"bt_[0-9a-f]{32}", notification_id(tight))


def test_a_payload_that_lost_its_last_line_break_still_fits():
    assert isinstance(verifier().verify(body(SETTLED[:-1], signed(SETTLED)), {}, NOW), Verified)


def test_our_key_is_picked_among_several():
    for pairs in (("2", ""), ("", "2")):
        assert isinstance(verifier().verify(body(SETTLED, signed(SETTLED, *pairs)), {}, NOW), Verified)
    assert isinstance(verifier(1).verify(body(SETTLED, signed(SETTLED, "2")), {}, NOW), Verified)


def test_a_slot_knows_its_own_pair_alone():
    refused = verifier(1).verify(body(SETTLED), {}, NOW)
    assert isinstance(refused, NotVerified)


def test_signed_for_another_merchant_only_is_a_claim_and_no_proof_of_the_mode():
    strange = payload(transaction(sale(1, NOW)), source="othermerchant999")
    refused = verifier().verify(body(strange, signed(strange, "2")), {}, NOW)
    assert refused.kind == "claim" and "another merchant or environment" in refused.reason


def test_signed_with_a_replaced_pair_of_ours_is_a_matter_of_the_signature():
    refused = verifier().verify(body(SETTLED, signed(SETTLED, "2")), {}, NOW)
    assert refused.kind == "signature" and "replaced" in refused.reason


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (b"", "header"),
        (b"\xff\xfe", "header"),
        (b"bt_signature=a|b", "header"),
        (urlencode({"bt_signature": "", "bt_payload": SETTLED}).encode(), "header"),
        (urlencode({"bt_signature": "nobar", "bt_payload": SETTLED}).encode(), "header"),
        (
            urlencode({"bt_signature": f"{SECRETS['env:PUBLIC']}|xyz", "bt_payload": SETTLED}).encode(),
            "header",
        ),
        (body(SETTLED, "&".join(f"k{n}|{'0' * 40}" for n in range(40))), "header"),
        (body(SETTLED) + b"&bt_payload=abc", "header"),
        (body(SETTLED + "!", signed(SETTLED)), "body"),
        (body(SETTLED + "\r", signed(SETTLED)), "body"),
        (body(SETTLED.replace("A", "B", 1), signed(SETTLED)), "signature"),
        (body("bm8geG1s\n"), "body"),
        (body(encodebytes(b"<notification/>").decode()), "body"),
        (
            body(encodebytes(b"<!DOCTYPE a [<!ENTITY b 'c'>]><notification>&b;</notification>").decode()),
            "body",
        ),
        (body(encodebytes(b"<a>" * 5000 + b"</a>" * 5000).decode()), "body"),
    ],
)
def test_what_is_not_a_signed_notification_is_refused_with_its_kind(form, kind):
    refused = verifier().verify(form, {}, NOW)
    assert isinstance(refused, NotVerified) and refused.kind == kind, refused
    assert SECRETS["env:PRIVATE"] not in refused.reason


@pytest.mark.parametrize(
    ("late", "fine"),
    [
        (timedelta(hours=25), True),
        (timedelta(hours=25, seconds=1), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
    ],
)
def test_a_notification_has_its_time(late, fine):
    verdict = verifier().verify(body(SETTLED), {}, NOW + late)
    assert isinstance(verdict, Verified) is fine
    assert fine or verdict.kind == "timestamp"


def test_a_notification_of_another_merchant_is_kept_apart():
    strange = payload(transaction(sale(1, NOW)), source="othermerchant999")
    verdict = verifier().verify(body(strange, signed(strange, "2", "")), {}, NOW)
    assert isinstance(verdict, Verified) and verdict.event.livemode is None
    facts = verifier().facts(verdict.payload)
    assert facts.wrong_mode and not (facts.attempts or facts.events)


def test_a_settled_sale_states_the_attempt_and_the_time_it_was_made():
    verdict = verifier().verify(body(SETTLED), {}, NOW)
    (attempt,) = verifier().facts(json.loads(verdict.body)).attempts
    assert (attempt.attempt_id, attempt.status, attempt.at) == (
        "t000001",
        "succeeded",
        NOW - timedelta(hours=2),
    )


def test_a_sale_without_its_time_enters_no_rate():
    short = payload("<transaction><id>t1</id><status>settled</status><amount>1.00</amount></transaction>")
    facts = verifier().facts(verifier().verify(body(short), {}, NOW).payload)
    assert facts.events and not facts.attempts


def test_a_failed_refund_is_a_refund_even_where_its_type_is_not_told():
    thing = (
        "<transaction><id>r1</id><amount>5.00</amount><currency-iso-code>USD</currency-iso-code>"
        "<status>processor_declined</status><refunded-transaction-fk>t1</refunded-transaction-fk></transaction>"
    )
    failed = payload(thing, "refund_failed")
    facts = verifier().facts(verifier().verify(body(failed), {}, NOW).payload)
    (refund,) = facts.refunds
    assert (refund.attempt_id, refund.failure_reason, refund.changed_at) == ("t1", "processor_declined", NOW)
    assert facts.attempts == ()


def test_a_subscription_that_went_past_due_says_so_by_its_kind():
    late = payload("<subscription><id>s1</id></subscription>", "subscription_went_past_due")
    (found,) = verifier().facts(verifier().verify(body(late), {}, NOW).payload).subscriptions
    assert (found.subscription_id, found.status, found.changed_at) == ("s1", "past_due", NOW)


def test_the_check_of_our_address_is_answered_as_the_sdk_does():
    challenge = "20f9f8ed05f77439fe955c977e4c8a53"
    assert verifier().challenge(challenge) == gateway().webhook_notification.verify(challenge)
    for text in (
        "",
        "20f9",
        challenge + "0",
        challenge.upper(),
        "../../etc/passwd00000000",
        challenge + "\n",
    ):
        assert verifier().challenge(text) is None


def test_a_credential_without_its_pair_verifies_nothing():
    account = settings("http://127.0.0.1:1", fallback_credentials=[{"public_key": "env:PUBLIC2"}])
    with pytest.raises(UsageError, match="private_key"):
        open_verifier(account, SECRETS.__getitem__, 1)


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.booleans(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "subject",
                        "transaction",
                        "subscription",
                        "dispute",
                        "id",
                        "kind",
                        "timestamp",
                        "transactions",
                        "status",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_no_stored_body_raises(stored):
    verifier().facts({"id": "bt_1", "kind": "check", "timestamp": iso(NOW), "subject": stored})


def test_what_is_not_signed_for_us_is_not_parsed_at_any_length(monkeypatch):
    """It comes from anybody and is judged on the event loop: 700 KiB of small elements take a third of a second."""
    parsed = []
    parse = wire.parse
    monkeypatch.setattr(wire, "parse", lambda text: parsed.append(len(text)) or parse(text))
    foreign = f"nobody|{'0' * 40}"
    verdict = verifier().verify(body(payload("<a/>" * 150_000), foreign), {}, NOW)
    assert isinstance(verdict, NotVerified) and verdict.kind == "signature"
    assert parsed == []
    assert isinstance(verifier().verify(body(SETTLED, foreign), {}, NOW), NotVerified)
    assert len(parsed) == 1


@pytest.mark.parametrize(
    "text", ["aGVsbG8=", payload("<a/>", source=None), payload("<a/>" * 90_000)], ids=len
)
def test_what_names_no_merchant_is_no_evidence_of_another_mode(text):
    verdict = verifier().verify(body(text, f"nobody|{'0' * 40}"), {}, NOW)
    assert isinstance(verdict, NotVerified) and verdict.kind == "signature"
