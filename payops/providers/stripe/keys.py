"""What can be said about a Stripe key before it is used."""

from __future__ import annotations

import re

from payops.config import AccountSettings
from payops.domain.errors import UsageError
from payops.domain.payments import Mode
from payops.text import mask

_SHAPE = re.compile(r"[!-~]{8,512}")
_PREFIX = re.compile(r"(?:sk|rk|rkcs)_(live|test)_")
_NOT_KEYS = {
    "pk_": "a publishable key: it can read nothing; store a restricted key (rk_…)",
    "whsec_": "a webhook signing secret; it belongs in webhook_secrets",
    "acct_": "an account id, not a key",
}


def check(key: str, account: AccountSettings, reference: str) -> str:
    """The key, trimmed; `UsageError` when it cannot or must not be used to monitor with."""
    where = f"account {account.name!r}: api_key {reference}"
    key = _fit(key, where)
    if key.startswith("sk_live_") and not account.accept_unrestricted_key:
        raise UsageError(
            f"{where} is the unrestricted key {mask(key)}, which may do anything: create a restricted key "
            f"(rk_live_…), or set accept_unrestricted_key = true for this account"
        )
    return key


def check_foreign(key: str, account: AccountSettings, reference: str) -> str:
    """The application's own key, trimmed. It may be unrestricted: it is only ever probed with one read."""
    return _fit(key, f"account {account.name!r}: application_credential {reference}")


def mode_of(key: str) -> Mode | None:
    """The mode a key's prefix states; None where it has no such prefix."""
    found = _PREFIX.match(key)
    return None if found is None else "live" if found.group(1) == "live" else "test"


def _fit(key: str, where: str) -> str:
    key = key.strip()
    if not _SHAPE.fullmatch(key):
        raise UsageError(f"{where} is not a Stripe key: keys are printable ASCII, such as rk_live_…")
    for prefix, what in _NOT_KEYS.items():
        if key.startswith(prefix):
            raise UsageError(f"{where} is {what}")
    return key
