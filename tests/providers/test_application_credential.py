"""The application's own credential: probed with the feed that proves ours, by reads alone, and for nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from payops.demo.settings import secret_of, world_settings
from payops.domain.errors import UsageError
from payops.providers import Patience, open_provider
from payops.providers.port import APPLICATION
from payops.simulator import scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World

TEXT = """
schema: payops.scenario/v1
name: shop
warmup: 1h
duration: 1h
providers:
  {0}: {{mode: live, payments_per_minute: 2, application_credential: true}}
faults: [{{kind: key_revoked, provider: {0}, at: 5m}}]
"""


@pytest.mark.parametrize("provider", ["stripe", "braintree", "paypal"])
def test_it_is_proven_beside_ours_and_tells_them_apart(provider: str) -> None:
    described = scenario.parse(TEXT.format(provider), "shop.yaml")
    world = World(described)
    world.advance(world.start + timedelta(minutes=6))
    with ExitStack() as stack:
        server = ProviderServer(world, provider).start()
        stack.callback(server.stop)
        settings, secrets = world_settings(described, 1, {provider: server.url}, Path("unused.db"))
        adapter = open_provider(
            settings.accounts[0], partial(secret_of, secrets), Patience(30, 120, None, stated=True)
        )
        stack.callback(adapter.close)
        page = adapter.poll("credential", None, world.now)
        assert page.proof is not None and not page.proof.ok
        assert page.application_proof is not None and page.application_proof.ok
        assert page.application_proof.slot == APPLICATION
        with pytest.raises(UsageError, match="credential"):
            adapter.use_slot(APPLICATION)
