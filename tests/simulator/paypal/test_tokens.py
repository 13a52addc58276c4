"""OAuth: who gets a token, what it says, and when it ends."""

from __future__ import annotations

import pytest
import requests
from paypalrestsdk.exceptions import ForbiddenAccess, ResourceNotFound, UnauthorizedAccess

SANDBOX_APP = "APP-80W284485P519543T"
REPORTING = "https://uri.paypal.com/services/reporting/search/read"
REPORT = "v1/reporting/transactions?start_date=2026-01-15T06:00:00Z&end_date=2026-01-15T07:00:00Z"


def test_token_names_its_scopes_app_and_life(shop):
    token = shop().api.get_token_hash()
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 32_400
    assert REPORTING in token["scope"].split(" ")
    assert token["app_id"].startswith("APP-") and token["app_id"] != SANDBOX_APP
    assert token["nonce"].startswith("2026-01-15T09:00:00Z")


def test_sandbox_token_shows_the_shared_app_id_and_links_lead_to_the_sandbox(shop):
    test = shop(mode="test")
    assert test.api.get_token_hash()["app_id"] == SANDBOX_APP
    links = test.api.get("v1/notifications/webhooks")["webhooks"][0]["links"]
    assert all(link["href"].startswith("https://api.sandbox.paypal.com/") for link in links)


def test_fallback_is_of_the_same_app_and_opens_the_same_account(shop):
    live = shop(options=", fallback_credential: true, application_credential: true")
    other = live.client(live.stored["fallback_credentials"][0])
    assert other.get_token_hash()["app_id"] == live.api.get_token_hash()["app_id"]
    assert other.get("v1/notifications/webhooks") == live.api.get("v1/notifications/webhooks")
    client_id, client_secret = live.stored["application_credential"].split(":")
    third = live.client({"client_id": client_id, "client_secret": client_secret})
    assert third.get_token_hash()["app_id"] == live.api.get_token_hash()["app_id"]


@pytest.mark.parametrize("field", ["client_id", "client_secret"])
def test_wrong_credentials_are_an_invalid_client(shop, field):
    live = shop()
    wrong = live.client({**live.stored, field: live.stored[field][:-1] + "!"})
    with pytest.raises(UnauthorizedAccess) as caught:
        wrong.get_token_hash()
    assert caught.value.response.json()["error"] == "invalid_client"


@pytest.mark.parametrize("kind", ["key_revoked", "key_expired"])
def test_dead_credential_gets_no_token_and_its_old_ones_stop(shop, kind):
    live = shop(faults=f"[{{kind: {kind}, provider: paypal, at: 5m, until: 20m}}]")
    token = live.api.get_access_token()
    live.after(minutes=6)
    answer = requests.get(
        f"{live.server.url}/v1/notifications/webhooks",
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    with pytest.raises(UnauthorizedAccess):
        live.client(live.stored).get_token_hash()
    live.after(minutes=21)
    assert live.client(live.stored).get("v1/notifications/webhooks")["webhooks"]


def test_token_ends_after_nine_hours_of_the_world(shop):
    live = shop(rate=0)
    token = live.api.get_access_token()

    def status() -> int:
        header = {"Authorization": f"Bearer {token}"}
        return requests.get(
            f"{live.server.url}/v1/notifications/webhooks", headers=header, timeout=10
        ).status_code

    live.after(seconds=32_399)
    assert status() == 200
    live.after(seconds=32_400)
    assert status() == 401


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer A21AAmonitor.1.ff", "Basic abc", "Bearer \u00e9"])
def test_request_without_a_good_token_is_refused(shop, header):
    live = shop(rate=0)
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = requests.get(f"{live.server.url}/v1/notifications/webhooks", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["PayPal-Debug-Id"]


def test_only_client_credentials_are_granted(shop):
    live = shop(rate=0)
    answer = requests.post(
        f"{live.server.url}/v1/oauth2/token",
        auth=(live.stored["client_id"], live.stored["client_secret"]),
        data={"grant_type": "password"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_missing_permission_is_absent_from_the_scope_and_denied(shop, refused):
    live = shop(faults="[{kind: permission_missing, provider: paypal, at: 5m, until: 20m}]")
    assert "transaction_details" in live.api.get(REPORT)
    live.after(minutes=6)
    assert REPORTING not in live.client(live.stored).get_token_hash()["scope"].split(" ")
    with pytest.raises(ForbiddenAccess) as caught:
        live.api.get(REPORT)
    assert refused(caught.value) == (403, "NOT_AUTHORIZED", "PERMISSION_DENIED")
    assert live.api.get("v1/notifications/webhooks")["webhooks"]
    live.after(minutes=21)
    assert "transaction_details" in live.api.get(REPORT)


def test_client_of_the_other_environment_is_answered_as_its_own_host_would(shop):
    live = shop(faults="[{kind: key_wrong_mode, provider: paypal, at: 5m, until: 20m}]")
    capture = live.capture_id()
    live.after(minutes=6)
    client = live.client(live.stored)
    assert client.get_token_hash()["app_id"] == SANDBOX_APP
    page = client.get("v1/notifications/webhooks-events?page_size=5")
    assert page["events"] == []
    assert page["links"][0]["href"].startswith("https://api.sandbox.paypal.com/")
    assert client.get("v1/notifications/webhooks") == {"webhooks": []}
    with pytest.raises(ResourceNotFound):
        client.get(f"v2/payments/captures/{capture}")
    live.after(minutes=21)
    assert live.client(live.stored).get_token_hash()["app_id"] != SANDBOX_APP
