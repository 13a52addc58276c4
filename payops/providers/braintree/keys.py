"""The three parts of a Braintree credential, and what they say about their environment by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from payops.config import AccountSettings
from payops.domain.errors import UsageError
from payops.domain.payments import Mode
from payops.providers.port import APPLICATION
from payops.text import mask

MODES: dict[str, Mode] = {"production": "live", "sandbox": "test"}
_PART = re.compile(r"[A-Za-z0-9_$-]{1,255}")
_STATED = re.compile(
    r"(?:access_token|client_id|client_secret)\$(?P<env>[a-z]+)\$|(?P<key>production|sandbox)_"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """One credential. Its representation shows no secret."""

    merchant_id: str
    public_key: str
    private_key: str = field(repr=False)

    @property
    def hint(self) -> str:
        return mask(self.public_key)

    @property
    def stated_mode(self) -> Mode | None:
        """The mode of a credential that names its environment (`client_id$sandbox$…`); None for plain keys."""
        for part in (self.public_key, self.private_key):
            stated = _STATED.match(part)
            if stated:
                return MODES.get(stated["env"] or stated["key"])
        return None


def stored(account: AccountSettings, secrets: Callable[[str], str], slot: int) -> Keys:
    """The credential in `slot`, or the application's; `UsageError` when there is none or it cannot be one."""
    if slot == APPLICATION:
        return _application(account, secrets)
    if not 0 <= slot < account.slots:
        raise UsageError(f"account {account.name!r} has no stored credential {slot}")
    credential = account.credential(slot)
    public, private = credential.public_key, credential.private_key
    merchant = credential.merchant_id or account.merchant_id
    if public is None or private is None or merchant is None:
        raise UsageError(f"account {account.name!r}: credential {slot} needs public_key and private_key")
    return Keys(*(_checked(account.name, each, secrets(each)) for each in (merchant, public, private)))


def _application(account: AccountSettings, secrets: Callable[[str], str]) -> Keys:
    reference = account.application_credential
    if reference is None:
        raise UsageError(f"account {account.name!r} has no application credential")
    parts = secrets(reference).strip().split(":")
    if len(parts) != 3:
        raise UsageError(f"{reference}: a Braintree credential is merchant_id:public_key:private_key")
    return Keys(*(_checked(account.name, reference, part) for part in parts))


def _checked(account: str, reference: str, value: str) -> str:
    # It goes into a path and a header: nothing but the characters Braintree uses.
    if not _PART.fullmatch(value.strip()):
        raise UsageError(f"account {account!r}: what {reference} holds is no Braintree id or key")
    return value.strip()
