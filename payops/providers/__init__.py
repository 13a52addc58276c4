"""The only code that speaks to a provider.

`port` says what payops needs of one; each sub-package is one provider's adapter. Adapters block and are called
from the threads of `pool.ProviderPool`, never from an event loop. The SDKs are imported at the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .port import Patience

if TYPE_CHECKING:
    from payops.config import AccountSettings

    from .foreign import Others
    from .port import Provider, WebhookVerifier

__all__ = ["Patience", "open_provider", "open_verifier"]

Secrets = Callable[[str], str]


def open_provider(account: AccountSettings, secrets: Secrets, patience: Patience | None = None) -> Provider:
    """The adapter for one account; makes no call.

    `secrets` turns a reference (`env:NAME`) into the secret. `UsageError` when the credential cannot be one to
    monitor with.
    """
    waits = patience or Patience()
    if account.provider == "stripe":
        from .stripe.adapter import StripeProvider

        return StripeProvider(account, secrets, waits)
    if account.provider == "braintree":
        from .braintree.adapter import BraintreeProvider

        return BraintreeProvider(account, secrets, waits)
    from .paypal.adapter import PayPalProvider

    return PayPalProvider(account, secrets, waits)


def open_verifier(
    account: AccountSettings,
    secrets: Secrets,
    slot: int = 0,
    *,
    patience: Patience | None = None,
    routes: Mapping[str, str] | None = None,
    others: Others = (),
) -> WebhookVerifier:
    """Judges webhooks of one account with the secrets of the stored credential `slot`; loads no SDK.

    `routes`: public base URL → where it really answers (simulated world only). `others` explain what fits ours not.
    """
    if account.provider == "stripe":
        from .stripe.verifier import StripeVerifier

        references = account.credential(slot).webhook_secrets
        return StripeVerifier(account.name, account.mode, tuple(secrets(each) for each in references), others)
    if account.provider == "braintree":
        from .braintree.verifier import BraintreeVerifier

        return BraintreeVerifier(account, secrets, slot, others)
    from .paypal.verifier import PayPalVerifier

    return PayPalVerifier(account, secrets, slot, patience or Patience(), routes or {}, others)
