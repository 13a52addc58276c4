"""Braintree's key pairs and merchant ids: what a scenario stores for an account, and whose request it is.

Keys carry no environment. Production and sandbox are two merchants with keys of their own: those of one are unknown
at the host of the other. Where a stored pair turns out to belong to the other environment (`key_wrong_mode`), the
simulator is what then answers at the configured address: a gateway of the other environment with the same merchant
id, in which there is nothing; its client token says which environment it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payops.domain.payments import OTHER_MODE, Mode
from payops.simulator.ids import Ids
from payops.simulator.keys import Key, KeyName, Keyring
from payops.simulator.scenario_model import ProviderOptions

from .ids import lower

ENVIRONMENTS: dict[Mode, str] = {"live": "production", "test": "sandbox"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One user's API keys: they authenticate requests, and notifications are signed with them."""

    public: str
    private: str

    @property
    def token(self) -> str:
        """What a request shows of it."""
        return f"{self.public}:{self.private}"


def merchant_id(seed: int, account: str) -> str:
    return lower(Ids(seed, account), "merchant", 16)


def other_merchant_id(seed: int, account: str) -> str:
    """The merchant of the same shop in the other environment."""
    return lower(Ids(seed, account), "merchant/other", 16)


def pair(seed: int, account: str, name: KeyName) -> Pair:
    """The same for the same seed and account; `other` is one of the other environment."""
    ids = Ids(seed, account)
    private = lower(ids, f"private/{name}/1", 16) + lower(ids, f"private/{name}/2", 16)
    return Pair(lower(ids, f"public/{name}", 16), private)


class BraintreeKeyring(Keyring):
    def __init__(self, seed: int, account: str, mode: Mode) -> None:
        named: tuple[tuple[KeyName, Mode], ...] = (
            ("monitor", mode),
            ("fallback", mode),
            ("application", mode),
            ("other", OTHER_MODE[mode]),
        )
        super().__init__(
            mode, (Key(pair(seed, account, name).token, name, key_mode) for name, key_mode in named)
        )


def stored(seed: int, account: str, options: ProviderOptions, *, rotated: bool) -> dict[str, Any]:
    """`{"merchant_id", "public_key", "private_key", "fallback_credentials": [the same]}` and, where the scenario
    stores one, `"application_credential"` as `merchant_id:public_key:private_key`.

    Braintree has no webhook secret: the key pairs are what notifications are verified with. So the fallback's pair
    is also what they are signed with once the endpoint is `rotated`.
    """

    def entry(name: KeyName) -> dict[str, Any]:
        keys = pair(seed, account, name)
        return {
            "merchant_id": merchant_id(seed, account),
            "public_key": keys.public,
            "private_key": keys.private,
        }

    found = {**entry("monitor"), "fallback_credentials": []}
    if options.fallback_credential:
        found["fallback_credentials"].append(entry("fallback"))
    if options.application_credential:
        keys = pair(seed, account, "application")
        found["application_credential"] = f"{merchant_id(seed, account)}:{keys.token}"
    return found
