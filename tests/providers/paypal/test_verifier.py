"""Webhooks judged by certificate, and the ways to slip one past the judge."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from payops.domain.errors import UsageError
from payops.domain.refusals import SIMULATOR
from payops.providers import Patience, open_verifier
from payops.providers.paypal.certificates import NotTrusted, address
from payops.providers.port import NotVerified, Undecided, Verified

from .conftest import NOW, SECRETS, event, iso, reply, settings

HOOK = SECRETS["env:HOOK"]
CERTS = "/v1/notifications/certs/"
URL = f"https://api.paypal.com{CERTS}CERT-1"


def certificate(subject, issuer, key, signer, *, ca=False, name="hooks.paypal.com", days=(-30, 365)):
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    builder = builder.add_extension(usage, critical=True)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    if not ca:
        builder = (
            builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issued_by, critical=False)
        )
    return builder.sign(signer, hashes.SHA256())


class Authority:
    """A certificate authority, and the key webhooks are signed with under it."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.root = certificate("root", "root", self.key, self.key, ca=True, days=(-1000, 4000))
        self.pem = self.root.public_bytes(Encoding.PEM).decode()

    def leaf(self, **over) -> bytes:
        made = certificate("hooks.paypal.com", "root", self.signing, self.key, **over)
        return made.public_bytes(Encoding.PEM)

    def headers(
        self, body: bytes, *, at: datetime = NOW, webhook_id: str = HOOK, **over: str
    ) -> dict[str, str]:
        sent = {
            "paypal-transmission-id": "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
            "paypal-transmission-time": iso(at),
            "paypal-cert-url": URL,
            "paypal-auth-algo": "SHA256withRSA",
            **over,
        }
        message = "|".join(
            (
                sent["paypal-transmission-id"],
                sent["paypal-transmission-time"],
                webhook_id,
                str(zlib.crc32(body)),
            )
        )
        signed = self.signing.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {"paypal-transmission-sig": base64.b64encode(signed).decode(), **sent}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def judge(paypal, authority):
    """A verifier whose certificates the scripted server gives out."""
    paypal.answer = lambda _: reply(authority.leaf())

    def opener(**over):
        fields = {"webhook_ca": authority.pem, **over}
        secrets = {**SECRETS, **fields.pop("secrets", {})}
        return open_verifier(
            settings(paypal.url, **fields),
            secrets.__getitem__,
            patience=Patience(10.0, 30.0, requests_per_s=None),
        )

    return opener


BODY = json.dumps(event(1, NOW)).encode()


def kind_of(verdict) -> str:
    if isinstance(verdict, Undecided):
        return "undecided"
    return verdict.kind if isinstance(verdict, NotVerified) else "verified"


def test_a_signed_webhook_is_verified_and_states_the_facts_the_feed_states(judge, authority) -> None:
    verifier = judge()
    verdict = verifier.verify(BODY, authority.headers(BODY), NOW)
    assert isinstance(verdict, Verified)
    assert (verdict.event.event_id, verdict.event.livemode) == ("WH-1", True)
    facts = verifier.facts(verdict.payload)
    assert [each.attempt_id for each in facts.attempts] == ["CAP1"]
    assert verifier.waits
    assert verifier.challenge("anything") is None


def test_a_certificate_is_fetched_once(judge, authority, paypal) -> None:
    verifier = judge()
    for _ in range(3):
        assert kind_of(verifier.verify(BODY, authority.headers(BODY), NOW)) == "verified"
    assert paypal.paths() == [f"GET {CERTS}CERT-1"]
    assert "authorization" not in paypal.asked[0].headers


def test_a_changed_body_or_time_is_not_verified(judge, authority) -> None:
    headers = authority.headers(BODY)
    assert kind_of(judge().verify(BODY + b" ", headers, NOW)) == "signature"
    moved = {**headers, "paypal-transmission-time": iso(NOW + timedelta(seconds=1))}
    assert kind_of(judge().verify(BODY, moved, NOW)) == "signature"


def test_a_webhook_made_anew_under_another_id_fails_by_signature(judge, authority) -> None:
    verdict = judge().verify(BODY, authority.headers(BODY, webhook_id="9ZZ99999ZZ999999Z"), NOW)
    assert kind_of(verdict) == "signature"


@pytest.mark.parametrize(
    "missing",
    [
        "paypal-transmission-id",
        "paypal-transmission-time",
        "paypal-transmission-sig",
        "paypal-cert-url",
        "paypal-auth-algo",
    ],
)
def test_a_missing_header_is_named(judge, authority, missing) -> None:
    headers = authority.headers(BODY)
    del headers[missing]
    verdict = judge().verify(BODY, headers, NOW)
    assert kind_of(verdict) == "header"
    assert missing in verdict.reason


@pytest.mark.parametrize(
    ("age", "kind"),
    [
        (timedelta(days=3, hours=23), "verified"),
        (timedelta(days=4, seconds=1), "timestamp"),
        (timedelta(minutes=-5), "verified"),
        (timedelta(minutes=-5, seconds=-1), "timestamp"),
    ],
)
def test_a_signature_counts_for_as_long_as_paypal_resends(judge, authority, age, kind) -> None:
    assert kind_of(judge().verify(BODY, authority.headers(BODY, at=NOW - age), NOW)) == kind


@pytest.mark.parametrize(
    "over",
    [
        {"paypal-auth-algo": "MD5withRSA"},
        {"paypal-auth-algo": "none"},
        {"paypal-transmission-time": "yesterday"},
        {"paypal-transmission-id": "a|2026-01-15T09:00:00Z"},
    ],
)
def test_headers_out_of_shape_are_refused_although_signed(judge, authority, over) -> None:
    assert kind_of(judge().verify(BODY, authority.headers(BODY, **over), NOW)) == "header"


@pytest.mark.parametrize(
    "url",
    [
        f"http://api.paypal.com{CERTS}CERT-1",
        f"https://evil.example{CERTS}CERT-1",
        f"https://api.paypal.com.evil.example{CERTS}CERT-1",
        f"https://api.paypal.com@evil.example{CERTS}CERT-1",
        f"https://user:pass@api.paypal.com{CERTS}CERT-1",
        f"https://api.paypal.com:8443{CERTS}CERT-1",
        f"https://evilapi.paypal.com{CERTS}CERT-1",
        f"https://API.PAYPAL.COM{CERTS}CERT-1",
        "https://api.paypal.com/v1/notifications/other/CERT-1",
        f"https://api.paypal.com{CERTS}../../oauth2/token",
        f"https://api.paypal.com{CERTS}%2e%2e/x",
        f"https://api.paypal.com{CERTS}CERT-1?to=x",
        f"https://api.paypal.com{CERTS}CERT-1#x",
        f"https://api.paypal.com{CERTS}",
        f"https://api.paypal.com\\@evil.example{CERTS}CERT-1",
        f"https://api.paypal.com{CERTS}CERT-1\n",
        "https://[::1",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_address_that_is_not_paypals_is_never_asked(judge, authority, paypal, url) -> None:
    with pytest.raises(NotTrusted):
        address(url)
    verdict = judge().verify(BODY, authority.headers(BODY, **{"paypal-cert-url": url}), NOW)
    assert kind_of(verdict) == "header"
    assert paypal.asked == []


@pytest.mark.parametrize("host", ["api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com"])
def test_paypals_own_addresses_are_known_with_their_mode(host) -> None:
    assert address(f"https://{host}{CERTS}CERT-360caa42-fca2a594").mode == (
        "test" if "sandbox" in host else "live"
    )


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"", 302, Location="https://evil.example/cert"),
        reply(b"no such", 404),
        reply(b"x" * 100_000),
        reply(b"<html>"),
        reply(b""),
    ],
)
def test_a_certificate_that_does_not_come_as_one_is_not_trusted(judge, authority, paypal, answer) -> None:
    paypal.answer = lambda _: answer
    verdict = judge().verify(BODY, authority.headers(BODY), NOW)
    assert kind_of(verdict) == "header"
    assert "certificate" in verdict.reason
    assert len(paypal.asked) == 1


def test_a_certificate_of_another_authority_is_not_trusted(judge, authority, paypal) -> None:
    other = Authority()
    chain = other.leaf() + other.pem.encode()
    paypal.answer = lambda _: reply(chain)
    verdict = judge().verify(BODY, other.headers(BODY), NOW)
    assert "does not chain" in verdict.reason


@pytest.mark.parametrize(
    "name", ["hooks.example.com", "paypal.com.example", "notpaypal.com", "evilpaypal.com"]
)
def test_a_certificate_for_another_name_is_not_trusted(judge, authority, paypal, name) -> None:
    leaf = authority.leaf(name=name)
    paypal.answer = lambda _: reply(leaf)
    assert "name of PayPal" in judge().verify(BODY, authority.headers(BODY), NOW).reason


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)])
def test_a_certificate_out_of_its_time_is_not_trusted(judge, authority, paypal, days) -> None:
    leaf = authority.leaf(days=days)
    paypal.answer = lambda _: reply(leaf)
    assert "not valid at this time" in judge().verify(BODY, authority.headers(BODY), NOW).reason


def test_a_kept_certificate_is_not_used_beyond_its_time(judge, authority, paypal) -> None:
    verifier = judge()
    assert kind_of(verifier.verify(BODY, authority.headers(BODY), NOW)) == "verified"
    later = NOW + timedelta(days=366)
    assert kind_of(verifier.verify(BODY, authority.headers(BODY, at=later), later)) == "header"
    assert len(paypal.asked) == 2


def test_unknown_addresses_cost_a_bounded_number_of_requests(judge, authority, paypal) -> None:
    paypal.answer = lambda _: reply(b"", 404)
    verifier = judge()
    for n in range(60):
        headers = authority.headers(BODY, **{"paypal-cert-url": f"{URL}{n}"})
        # Beyond the bound one of them may be PayPal's newest: its sender is asked to come back.
        assert kind_of(verifier.verify(BODY, headers, NOW)) == ("header" if n < 20 else "undecided")
    assert sum("/certs/" in each.path for each in paypal.asked) == 20


@pytest.mark.parametrize("answer", [reply(b"", 500), reply(b"", 429)])
def test_a_certificate_that_cannot_be_had_now_says_nothing_of_the_sender(
    judge, authority, paypal, answer
) -> None:
    verifier = judge()
    good, paypal.answer = paypal.answer, lambda _: answer
    verdict = verifier.verify(BODY, authority.headers(BODY), NOW)
    assert isinstance(verdict, Undecided) and "could not be fetched" in verdict.reason
    assert paypal.asked[-1].path in ("/v1/notifications/verify-webhook-signature", "/v1/oauth2/token")
    paypal.answer = good
    assert kind_of(verifier.verify(BODY, authority.headers(BODY), NOW)) == "verified"


@pytest.mark.parametrize(("said", "kind"), [("SUCCESS", "verified"), ("FAILURE", "signature")])
def test_without_the_certificate_paypal_itself_is_asked(judge, authority, paypal, said, kind) -> None:
    verifier = judge()
    paypal.answer = lambda asked: (
        reply({"verification_status": said}) if asked.path.endswith("signature") else reply(b"", 503)
    )
    assert kind_of(verifier.verify(BODY, authority.headers(BODY), NOW)) == kind
    late = authority.headers(BODY, at=NOW - timedelta(days=5))
    assert kind_of(verifier.verify(BODY, late, NOW)) == ("timestamp" if said == "SUCCESS" else "signature")


def test_paypal_is_asked_a_bounded_number_of_times(judge, authority, paypal) -> None:
    paypal.answer = lambda _: reply(b"", 503)
    verifier = judge()
    for _ in range(30):
        assert kind_of(verifier.verify(BODY, authority.headers(BODY), NOW)) == "undecided"
    assert sum(each.path.endswith("signature") for each in paypal.asked) <= 6 * 4


def test_a_certificate_of_the_sandbox_is_a_claim_and_no_proof_of_the_wrong_mode(
    judge, authority, paypal
) -> None:
    url = f"https://api.sandbox.paypal.com{CERTS}CERT-1"
    verdict = judge().verify(BODY, authority.headers(BODY, **{"paypal-cert-url": url}), NOW)
    assert kind_of(verdict) == "claim"
    assert paypal.asked == []


def test_a_live_certificate_alone_proves_nothing_to_a_sandbox_account(judge, authority) -> None:
    verifier = judge(mode="test")
    assert kind_of(verifier.verify(BODY, authority.headers(BODY), NOW)) == "verified"
    forged = authority.headers(BODY, webhook_id="another")
    assert kind_of(verifier.verify(BODY, forged, NOW)) == "claim"
    plain = b'{"id": "WH-1"}'
    refused = verifier.verify(plain, authority.headers(plain, webhook_id="another"), NOW)
    assert refused.kind == "signature" and refused.reason == SIMULATOR.said


def test_an_event_of_the_sandbox_under_a_live_certificate_looks_like_the_simulator(judge, authority) -> None:
    shown = json.dumps(event(1, NOW)).replace("api.paypal.com", "api.sandbox.paypal.com").encode()
    refused = judge().verify(shown, authority.headers(shown, webhook_id="another"), NOW)
    assert refused.kind == "signature" and refused.reason == SIMULATOR.said


def test_a_verified_event_of_the_sandbox_is_kept_apart(judge, authority) -> None:
    links = [{"href": "https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-1", "rel": "self"}]
    body = json.dumps(event(1, NOW, links=links)).encode()
    verifier = judge()
    verdict = verifier.verify(body, authority.headers(body), NOW)
    assert verdict.event.livemode is False
    facts = verifier.facts(verdict.payload)
    assert [each.event_id for each in facts.wrong_mode] == ["WH-1"]
    assert facts.attempts == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"id": "WH-1"}', b'{"event_type": "X"}'])
def test_a_signed_body_that_is_no_event_is_refused(judge, authority, body) -> None:
    assert kind_of(judge().verify(body, authority.headers(body), NOW)) == "body"


@pytest.mark.parametrize("signature", ["not base64!", "", "QUJD", "Zg=="])
def test_a_signature_that_is_none_is_refused(judge, authority, signature) -> None:
    headers = {**authority.headers(BODY), "paypal-transmission-sig": signature}
    assert kind_of(judge().verify(BODY, headers, NOW)) in ("signature", "header")


def test_without_a_webhook_id_nothing_is_verified_and_nothing_fetched(judge, authority, paypal) -> None:
    verdict = judge(webhook_id=None).verify(BODY, authority.headers(BODY), NOW)
    assert "no webhook_id" in verdict.reason
    assert paypal.asked == []


def test_a_webhook_id_that_cannot_be_one_is_refused_at_the_start(judge) -> None:
    with pytest.raises(UsageError, match="env:HOOK"):
        judge(secrets={"env:HOOK": "a|b"})


def test_the_systems_authorities_do_not_count_for_a_simulated_paypal(judge, authority) -> None:
    assert kind_of(judge(webhook_ca=None).verify(BODY, authority.headers(BODY), NOW)) == "header"


def test_paypals_own_opinion_gets_the_very_bytes_that_came(paypal, opened, authority) -> None:
    body = b'{"id" : "WH-1",  "n":1.50, "u":"\\u00e9"}'
    paypal.answer = lambda _: reply({"verification_status": "SUCCESS"})
    headers = authority.headers(body)
    assert opened().second_opinion(body, headers, NOW)
    asked = paypal.asked[-1]
    assert asked.path == "/v1/notifications/verify-webhook-signature"
    assert asked.body.endswith(b'"webhook_event":' + body + b"}")
    sent = json.loads(asked.body)
    assert (sent["webhook_id"], sent["cert_url"]) == (HOOK, URL)
    assert sent["transmission_sig"] == headers["paypal-transmission-sig"]
    paypal.answer = lambda _: reply({"verification_status": "FAILURE"})
    assert not opened().second_opinion(body, headers, NOW)
