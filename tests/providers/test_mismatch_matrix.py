"""Where test meets live: each place it can show, at each provider, with the evidence named, on simulated worlds.

| place              | Stripe                     | Braintree                | PayPal                        |
| credential         | balance.livemode           | client_token.environment | app id of the token           |
| endpoint           | livemode of the endpoint   | (no API)                 | webhook id not in the list    |
| webhook secret     | fits no event of our mode  | another merchant's key   | certificate host              |
| event              | livemode                   | source_merchant_id       | hosts of its links            |
| object             | "exists in live mode" 404  | 404                      | hosts of its links, 404       |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from payops.config import AccountSettings
from payops.demo.settings import edges, secret_of, world_settings
from payops.domain.errors import ProviderError
from payops.domain.events import Facts
from payops.providers import Patience, open_provider, open_verifier
from payops.providers.port import NotVerified, Provider, Verified
from payops.simulator import scenario
from payops.simulator.kinds import kind
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

PROVIDERS = ("stripe", "braintree", "paypal")
FAST = Patience(connect_s=30, read_s=120, requests_per_s=None, stated=True)


class Place:
    """One account in a world with faults, its adapter, and the webhooks it is sent."""

    def __init__(self, stack: ExitStack, provider: str, faults: str, mode: str = "live") -> None:
        text = f"""
schema: payops.scenario/v1
name: mismatch
warmup: 8h
duration: 2h
providers:
  {provider}: {{mode: {mode}, payments_per_minute: 4, fallback_credential: true}}
faults: [{faults}]
"""
        described = scenario.parse(text, "mismatch.yaml")
        self.provider_name = provider
        self.world = World(described)
        self.world.advance(self.world.start)
        server = ProviderServer(self.world, provider).start()
        stack.callback(server.stop)
        urls = {provider: server.url}
        settings, secrets = world_settings(described, described.seed, urls, Path("unused.db"))
        self.settings: AccountSettings = settings.accounts[0]
        self._secrets = partial(secret_of, secrets)
        self._routes = edges(urls)
        self.account = self.world.accounts[self.settings.name]
        self.provider: Provider = open_provider(self.settings, self._secrets, FAST)
        stack.callback(self.provider.close)

    @property
    def now(self) -> datetime:
        return self.world.now

    def after(self, **passed: float) -> Place:
        self.world.advance(self.now + timedelta(**passed))
        return self

    def delivered(self, slot: int = 0) -> list[Verified | NotVerified]:
        """What the receiver makes of everything that is sent now."""
        judge = open_verifier(self.settings, self._secrets, slot, patience=FAST, routes=self._routes)
        verdicts = []
        for send in self.world.due_deliveries(self.now):
            body, headers = kind(self.provider_name).delivery(self.account, send, self.now)
            named = {name.lower(): value for name, value in headers.items()}
            verdicts.append(judge.verify(body, named, self.now))
        return verdicts

    def facts(self, verdict: Verified) -> Facts:
        judge = open_verifier(self.settings, self._secrets, 0, patience=FAST, routes=self._routes)
        return judge.facts(verdict.payload)


@pytest.fixture
def place() -> Iterator[partial[Place]]:
    with ExitStack() as stack:
        yield partial(Place, stack)


EVIDENCE = {"stripe": "balance.livemode", "braintree": "client_token.environment", "paypal": "app_id"}


@pytest.mark.parametrize("mode", ["live", "test"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_credential_the_servers_truth_is_read_and_named(place, provider, mode) -> None:
    here = place(provider, f"{{kind: key_wrong_mode, provider: {provider}, at: 10m}}", mode)
    proof = here.provider.prove(0, here.now)
    assert (proof.ok, proof.mode) == (True, mode)
    here.after(minutes=11)
    proof = here.provider.prove(0, here.now)
    assert (proof.ok, proof.mode) == (True, "test" if mode == "live" else "live")
    assert EVIDENCE[provider] in proof.evidence.replace(" ", "_"), proof.evidence


@pytest.mark.parametrize("provider", PROVIDERS)
def test_credential_of_the_other_mode_teaches_no_feed_anything(place, provider) -> None:
    here = place(provider, f"{{kind: key_wrong_mode, provider: {provider}, at: 10m}}").after(minutes=11)
    for spec in here.provider.feeds:
        if spec.name == "credential":
            continue
        try:
            page = here.provider.poll(spec.name, None, here.now)
        except ProviderError:
            continue
        facts = page.facts
        assert not (facts.attempts or facts.refunds or facts.events or page.endpoints), spec.name


def test_endpoint_stripe_tells_its_mode(place) -> None:
    here = place("stripe", "")
    (listed,) = here.provider.poll("endpoints", None, here.now).endpoints
    assert listed.livemode is True


def test_endpoint_paypals_webhook_id_is_looked_for_in_the_list(place) -> None:
    here = place("paypal", "{kind: webhook_secret_rotated, provider: paypal, at: 10m}")
    wanted = here.account.own_endpoint.secret
    ids = [each.endpoint_id for each in here.provider.poll("endpoints", None, here.now).endpoints]
    assert ids == [wanted]
    here.after(minutes=11)
    ids = [each.endpoint_id for each in here.provider.poll("endpoints", None, here.now).endpoints]
    assert wanted not in ids and ids


@pytest.mark.parametrize("provider", PROVIDERS)
def test_webhook_secret_of_the_other_mode_verifies_only_what_is_not_ours(place, provider) -> None:
    here = place(provider, f"{{kind: webhook_wrong_mode_secret, provider: {provider}, at: 1m}}")
    here.delivered()
    here.after(minutes=30)
    verdicts = here.delivered()
    good = [each for each in verdicts if isinstance(each, Verified)]
    refused = [each for each in verdicts if isinstance(each, NotVerified)]
    others = [each for each in good if here.facts(each).wrong_mode]
    assert others or any(each.kind in ("mode", "claim") for each in refused)
    ours = [each for each in good if not here.facts(each).wrong_mode]
    # What was made in the first minute is still signed as before.
    assert all(each.event.created_at < here.world.start + timedelta(minutes=2) for each in ours)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_event_of_the_other_mode_is_quarantined_and_in_no_rate(place, provider, tmp_path) -> None:
    here = place(provider, f"{{kind: test_object_in_live, provider: {provider}, at: 1m, count: 3}}")
    here.after(minutes=5)
    store = Store.open(tmp_path / "payops.db", now=here.now)
    try:
        strayed = 0
        for verdict in here.delivered():
            if isinstance(verdict, Verified):
                facts = here.facts(verdict)
                strayed += len(facts.wrong_mode)
                if facts.wrong_mode:
                    assert not facts.attempts and not facts.refunds and not facts.events
                store.facts.apply_facts(here.settings.name, facts, here.now)
        assert strayed == 3
        assert store.facts.wrong_mode_count(here.settings.name, here.world.start) == 3
        with store.read() as db:
            stored = {row[0] for row in db.execute("SELECT attempt_id FROM attempts")}
        ours = {charge.id for charge in here.account.charges.rows if not charge.test}
        assert stored <= ours
    finally:
        store.close()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_object_of_another_mode_is_refused_by_name_and_never_read_as_ours(place, provider) -> None:
    live = place(provider, "")
    charge = next(c for c in live.account.charges.rows if c.decline is None and c.captured)
    here = place(provider, f"{{kind: key_wrong_mode, provider: {provider}, at: 10m}}").after(minutes=11)
    with pytest.raises(ProviderError) as caught:
        here.provider.attempt(charge.id, here.now)
    assert caught.value.bucket in ("invalid_request", "auth", "permission")
    if provider == "stripe":
        assert caught.value.code == "wrong_mode"
