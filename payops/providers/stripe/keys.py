"""What can be said about a Stripe key before it is used."""

from __future__ import annotations

import re

from payops.config import AccountSettings
from payops.domain.errors import UsageError
from payops.text import mask

_SHAPE = re.compile(r"[!-~]{8,512}")
_NOT_KEYS = {
    "pk_": "a publishable key: it can read nothing; store a restricted key (rk_…)",
    "whsec_": "a webhook signing secret; it belongs in webhook_secrets",
    "acct_": "an account id, not a key",
}


def check(key: str, account: AccountSettings, reference: str) -> str:
    """The key, trimmed; `UsageError` when it cannot or must not be used to monitor with."""
    key = key.strip()
    where = f"account {account.name!r}: api_key {reference}"
    if not _SHAPE.fullmatch(key):
        raise UsageError(f"{where} is not a Stripe key: keys are printable ASCII, such as rk_live_…")
    for prefix, what in _NOT_KEYS.items():
        if key.startswith(prefix):
            raise UsageError(f"{where} is {what}")
    if key.startswith("sk_live_") and not account.accept_unrestricted_key:
        raise UsageError(
            f"{where} is the unrestricted key {mask(key)}, which may do anything: create a restricted key "
            f"(rk_live_…), or set accept_unrestricted_key = true for this account"
        )
    return key
