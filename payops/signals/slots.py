"""Which stored credential webhooks are verified with."""

from __future__ import annotations

from payops.config import AccountSettings
from payops.store import Store


def webhook_slot(store: Store, account: AccountSettings) -> int:
    """The one that was promoted for it, else the monitor credential in use, else the account's own.

    Each only where it has what this provider's webhooks are verified with: a key without a webhook secret must
    not silence the receiver.
    """
    promoted = store.facts.webhook_slot(account.name)
    for slot in (promoted, store.facts.active_slot(account.name)):
        if slot is not None and slot < account.slots and account.verifies(slot):
            return slot
    return 0
