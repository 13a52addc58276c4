"""API keys and webhook secrets: what a scenario stores, and what the provider accepts at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from payops.domain.payments import Mode

from .ids import Ids
from .scenario import OWN_ENDPOINT, Scenario

KeyName = Literal["monitor", "fallback", "application", "other"]
_OTHER_MODE: dict[Mode, Mode] = {"live": "test", "test": "live"}


def api_key(seed: int, account: str, name: KeyName, mode: Mode) -> str:
    """A restricted key; the same for the same seed and account."""
    return f"rk_{mode}_sim{Ids(seed, account).token(f'key/{name}', 24)}"


def webhook_secret(seed: int, account: str, endpoint: str) -> str:
    return f"whsec_sim{Ids(seed, account).token(f'secret/{endpoint}', 24)}"


def credentials(scenario: Scenario, seed: int | None = None) -> dict[str, dict[str, Any]]:
    """What is stored for each account, by account name, without asking a server.

    `{"api_key", "webhook_secrets": [...], "fallback_credentials": [{"api_key", "webhook_secrets"}]}`, and
    `"application_credential"` where the scenario stores one.
    """
    seed = scenario.seed if seed is None else seed
    stored: dict[str, dict[str, Any]] = {}
    for account, options in scenario.accounts.items():
        secrets = [webhook_secret(seed, account, OWN_ENDPOINT)]
        entry: dict[str, Any] = {
            "api_key": api_key(seed, account, "monitor", options.mode),
            "webhook_secrets": secrets,
            "fallback_credentials": [],
        }
        if options.fallback_credential:
            key = api_key(seed, account, "fallback", options.mode)
            entry["fallback_credentials"].append({"api_key": key, "webhook_secrets": list(secrets)})
        if options.application_credential:
            entry["application_credential"] = api_key(seed, account, "application", options.mode)
        stored[account] = entry
    return stored


@dataclass(slots=True)
class Key:
    token: str
    name: KeyName
    mode: Mode
    revoked: bool = False


class Keyring:
    """The keys of one account, and their state at the provider."""

    def __init__(self, seed: int, account: str, mode: Mode) -> None:
        other = _OTHER_MODE[mode]
        named: tuple[tuple[KeyName, Mode], ...] = (
            ("monitor", mode),
            ("fallback", mode),
            ("application", mode),
            ("other", other),
        )
        self._mode = mode
        self._keys = {
            (token := api_key(seed, account, name, key_mode)): Key(token, name, key_mode)
            for name, key_mode in named
        }

    def get(self, token: str) -> Key | None:
        return self._keys.get(token)

    def monitor(self) -> Key:
        """The key payops reads with: its first that is neither revoked nor of the wrong mode."""
        mine = [key for key in self._keys.values() if key.name in ("monitor", "fallback")]
        return next((key for key in mine if not key.revoked and key.mode == self._mode), mine[0])

    def turn(self, key: Key) -> None:
        """Make it a key of the other mode, or back."""
        key.mode = _OTHER_MODE[key.mode]
