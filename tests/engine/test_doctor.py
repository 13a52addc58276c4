"""`payops doctor` on simulated providers: it names exactly what is wrong, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from payops.config import AccountSettings, EndpointSettings, Settings
from payops.demo.settings import edges, secret_of, world_settings
from payops.domain.errors import UsageError
from payops.engine.doctor import Tools, examine
from payops.engine.findings import Examined, document
from payops.engine.outside import Outside
from payops.engine.tls import certificate_reader
from payops.engine.wiring import open_providers
from payops.providers import Patience
from payops.receiver.importing import problem_of
from payops.remedies import http_probe
from payops.simulator import scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

PROVIDERS = ("stripe", "braintree", "paypal")
PATIENT = Patience(connect_s=30, read_s=120, requests_per_s=None, stated=True)


class Clinic:
    """A simulated world after its faults began, and the doctor's look at it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def look(
        self,
        provider: str,
        *faults: str,
        options: str = "",
        change: dict[str, object] | None = None,
        store: Store | None = None,
    ) -> Examined:
        text = f"""
schema: payops.scenario/v1
name: clinic
warmup: 2h
duration: 30m
providers:
  {provider}: {{mode: live, payments_per_minute: 4{options}}}
faults: [{", ".join(faults)}]
"""
        world_of = scenario.parse(text, "clinic.yaml")
        world = World(world_of)
        now = world.start + timedelta(minutes=10)
        world.advance(now)
        server = ProviderServer(world, world_of.providers.__iter__().__next__(), receiver=None).start()
        self._stack.callback(server.stop)
        receiver = _answering(self._stack)
        server.outside._receiver = receiver
        urls = {provider: server.url}
        settings, secrets = world_settings(world_of, world_of.seed, urls, Path("unused.db"))
        settings = _changed(settings, change or {})
        routes = edges(urls)
        outside = Outside(partial(secret_of, secrets), routes=routes, patience=PATIENT, now=None)
        providers = open_providers(settings, outside, None)
        tools = Tools(
            http_probe(routes),
            certificate_reader(routes),
            partial(problem_of, settings),
            (),
            outside.secrets,
            store,
        )
        try:
            (found,) = examine(settings, providers, [f"{provider}-live"], lambda: now, tools)
        finally:
            for each in providers.values():
                each.close()
        return found


def _changed(settings: Settings, change: dict[str, object]) -> Settings:
    account = settings.accounts[0].model_copy(update=change)
    return settings.model_copy(update={"accounts": (account,)})


def _answering(stack: ExitStack) -> str:
    """Something that answers where payops's receiver would be."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Ok(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Ok)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    with ExitStack() as stack:
        yield Clinic(stack)


def wrong(found: Examined) -> dict[str, str]:
    return {line.check: line.said for line in found.findings if line.state == "wrong"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_healthy_account_has_nothing_wrong(clinic: Clinic, provider: str) -> None:
    found = clinic.look(provider, options=", fallback_credential: true, application_credential: true")
    assert wrong(found) == {}
    assert found.mode_proven == "live"
    assert len(found.calls) >= 5, "what the look cost is told, for the read meter"
    assert document([found], found.findings and _NOW)["ok"] is True


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", ["key_revoked", "key_expired"])
def test_a_dead_credential_is_named_and_the_fallback_is_not(clinic: Clinic, provider: str, kind: str) -> None:
    fault = f"{{kind: {kind}, provider: {provider}, at: 1m}}"
    found = clinic.look(provider, fault, options=", fallback_credential: true")
    assert list(wrong(found)) == ["monitor credential"]
    assert "rejected" in wrong(found)["monitor credential"]
    assert found.mode_proven is None
    assert all(line.next for line in found.findings if line.state == "wrong")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_credential_of_the_other_mode_is_proven_with_its_evidence(clinic: Clinic, provider: str) -> None:
    found = clinic.look(provider, f"{{kind: key_wrong_mode, provider: {provider}, at: 1m}}")
    said = wrong(found)["monitor credential"]
    assert "proven to be of test mode by " in said and "live is declared" in said
    assert found.mode_proven == "test"


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
def test_a_missing_permission_is_named(clinic: Clinic, provider: str) -> None:
    found = clinic.look(provider, f"{{kind: permission_missing, provider: {provider}, at: 1m}}")
    name = {"stripe": "rak_event_read", "paypal": "services/reporting/search/read"}[provider]
    assert any(name in said for said in wrong(found).values()), wrong(found)


def test_nothing_is_said_of_what_the_application_s_credential_may_do(clinic: Clinic) -> None:
    found = clinic.look("paypal", options=", application_credential: true")
    said = {line.check: line.state for line in found.findings}
    assert said["application credential"] == "ok" and said["monitor credential: permissions"] == "ok"
    assert "application credential: permissions" not in said


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_restricted_account_is_wrong_where_the_provider_says_so(clinic: Clinic, provider: str) -> None:
    found = clinic.look(provider, f"{{kind: account_restricted, provider: {provider}, at: 1m}}")
    if provider == "paypal":  # nothing in its API tells: it must not read as in order either
        assert {line.state for line in found.findings if line.check == "account"} <= {"unknown", "wrong"}
    else:
        assert "disabled" in wrong(found)["account"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_clock_that_is_off_is_said_in_seconds(clinic: Clinic, provider: str) -> None:
    found = clinic.look(provider, f"{{kind: clock_skew, provider: {provider}, at: 1m, seconds: 600}}")
    assert wrong(found) == {"clock": "our clock is 600 s behind the provider's"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_that_does_not_answer_is_not_called_a_bad_credential(
    clinic: Clinic, provider: str
) -> None:
    found = clinic.look(provider, f"{{kind: provider_outage, provider: {provider}, at: 1m}}")
    said = wrong(found)["monitor credential"]
    assert said.startswith("no proof: outage")
    assert "rejected" not in said


def test_a_disabled_endpoint_and_a_dropped_event_type_are_named(clinic: Clinic) -> None:
    found = clinic.look(
        "stripe",
        "{kind: webhook_endpoint_disabled, provider: stripe, at: 1m}",
        "{kind: webhook_event_type_unsubscribed, provider: stripe, at: 1m}",
    )
    assert "has disabled it" in wrong(found)["endpoint payops"]
    assert "charge.succeeded" in wrong(found)["endpoint payops: events"]


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
def test_an_endpoint_registered_elsewhere_is_wrong(clinic: Clinic, provider: str) -> None:
    found = clinic.look(provider, f"{{kind: webhook_url_wrong, provider: {provider}, at: 1m}}")
    assert "knows no endpoint with this URL" in wrong(found)["endpoint payops"]


def test_an_unreachable_address_is_wrong(clinic: Clinic) -> None:
    found = clinic.look("stripe", "{kind: receiver_down, provider: stripe, at: 1m}")
    assert "does not answer" in wrong(found)["endpoint payops: address"]


def test_an_application_that_does_not_answer_and_an_inbox_that_cannot_be_read_are_wrong(
    clinic: Clinic,
) -> None:
    def relayed(to: str) -> dict[str, object]:
        ours = EndpointSettings(
            name="shop", url="https://stripe.sim/webhooks/stripe-live", topology="relay", forward_to=to
        )
        return {"endpoints": (ours,)}

    options = ", endpoints: [{name: shop, topology: relay}]"
    found = clinic.look("stripe", options=options)
    assert wrong(found) == {}
    late = next(each for each in found.findings if each.check == "endpoint shop: application: late events")
    assert late.state == "note" and "resign_secret" in late.said
    found = clinic.look("stripe", options=options, change=relayed("http://127.0.0.1:9/hook"))
    assert "does not answer: connection refused" in wrong(found)["endpoint shop: application"]
    found = clinic.look("stripe", options=", endpoints: [{name: books, topology: import}]")
    assert "No such file" in wrong(found)["endpoint books: application"]


def test_what_braintree_cannot_tell_is_noted_and_not_wrong(clinic: Clinic) -> None:
    found = clinic.look("braintree")
    notes = [line.said for line in found.findings if line.state == "note"]
    assert any("no list of events" in note for note in notes)


def test_a_missing_secret_is_wrong_and_the_rest_is_looked_at(clinic: Clinic) -> None:
    found = clinic.look("stripe", change={"application_credential": "env:NOBODY"})
    assert "NOBODY" in wrong(found)["application credential"]
    assert any(line.check == "feed: events" and line.state == "ok" for line in found.findings)


def test_an_account_that_cannot_be_opened_keeps_no_other_from_being_looked_at(clinic: Clinic) -> None:
    healthy = clinic.look("stripe")
    account = AccountSettings.model_validate(
        {"name": "broken", "provider": "stripe", "mode": "live", "api_key": "env:NOBODY"}
    )
    settings = Settings.model_validate({"schema": "payops.config/v1", "accounts": [account]})
    tools = Tools(http_probe({}), certificate_reader({}), lambda endpoint, now: None)
    problem = UsageError("env:NOBODY is not set")
    (broken,) = examine(settings, {"broken": problem}, ["broken"], lambda: _NOW, tools)
    assert wrong(broken) == {"monitor credential": "env:NOBODY is not set"}
    assert document([broken, healthy], _NOW)["ok"] is False


def test_an_api_version_of_another_release_is_named_without_a_configured_one(clinic: Clinic) -> None:
    found = clinic.look("stripe", "{kind: api_version_drift, provider: stripe, at: 1m}")
    assert wrong(found) == {
        "endpoint payops: API version": "payops reads 2026-10-28.endive, the account has 2025-09-30.clover"
    }
    configured = clinic.look(
        "stripe",
        "{kind: api_version_drift, provider: stripe, at: 1m}",
        change={"api_version": "2026-10-01.endive"},
    )
    assert "2026-10-01.endive is configured" in wrong(configured)["endpoint payops: API version"]


def test_a_secret_that_verifies_nothing_is_named_by_what_arrived(clinic: Clinic) -> None:
    with Store.in_memory(_NOW) as store:
        fresh = clinic.look("stripe", store=store)
        line = next(each for each in fresh.findings if each.check == "endpoint payops: webhook secret")
        assert line.state == "unknown"
        for minute in range(4):
            at = _NOW + timedelta(minutes=5 + minute)
            store.inbox.refuse("stripe-live", at, "signature", "no stored secret matches")
        found = clinic.look("stripe", store=store)
    said = wrong(found)["endpoint payops: webhook secret"]
    assert "4 webhooks failed the signature check" in said and "no good one yet" in said


def test_a_webhook_id_that_paypal_does_not_list_is_wrong(clinic: Clinic) -> None:
    right = clinic.look("paypal")
    other = clinic.look("paypal", change={"webhook_id": "env:OTHER_ID"})
    assert not any("webhook secret" in check for check in wrong(right))
    assert "endpoint payops: webhook secret" in wrong(other)


def test_an_address_on_this_machine_is_told_how_to_be_listened_to(clinic: Clinic) -> None:
    endpoint = EndpointSettings(name="payops", url="http://127.0.0.1:9/webhooks/stripe-live")
    found = clinic.look("stripe", change={"endpoints": (endpoint,)})
    line = next(each for each in found.findings if each.check == "endpoint payops: address")
    assert line.state == "wrong" and "payops receive" in line.next


_NOW = scenario.parse(
    "schema: payops.scenario/v1\nname: x\nproviders: {stripe: {mode: live}}\n", "x.yaml"
).start
