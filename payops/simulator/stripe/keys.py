"""Stripe's API keys and webhook secrets: what a scenario stores for an account."""

from __future__ import annotations

from typing import Any

from payops.domain.payments import OTHER_MODE, Mode
from payops.simulator.ids import Ids
from payops.simulator.keys import Key, KeyName, Keyring
from payops.simulator.scenario_model import OWN_ENDPOINT, ProviderOptions


def api_key(seed: int, account: str, name: KeyName, mode: Mode) -> str:
    """A restricted key; the same for the same seed and account."""
    return f"rk_{mode}_sim{Ids(seed, account).token(f'key/{name}', 24)}"


def webhook_secret(seed: int, account: str, endpoint: str) -> str:
    return f"whsec_sim{Ids(seed, account).token(f'secret/{endpoint}', 24)}"


class StripeKeyring(Keyring):
    def __init__(self, seed: int, account: str, mode: Mode) -> None:
        named: tuple[tuple[KeyName, Mode], ...] = (
            ("monitor", mode),
            ("fallback", mode),
            ("application", mode),
            ("other", OTHER_MODE[mode]),
        )
        super().__init__(
            mode, (Key(api_key(seed, account, name, key_mode), name, key_mode) for name, key_mode in named)
        )


def stored(seed: int, account: str, options: ProviderOptions, *, rotated: bool) -> dict[str, Any]:
    """`{"api_key", "webhook_secrets": [...], "fallback_credentials": [the same]}` and, where the scenario stores
    one, `"application_credential"`. `rotated`: the fallback holds the secret the endpoint will have."""
    secrets = [webhook_secret(seed, account, OWN_ENDPOINT)]
    entry: dict[str, Any] = {
        "api_key": api_key(seed, account, "monitor", options.mode),
        "webhook_secrets": secrets,
        "fallback_credentials": [],
    }
    if options.fallback_credential:
        key = api_key(seed, account, "fallback", options.mode)
        kept = [webhook_secret(seed, account, f"{OWN_ENDPOINT}/next")] if rotated else list(secrets)
        entry["fallback_credentials"].append({"api_key": key, "webhook_secrets": kept})
    if options.application_credential:
        entry["application_credential"] = api_key(seed, account, "application", options.mode)
    return entry
