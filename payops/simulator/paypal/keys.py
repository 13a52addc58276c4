"""PayPal's client credentials, what their tokens may do, and what a scenario stores for an account."""

from __future__ import annotations

from typing import Any

from payops.domain.payments import OTHER_MODE, Mode
from payops.simulator.keys import Key, KeyName, Keyring
from payops.simulator.scenario_model import OWN_ENDPOINT, ProviderOptions

from .names import Names

SERVICES = "https://uri.paypal.com/services/"
REPORTING = f"{SERVICES}reporting/search/read"
CAPTURES = f"{SERVICES}payments/payment/authcapture"
REFUNDS = f"{SERVICES}payments/refund"
ORDERS = f"{SERVICES}payments/payment"
SUBSCRIPTIONS = f"{SERVICES}subscriptions"
DISPUTES = f"{SERVICES}disputes/read-seller"
WEBHOOKS = f"{SERVICES}applications/webhooks"
SCOPES: tuple[str, ...] = (
    "openid",
    "https://api.paypal.com/v1/payments/.*",
    ORDERS,
    CAPTURES,
    REFUNDS,
    SUBSCRIPTIONS,
    DISPUTES,
    f"{SERVICES}disputes/update-seller",
    WEBHOOKS,
    REPORTING,
)
"""What a token of an ordinary app may do."""
SANDBOX_APP = "APP-80W284485P519543T"
"""The app id that every sandbox token shows, whoever asks."""


def app_id(seed: int, account: str, mode: Mode) -> str:
    """What a token says its app is: in live mode the merchant's own, the same for all its credentials."""
    return SANDBOX_APP if mode == "test" else f"APP-{Names(seed, account).text('app')}"


def client_id(seed: int, account: str, name: KeyName) -> str:
    """Without a word about its mode, as PayPal's are."""
    return f"Asim{Names(seed, account).secret(f'client/{name}', 60)}"


def client_secret(seed: int, account: str, name: KeyName) -> str:
    return f"Esim{Names(seed, account).secret(f'secret/{name}', 60)}"


def webhook_id(seed: int, account: str, endpoint: str) -> str:
    """The id of the webhook that serves an endpoint: it is part of what its deliveries are signed over."""
    return Names(seed, account).text(f"webhook/{endpoint}")


class PayPalKeyring(Keyring):
    """A key's token is `client_id:client_secret`, as Basic authentication carries it."""

    def __init__(self, seed: int, account: str, mode: Mode) -> None:
        named: tuple[tuple[KeyName, Mode], ...] = (
            ("monitor", mode),
            ("fallback", mode),
            ("application", mode),
            ("other", OTHER_MODE[mode]),
        )
        keys = tuple(
            Key(
                f"{client_id(seed, account, name)}:{client_secret(seed, account, name)}",
                name,
                key_mode,
            )
            for name, key_mode in named
        )
        super().__init__(mode, keys)
        self._by_name = {key.name: key for key in keys}

    def client(self, name: str) -> Key | None:
        return self._by_name.get(name)  # type: ignore[call-overload,no-any-return]


def stored(seed: int, account: str, options: ProviderOptions, *, rotated: bool) -> dict[str, Any]:
    """`{"client_id", "client_secret", "webhook_id", "webhook_ca", "fallback_credentials": [...]}` and, where the
    scenario stores one, `"application_credential"` as `client_id:client_secret`.

    `webhook_ca` is the PEM of the authority behind the certificates deliveries are signed with. `rotated`: the
    fallback holds the id the webhook will have once it was made anew.
    """
    from .certificates import authority_pem

    def pair(name: KeyName) -> dict[str, Any]:
        return {
            "client_id": client_id(seed, account, name),
            "client_secret": client_secret(seed, account, name),
        }

    entry: dict[str, Any] = {
        **pair("monitor"),
        "webhook_id": webhook_id(seed, account, OWN_ENDPOINT),
        "webhook_ca": authority_pem(seed),
        "fallback_credentials": [],
    }
    if options.fallback_credential:
        endpoint = f"{OWN_ENDPOINT}/next" if rotated else OWN_ENDPOINT
        entry["fallback_credentials"].append(
            {**pair("fallback"), "webhook_id": webhook_id(seed, account, endpoint)}
        )
    if options.application_credential:
        entry["application_credential"] = ":".join(pair("application").values())
    return entry
