"""What goes over the wire is the SDK's own, and it goes out through our client alone."""

from __future__ import annotations

import base64
import subprocess
import sys
from datetime import timedelta

import pytest

from payops.domain.errors import ProviderError

from .conftest import NOW, SECRETS, sale, settings, xml


def test_request_carries_the_sdks_signature_version_and_path(braintree, open_account):
    braintree.transactions = [sale(1, NOW - timedelta(minutes=5))]
    open_account().poll("transactions", None, NOW)
    ids, page = (each for each in braintree.asked if "advanced_search" in each.path)
    assert ids.path == "/merchants/merchantabc12345/transactions/advanced_search_ids"
    assert page.below == "/transactions/advanced_search"
    pair = f"{SECRETS['env:PUBLIC']}:{SECRETS['env:PRIVATE']}".encode()
    assert ids.headers["authorization"] == f"Basic {base64.b64encode(pair).decode()}"
    assert ids.headers["x-apiversion"] == "6"
    assert ids.headers["user-agent"].startswith("Braintree Python ")
    assert ids.headers["content-type"] == "application/xml"
    assert [item.text for item in page.xml.iterfind("ids/item")] == ["t000001"]


def test_a_proxy_of_the_environment_is_not_used_on_loopback(braintree, open_account, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert open_account().poll("account", None, NOW).account_state.charges_enabled is True


def test_each_slot_signs_with_its_own_keys(braintree, open_account):
    provider = open_account()
    provider.poll("account", None, NOW)
    provider.use_slot(1)
    provider.poll("account", None, NOW)
    users = {base64.b64decode(each.headers["authorization"][6:]).split(b":")[0] for each in braintree.asked}
    assert users == {SECRETS["env:PUBLIC"].encode(), SECRETS["env:PUBLIC2"].encode()}


def test_calls_are_tallied_failed_ones_too(braintree, open_account):
    provider = open_account()
    provider.poll("account", None, NOW)
    braintree.routes["*"] = lambda _: xml("", 503)
    with pytest.raises(ProviderError):
        provider.poll("account", None, NOW)
    calls = provider.calls()
    assert [(call.resource, call.bucket) for call in calls] == [
        ("client_token", None),
        ("merchant_accounts", None),
        ("merchant_accounts", "outage"),
    ]
    assert provider.calls() == ()


def test_no_answer_in_time_is_a_network_error(braintree, open_account):
    def silent(handler):
        handler.connection.recv(1)

    braintree.routes["*"] = lambda _: silent
    provider = open_account(timeout_s=(0.2, 0.2))
    with pytest.raises(ProviderError) as caught:
        provider.poll("account", None, NOW)
    assert caught.value.bucket == "network" and "127.0.0.1" in str(caught.value)


def test_refused_connection_is_a_network_error(open_account):
    provider = open_account(api_base="http://127.0.0.1:9")
    with pytest.raises(ProviderError) as caught:
        provider.poll("account", None, NOW)
    assert caught.value.bucket == "network"


def test_environments_of_the_sdk_are_used_where_no_address_is_configured():
    from payops.providers.braintree import sdk
    from payops.providers.braintree.transport import _environment

    assert _environment("live", None) is sdk.Environment.Production
    assert _environment("test", None) is sdk.Environment.Sandbox
    assert _environment("live", "https://gateway.example:8443").base_url == "https://gateway.example:8443"
    assert _environment("live", "http://127.0.0.1:4242").base_url == "http://127.0.0.1:4242"


def test_adapter_and_verifier_load_no_sdk_before_a_call(braintree):
    code = (
        "import sys, warnings\n"
        "warnings.simplefilter('error')\n"
        "import payops.providers.braintree.adapter, payops.providers.braintree.verifier\n"
        "assert not {'braintree', 'requests'} & set(sys.modules), 'too early'\n"
        "import payops.providers.braintree.transport\n"
        "assert 'braintree' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_never_show_a_secret(open_account, braintree):
    provider = open_account()
    assert SECRETS["env:PRIVATE"] not in repr(provider._session.keys(0))
    assert SECRETS["env:PRIVATE"] not in repr(settings(braintree.url))
