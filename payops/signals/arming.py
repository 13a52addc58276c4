"""Which remedies may act on an account."""

from __future__ import annotations

from payops.config import Settings
from payops.store import Store


def armed_remedies(store: Store, settings: Settings, account: str) -> frozenset[str]:
    """Remedies armed by `payops arm`, and by `[[arm]]` when the configuration's mode is `armed`; `disarm` wins."""
    configured = {
        remedy
        for entry in settings.arm
        if settings.mode == "armed" and entry.account == account
        for remedy in entry.remedies
    }
    return (frozenset(configured) | store.switches.armed(account)) - store.switches.disarmed(account)
