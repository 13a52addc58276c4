"""The only code that speaks to a provider.

`port` says what payops needs of one; each sub-package is one provider's adapter. Adapters block and are called
from the threads of `pool.ProviderPool`, never from an event loop. The SDKs are imported at the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from payops.domain.errors import UsageError

if TYPE_CHECKING:
    from payops.config import AccountSettings

    from .port import Provider, WebhookVerifier

__all__ = ["open_provider", "open_verifier"]


def open_provider(
    account: AccountSettings,
    secrets: Callable[[str], str],
    *,
    timeout_s: tuple[float, float] = (3.0, 10.0),
    requests_per_s: float | None = 25.0,
) -> Provider:
    """The adapter for one account; makes no call.

    `secrets` turns a reference (`env:NAME`) into the secret. `timeout_s` is to connect, to answer.
    `requests_per_s` paces calls to one kind of resource in real time, None = not at all (stepped time).
    `UsageError` when the credential cannot be one to monitor with.
    """
    if account.provider == "stripe":
        from .stripe.adapter import StripeProvider

        return StripeProvider(account, secrets, timeout_s=timeout_s, requests_per_s=requests_per_s)
    raise UsageError(_unsupported(account))


def open_verifier(account: AccountSettings, secrets: Callable[[str], str], slot: int = 0) -> WebhookVerifier:
    """Judges webhooks of one account with the secrets of the stored credential `slot`; loads no SDK."""
    if account.provider == "stripe":
        from .stripe.verifier import StripeVerifier

        references = account.credential(slot).webhook_secrets
        return StripeVerifier(account.name, account.mode, tuple(secrets(each) for each in references))
    raise UsageError(_unsupported(account))


def _unsupported(account: AccountSettings) -> str:
    return f"account {account.name!r}: provider {account.provider!r} is not supported yet; use stripe"
