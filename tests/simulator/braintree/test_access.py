"""Whose keys they are, which environment they open, and how Braintree refuses the rest."""

from __future__ import annotations

import json
from base64 import b64decode
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import braintree
import pytest
from braintree.exceptions.authentication_error import AuthenticationError
from braintree.exceptions.authorization_error import AuthorizationError
from braintree.exceptions.http.connection_error import ConnectionError as Dropped
from braintree.exceptions.not_found_error import NotFoundError
from braintree.exceptions.service_unavailable_error import ServiceUnavailableError
from braintree.exceptions.too_many_requests_error import TooManyRequestsError

from payops.simulator.braintree import calls
from payops.simulator.braintree.keys import other_merchant_id, pair

from .conftest import Live, Open


def environment(gateway: braintree.BraintreeGateway) -> dict[str, str]:
    token: dict[str, str] = json.loads(b64decode(gateway.client_token.generate()))
    return token


@pytest.mark.parametrize(("mode", "word"), [("live", "production"), ("test", "sandbox")])
def test_stored_keys_open_their_merchant_and_its_environment(live: Open, mode: str, word: str) -> None:
    world = live(mode=mode, rate=0)
    token = environment(world.gateway)
    assert (token["environment"], token["merchantId"]) == (word, world.stored["merchant_id"])


def test_client_token_version_1_is_plain_and_9_is_refused(live: Open) -> None:
    gateway = live(rate=0).gateway
    assert json.loads(gateway.client_token.generate({"version": 1}))["version"] == 1
    with pytest.raises(ValueError, match="Version is invalid"):
        gateway.client_token.generate({"version": 9})


def test_wrong_keys_are_refused_without_a_word(live: Open) -> None:
    world = live(rate=0)
    merchant, public, private = (world.stored[k] for k in ("merchant_id", "public_key", "private_key"))
    for keys in (
        (merchant, public, private[::-1]),
        (merchant, "nobody", private),
        ("another", public, private),
    ):
        with pytest.raises(AuthenticationError):
            world.sdk(*keys).merchant_account.all().merchant_accounts.items.__next__()
    request = Request(f"{world.server.url}/merchants/{merchant}/merchant_accounts/?page=1")
    with pytest.raises(HTTPError) as refused:
        urlopen(request)
    assert (refused.value.code, refused.value.read()) == (401, b"")


def test_keys_of_the_other_environment_are_unknown_here(live: Open) -> None:
    world = live(rate=0)
    other = pair(3, world.account.name, "other")
    for merchant in (world.account.id, other_merchant_id(3, world.account.name)):
        with pytest.raises(AuthenticationError):
            world.sdk(merchant, other.public, other.private).client_token.generate()


def test_fallback_and_application_keys_are_of_the_same_merchant(live: Open) -> None:
    world = live(rate=0, options=", fallback_credential: true, application_credential: true")
    (fallback,) = world.stored["fallback_credentials"]
    application = world.stored["application_credential"].split(":")
    for keys in (fallback.values(), application):
        assert environment(world.sdk(*keys))["merchantId"] == world.account.id
    assert len({world.stored["public_key"], fallback["public_key"], application[1]}) == 3


@pytest.mark.parametrize("fault", ["key_revoked", "key_expired"])
def test_dead_key_is_refused_and_the_fallback_works(live: Open, fault: str) -> None:
    world = live(
        rate=0,
        options=", fallback_credential: true",
        faults=f"[{{kind: {fault}, provider: braintree, at: 1m, until: 5m}}]",
    )
    world.after(minutes=2)
    with pytest.raises(AuthenticationError):
        world.gateway.client_token.generate()
    (fallback,) = world.stored["fallback_credentials"]
    assert environment(world.sdk(**fallback))["environment"] == "production"
    world.after(minutes=6)
    assert environment(world.gateway)["environment"] == "production"


def test_key_of_the_wrong_mode_works_says_so_and_sees_an_empty_merchant(live: Open) -> None:
    world = live(faults="[{kind: key_wrong_mode, provider: braintree, at: 1m}]")
    known = world.newest("submitted_for_settlement").id
    assert world.gateway.transaction.find(known).id == known
    world.after(minutes=2)
    token = environment(world.gateway)
    assert (token["environment"], token["merchantId"]) == ("sandbox", world.account.id)
    assert world.gateway.transaction.search(_all()).ids == []
    with pytest.raises(NotFoundError):
        world.gateway.transaction.find(known)
    sale = world.gateway.transaction.sale({"amount": "1.00", "payment_method_token": "abc"})
    assert [e.code for e in sale.errors.deep_errors] == ["91518"]


def _all() -> object:
    return braintree.TransactionSearch.type.in_list(["sale", "credit"])


def test_a_call_that_is_not_permitted_is_a_403(live: Open) -> None:
    world = live(rate=0)
    world.account.keyring.monitor().denied.add("transactions")
    with pytest.raises(AuthorizationError):
        world.gateway.transaction.search(_all())
    assert environment(world.gateway)


def test_merchant_accounts_come_in_pages(live: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ACCOUNTS_PAGE_SIZE", 4)
    gateway = live(rate=0).gateway
    found = list(gateway.merchant_account.all().merchant_accounts.items)
    assert len({each.id for each in found}) == 6 == len(found)
    assert [each.currency_iso_code for each in found if each.default] == ["USD"]
    assert gateway.merchant_account.find("shop_jpy").status == "active"
    with pytest.raises(NotFoundError):
        gateway.merchant_account.find("shop_xxx")


def test_restricted_account_shows_suspended_and_takes_nothing(live: Open) -> None:
    world = live(faults="[{kind: account_restricted, provider: braintree, at: 1m}]")
    world.after(minutes=2)
    gateway = world.gateway
    assert {each.status for each in gateway.merchant_account.all().merchant_accounts.items} == {"suspended"}
    token = world.newest("submitted_for_settlement").token
    refused = gateway.transaction.sale({"amount": "5", "payment_method_token": token})
    assert [e.code for e in refused.errors.deep_errors] == ["91514"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("provider_outage", ServiceUnavailableError),
        ("rate_limited", TooManyRequestsError),
        ("network_drop", Dropped),
    ],
)
def test_trouble_reaches_the_sdk(live: Open, fault: str, error: type[Exception]) -> None:
    world = live(rate=0, faults=f"[{{kind: {fault}, provider: braintree, at: 1m}}]")
    world.after(minutes=2)
    with pytest.raises(error):
        world.gateway.client_token.generate()


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "transactions/a/b/c",
        "transactions/unknown1",
        "subscriptions/none",
        "disputes/none",
        "customers/none",
    ],
)
def test_unknown_path_or_object_is_a_404(live: Open, path: str) -> None:
    world = live(rate=0)
    http = world.gateway.config.http()
    with pytest.raises(NotFoundError):
        http.get(f"{world.gateway.config.base_merchant_path()}/{path}")


def test_unreadable_xml_is_a_400(live: Open) -> None:
    world: Live = live(rate=0)
    strategy = world.gateway.config.http_strategy()
    headers = strategy._Http__headers("application/xml")
    path = f"{world.server.url}/merchants/{world.account.id}/transactions"
    for body in (
        "<transaction>",
        "{}",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><transaction/>",
        "<a>" * 40 + "</a>" * 40,
    ):
        assert strategy.http_do("POST", path, headers, body)[0] == 400
