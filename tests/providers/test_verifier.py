"""The signature verdict, judged against the SDK's own signing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import WebhookSignature

from payops.domain.errors import UsageError
from payops.providers import open_verifier
from payops.providers.port import NotVerified, Verified
from payops.providers.stripe.verifier import StripeVerifier

from .conftest import NOW, T0, charge_event
from .conftest import settings as account_settings

SECRET = "whsec_test_secret_1"
BODY = json.dumps(charge_event(1, T0)).encode()
VERIFIER = StripeVerifier("a", "live", (SECRET, "whsec_older"))


def sign(body: bytes = BODY, secret: str = SECRET, t: int = T0) -> str:
    return WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=t)


def verify(body: bytes, header: str | None, now=NOW):
    return VERIFIER.verify(body, {} if header is None else {"stripe-signature": header}, now)


@pytest.mark.parametrize("secret", [SECRET, "whsec_older"])
def test_body_signed_by_the_sdk_is_accepted_with_each_stored_secret(secret):
    verdict = verify(BODY, sign(secret=secret))
    assert isinstance(verdict, Verified)
    assert verdict.event.event_id == "evt_1" and verdict.payload["type"] == "charge.succeeded"
    assert len(VERIFIER.facts(verdict.payload).attempts) == 1


def test_two_signatures_while_a_secret_is_rolled_are_accepted():
    other = sign(secret="whsec_new").split(",")[1]
    t, mine = sign().split(",")
    for header in (f"{t},{other},{mine}", f"{t},{mine},{other},v0=abc", f"{t}, {mine}"):
        assert isinstance(verify(BODY, header), Verified)


@pytest.mark.parametrize(
    ("late_s", "accepted"),
    [(0, True), (300, True), (301, False), (-300, True), (-301, False), (-(10**9), False)],
)
def test_time_is_judged_both_ways_against_the_given_instant(late_s, accepted):
    verdict = verify(BODY, sign(), NOW + timedelta(seconds=late_s))
    assert isinstance(verdict, Verified) is accepted
    if isinstance(verdict, NotVerified):
        assert verdict.kind == "timestamp"


t, v1 = sign().split(",")


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (None, "header"),
        ("", "header"),
        ("nonsense", "header"),
        (v1, "header"),
        (t, "header"),
        (f"{t},v0={v1[3:]}", "header"),
        (f"{t},{t},{v1}", "header"),
        (f"{t},{v1},{t},{v1}", "header"),
        (f"t=,{v1}", "header"),
        (f"t=-5,{v1}", "header"),
        (f"t=1e9,{v1}", "header"),
        (f"t=٣,{v1}", "header"),
        (f"t={'9' * 500},{v1}", "header"),
        (f"{t},v1=", "header"),
        (f"{t},v1=é{v1[4:]}", "header"),
        (f"{t}," + ",".join([v1] * 17), "header"),
        (f"t={T0 + 1},{v1}", "signature"),
        (f"{t},v1={'0' * 64}", "signature"),
        (sign(secret="whsec_of_somebody_else"), "signature"),
    ],
)
def test_a_wrong_header_is_refused_by_kind(header, kind):
    verdict = verify(BODY, header)
    assert isinstance(verdict, NotVerified) and verdict.kind == kind


def test_without_a_stored_secret_nothing_is_accepted():
    verdict = StripeVerifier("a", "live", ()).verify(BODY, {"stripe-signature": sign(secret="")}, NOW)
    assert isinstance(verdict, NotVerified) and verdict.kind == "signature"


def test_a_blank_secret_is_refused_at_the_start():
    with pytest.raises(UsageError, match="blank"):
        StripeVerifier("a", "live", (" ",))


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_any_changed_bit_of_the_body_is_refused(at, bit):
    changed = bytearray(BODY)
    changed[at] ^= 1 << bit
    assert isinstance(verify(bytes(changed), sign()), NotVerified)


def signed_bytes(body: bytes) -> str:
    import hashlib
    import hmac

    mac = hmac.new(SECRET.encode(), f"{T0}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={T0},v1={mac}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"id": "\xff"}',
        b"[" * 500_000,
        b'{"a":' * 200_000,
        b"{}",
        b'{"id": 5}',
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(body):
    verdict = verify(body, signed_bytes(body))
    assert isinstance(verdict, NotVerified) and verdict.kind == "body"


def test_a_deep_body_is_judged_without_a_crash():
    deep = BODY[:-1] + b', "x": ' + b"[" * 300_000 + b"]" * 300_000 + b"}"
    assert isinstance(verify(deep, signed_bytes(deep)), NotVerified)


def test_an_event_without_its_time_takes_that_of_the_signature():
    body = b'{"id": "evt_thin", "object": "v2.core.event", "type": "v1.billing.meter.error", "created": "2026-01-15T09:00:00Z"}'
    verdict = verify(body, signed_bytes(body))
    assert isinstance(verdict, Verified) and verdict.event.created_at == NOW


def test_event_of_the_other_mode_is_verified_and_then_set_apart():
    body = json.dumps(charge_event(1, T0, livemode=False)).encode()
    verdict = verify(body, sign(body))
    assert isinstance(verdict, Verified)
    found = VERIFIER.facts(verdict.payload)
    assert (found.events, found.attempts, len(found.wrong_mode)) == ((), (), 1)


def test_the_secrets_of_a_slot_are_its_own():
    account = account_settings(
        "http://127.0.0.1:1",
        webhook_secrets=["env:W1"],
        fallback_credentials=[{"api_key": "env:KEY2", "webhook_secrets": ["env:W2"]}],
    )
    secrets = {"env:W1": SECRET, "env:W2": "whsec_two"}
    for slot, secret in enumerate(secrets.values()):
        verifier = open_verifier(account, secrets.__getitem__, slot)
        assert isinstance(verifier.verify(BODY, {"stripe-signature": sign(secret=secret)}, NOW), Verified)
        other = secrets["env:W2" if slot == 0 else "env:W1"]
        assert isinstance(verifier.verify(BODY, {"stripe-signature": sign(secret=other)}, NOW), NotVerified)


def test_neither_opening_an_account_nor_verifying_loads_the_sdk():
    code = (
        "import sys, payops.receiver, payops.providers as p, payops.providers.pool\n"
        "from payops.config import AccountSettings as A\n"
        "a = A(name='a', provider='stripe', mode='live', api_key='env:K', webhook_secrets=('env:W',))\n"
        "p.open_provider(a, lambda _: 'rk_live_12345678'); p.open_verifier(a, lambda _: 'whsec_1')\n"
        "assert not {'stripe', 'requests', 'uvicorn', 'starlette'} & set(sys.modules), 'eager import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
