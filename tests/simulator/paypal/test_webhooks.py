"""Webhooks: what proves their origin, how they are retried, and how they are set up."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509 import verification
from paypalrestsdk.exceptions import ResourceNotFound

from payops.simulator.kinds import credentials

WEBHOOKS = "v1/notifications/webhooks"
VERIFY = "/v1/notifications/verify-webhook-signature"
HOST = "messageverificationcerts.paypal.com"


def fetch(live, headers):
    """The certificate that signed a delivery, where the simulator serves it."""
    path = urlsplit(headers["paypal-cert-url"]).path
    return requests.get(f"{live.server.url}{path}", timeout=10)


def fits(live, webhook_id, body, headers) -> bool:
    leaf, *chain = x509.load_pem_x509_certificates(fetch(live, headers).content)
    authority = x509.load_pem_x509_certificate(live.stored["webhook_ca"].encode())
    policy = verification.PolicyBuilder().store(verification.Store([authority])).time(live.world.now)
    policy.build_server_verifier(x509.DNSName(HOST)).verify(leaf, chain)
    message = (
        f"{headers['paypal-transmission-id']}|{headers['paypal-transmission-time']}"
        f"|{webhook_id}|{zlib.crc32(body)}"
    )
    try:
        leaf.public_key().verify(
            base64.b64decode(headers["paypal-transmission-sig"]),
            message.encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except InvalidSignature:
        return False
    return True


def check(live, webhook_id, body: bytes, headers) -> str:
    """PayPal's own judgement, asked with the bytes as they came."""
    fields = {
        "auth_algo": headers["paypal-auth-algo"],
        "cert_url": headers["paypal-cert-url"],
        "transmission_id": headers["paypal-transmission-id"],
        "transmission_sig": headers["paypal-transmission-sig"],
        "transmission_time": headers["paypal-transmission-time"],
        "webhook_id": webhook_id,
    }
    asked = json.dumps(fields)[:-1].encode() + b', "webhook_event": ' + body + b"}"
    answer = live.raw("POST", VERIFY, data=asked, headers={"Content-Type": "application/json"})
    return answer.json()["verification_status"]


def test_delivery_is_signed_over_its_bytes_by_a_certificate_of_our_authority(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    live.after(minutes=1)
    assert live.deliver() > 5
    path, body, headers = receiver.got[0]
    assert path == "/webhooks/paypal-live"
    assert headers["paypal-cert-url"].startswith("https://api.paypal.com/v1/notifications/certs/CERT-")
    assert (headers["paypal-auth-algo"], headers["paypal-auth-version"]) == ("SHA256withRSA", "v2")
    assert fits(live, live.stored["webhook_id"], body, headers)
    assert not fits(live, live.stored["webhook_id"], body + b" ", headers)
    assert not fits(live, "ANOTHERWEBHOOK", body, headers)


def test_certificate_is_valid_in_the_worlds_time_and_for_paypals_name(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    live.after(minutes=1)
    live.deliver()
    answer = fetch(live, receiver.got[0][2])
    leaf = x509.load_pem_x509_certificates(answer.content)[0]
    assert leaf.not_valid_before_utc < live.world.start < leaf.not_valid_after_utc
    assert leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == HOST
    answer = requests.get(f"{live.server.url}/v1/notifications/certs/CERT-other", timeout=10)
    assert answer.status_code == 404


def test_authority_is_the_same_to_the_byte_wherever_it_is_made(scenario_of):
    one, two = (
        scenario_of(seed=5),
        scenario_of(seed=5, faults="[{kind: key_revoked, provider: paypal, at: 1m}]"),
    )
    first = credentials(one)["paypal-live"]["webhook_ca"]
    assert first == credentials(two)["paypal-live"]["webhook_ca"]
    assert first != credentials(scenario_of(seed=6))["paypal-live"]["webhook_ca"]
    authority = x509.load_pem_x509_certificate(first.encode())
    assert authority.not_valid_after_utc > datetime(2100, 1, 1, tzinfo=UTC)


def test_paypals_own_check_wants_the_original_bytes(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    live.after(minutes=1)
    live.deliver()
    _, body, headers = receiver.got[0]
    assert check(live, live.stored["webhook_id"], body, headers) == "SUCCESS"
    assert check(live, live.stored["webhook_id"], json.dumps(json.loads(body)).encode(), headers) == "FAILURE"
    assert check(live, "NOSUCHWEBHOOK", body, headers) == "FAILURE"
    forged = {**headers, "paypal-transmission-sig": base64.b64encode(b"x" * 256).decode()}
    assert check(live, live.stored["webhook_id"], body, forged) == "FAILURE"


def test_every_retry_has_the_events_id_and_a_new_transmission(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    receiver.status = 503
    live.after(minutes=1)
    live.deliver()
    for minute in (3, 6, 10):
        live.after(minutes=minute)
        live.deliver()
    first = json.loads(receiver.got[0][1])["id"]
    tries = [(body, headers) for _, body, headers in receiver.got if first.encode() in body]
    assert len(tries) == 4
    assert len({body for body, _ in tries}) == 1
    for header in ("paypal-transmission-id", "paypal-transmission-time", "paypal-transmission-sig"):
        assert len({headers[header] for _, headers in tries}) == 4
    assert all(fits(live, live.stored["webhook_id"], *each) for each in tries)


def test_paypal_gives_up_after_25_retries_and_three_days(shop):
    waits = shop(rate=0).account.retry_waits_ms()
    assert len(waits) == 25
    assert sum(waits) == 3 * 24 * 3600 * 1000
    assert list(waits) == sorted(waits)


def test_webhook_is_changed_by_replacing_its_url_and_types(shop):
    live = shop(rate=0)
    path = f"{WEBHOOKS}/{live.stored['webhook_id']}"
    changed = live.api.patch(
        path,
        [
            {"op": "replace", "path": "/url", "value": "https://paypal.sim/webhooks/paypal-live/v2"},
            {"op": "replace", "path": "/event_types", "value": [{"name": "PAYMENT.CAPTURE.COMPLETED"}]},
        ],
    )
    assert changed["url"] == "https://paypal.sim/webhooks/paypal-live/v2"
    assert [each["name"] for each in changed["event_types"]] == ["PAYMENT.CAPTURE.COMPLETED"]
    assert all(each["status"] == "ENABLED" for each in changed["event_types"])
    assert live.api.get(path) == changed
    assert live.api.get(f"{WEBHOOKS}?anchor_type=ACCOUNT")["webhooks"] == [changed]


@pytest.mark.parametrize(
    "patch",
    [
        {},
        [],
        [{"op": "add", "path": "/url", "value": "https://x.example"}],
        [{"op": "replace", "path": "/id", "value": "x"}],
        [{"op": "replace", "path": "/url", "value": "no url"}],
        [{"op": "replace", "path": "/event_types", "value": []}],
        [{"op": "replace", "path": "/event_types", "value": [{"name": "not a type"}]}],
    ],
)
def test_change_that_makes_no_sense_is_refused_and_changes_nothing(shop, patch):
    live = shop(rate=0)
    before = live.api.get(WEBHOOKS)
    answer = live.raw("PATCH", f"/{WEBHOOKS}/{live.stored['webhook_id']}", json=patch)
    assert (answer.status_code, answer.json()["name"]) == (400, "VALIDATION_ERROR")
    assert live.api.get(WEBHOOKS) == before


def test_webhook_made_anew_has_a_new_id_and_gets_deliveries_for_it(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    old = live.stored["webhook_id"]
    (before,) = live.api.get(WEBHOOKS)["webhooks"]
    assert live.api.delete(f"{WEBHOOKS}/{old}") == {}
    with pytest.raises(ResourceNotFound):
        live.api.get(f"{WEBHOOKS}/{old}")
    types = [{"name": each["name"]} for each in before["event_types"]]
    made = live.api.post(WEBHOOKS, {"url": before["url"], "event_types": types})
    assert made["id"] != old
    again = live.raw("POST", f"/{WEBHOOKS}", json={"url": before["url"], "event_types": types})
    assert again.json()["details"][0]["issue"] == "WEBHOOK_URL_ALREADY_EXISTS"
    live.after(minutes=1)
    assert live.deliver() > 5
    assert all(fits(live, made["id"], body, headers) for _, body, headers in receiver.got[:2])


def test_simulated_event_arrives_and_fails_its_check(shop, receiver):
    test = shop(receiver=receiver.url, mode="test")
    answer = test.raw(
        "POST",
        "/v1/notifications/simulate-event",
        json={"webhook_id": test.stored["webhook_id"], "event_type": "PAYMENT.CAPTURE.COMPLETED"},
    )
    assert answer.status_code == 202
    test.after(seconds=1)
    test.deliver()
    (found,) = [each for each in receiver.got if answer.json()["id"].encode() in each[1]]
    assert not fits(test, test.stored["webhook_id"], *found[1:])
    assert found[2]["paypal-cert-url"].startswith("https://api.paypal.com/"), "the live host, even here"
    assert answer.json()["id"] not in [event["id"] for event in test.events()]


def test_rotated_webhook_is_listed_and_signed_under_the_stored_new_id(shop, receiver):
    live = shop(
        receiver=receiver.url,
        rate=12,
        warmup="5m",
        options=", fallback_credential: true",
        faults="[{kind: webhook_secret_rotated, provider: paypal, at: 5m}]",
    )
    new = live.stored["fallback_credentials"][0]["webhook_id"]
    assert new != live.stored["webhook_id"]
    live.after(minutes=7)
    live.deliver()
    (webhook,) = live.api.get(WEBHOOKS)["webhooks"]
    assert webhook["id"] == new
    late = [each for each in receiver.got if json.loads(each[1])["create_time"] > "2026-01-15T09:05"]
    assert late
    assert all(fits(live, new, body, headers) for _, body, headers in late)


def test_while_the_stored_id_is_the_other_modes_its_events_fit_and_ours_do_not(shop, receiver):
    live = shop(
        receiver=receiver.url,
        rate=12,
        warmup="5m",
        options=", fallback_credential: true",
        faults="[{kind: webhook_wrong_mode_secret, provider: paypal, at: 5m}]",
    )
    receiver.status = 400
    live.after(minutes=7)
    live.deliver()
    stored, right = live.stored["webhook_id"], live.stored["fallback_credentials"][0]["webhook_id"]
    sandbox = "https://api.sandbox.paypal.com/"
    strays = [each for each in receiver.got if each[2]["paypal-cert-url"].startswith(sandbox)]
    ours = [
        each
        for each in receiver.got
        if each not in strays and json.loads(each[1])["create_time"] > "2026-01-15T09:05"
    ]
    assert strays and ours
    assert all(fits(live, stored, body, headers) for _, body, headers in strays)
    assert all(sandbox in body.decode() for _, body, _ in strays)
    assert all(fits(live, right, body, headers) for _, body, headers in ours)
    assert [each["id"] for each in live.api.get(WEBHOOKS)["webhooks"]] == [right]
    assert check(live, stored, *strays[0][1:]) == "FAILURE"


def test_stray_object_arrives_under_our_signature_with_the_other_environments_links(shop, receiver):
    live = shop(
        receiver=receiver.url,
        rate=12,
        warmup="5m",
        faults="[{kind: test_object_in_live, provider: paypal, at: 5m, count: 2}]",
    )
    live.after(minutes=7)
    live.deliver()
    strays = [each for each in receiver.got if b"api.sandbox.paypal.com" in each[1]]
    assert len(strays) == 2
    assert all(fits(live, live.stored["webhook_id"], body, headers) for _, body, headers in strays)
    captured = {json.loads(body)["resource"]["id"] for _, body, _ in strays}
    assert not captured & {charge.id for charge in live.account.charges.rows}
    listed = {event["id"] for event in live.events()}
    assert not listed & {json.loads(body)["id"] for _, body, _ in strays}


def test_wrong_url_is_shown_and_failed_deliveries_with_it(shop, receiver):
    live = shop(
        receiver=receiver.url,
        rate=12,
        warmup="5m",
        faults="[{kind: webhook_url_wrong, provider: paypal, at: 5m}]",
    )
    live.after(minutes=7)
    live.deliver()
    (webhook,) = live.api.get(WEBHOOKS)["webhooks"]
    assert webhook["url"] != "https://paypal.sim/webhooks/paypal-live"
    live.api.patch(
        f"{WEBHOOKS}/{webhook['id']}",
        [{"op": "replace", "path": "/url", "value": "https://paypal.sim/webhooks/paypal-live"}],
    )
    live.after(minutes=8)
    before = len(receiver.got)
    assert live.deliver() > 0
    assert {path for path, _, _ in receiver.got[before:]} == {"/webhooks/paypal-live"}


def test_without_retries_half_is_never_tried_again_and_can_be_resent(shop, receiver):
    live = shop(
        receiver=receiver.url,
        rate=12,
        warmup="5m",
        faults="[{kind: webhook_retry_disabled, provider: paypal, at: 0s}]",
    )
    live.after(minutes=5)
    live.deliver()
    live.after(minutes=12)
    live.deliver()
    missing = [event for event in live.events() if event["status"] == "FAILURE"]
    assert len(missing) > 20
    live.api.post(f"v1/notifications/webhooks-events/{missing[0]['id']}/resend", {})
    live.after(minutes=12)
    live.deliver()
    assert any(missing[0]["id"].encode() in body for _, body, _ in receiver.got)
