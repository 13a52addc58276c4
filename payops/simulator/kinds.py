"""The simulated providers: what each brings, found by name and loaded when a scenario has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from payops.domain.payments import Provider

if TYPE_CHECKING:
    from .account import Account
    from .deliveries import Send
    from .scenario_model import ProviderOptions, Scenario
    from .wire import Api
    from .world import World


_ROTATING = ("webhook_secret_rotated", "webhook_wrong_mode_secret")


class Kind(Protocol):
    """What the package of a simulated provider has to offer, as functions of its `kind` module."""

    def open_account(self, *args: Any, **kwargs: Any) -> Account:
        """An account; the arguments are those of `Account`."""

    def open_api(self, world: World) -> Api:
        """The API over all accounts of this provider in the world."""

    def stored(self, seed: int, account: str, options: ProviderOptions, *, rotated: bool) -> dict[str, Any]:
        """The secrets of an account by configuration field, without asking a server: its credential fields and
        `webhook_secrets` or `webhook_id`, `fallback_credentials` (a list of the same), `application_credential`.

        `rotated`: a fault of the scenario changes the webhook secret; the fallback credential holds the new one.
        """

    def delivery(self, account: Account, send: Send, at: datetime) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of one signed POST. Called with the world's lock held."""

    def verified(self, account: Account, body: bytes, headers: Mapping[str, str], at: datetime) -> str | None:
        """The id of the event in a request, as an application verifies it with what its provider's documentation says;
        None when it would refuse it. Header names are lower case. Called with the world's lock held."""


def kind(provider: Provider) -> Kind:
    return cast(Kind, import_module(f"{__package__}.{provider}.kind"))


def credentials(scenario: Scenario, seed: int | None = None) -> dict[str, dict[str, Any]]:
    """What is stored for each account, by account name: see `Kind.stored`."""
    chosen = scenario.seed if seed is None else seed
    stored = {}
    for provider, options in scenario.providers.items():
        rotated = any(fault.provider == provider and fault.kind in _ROTATING for fault in scenario.faults)
        name = scenario.account(provider)
        stored[name] = kind(provider).stored(chosen, name, options, rotated=rotated)
    return stored
