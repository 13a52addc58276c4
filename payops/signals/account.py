"""Whether the provider lets the account take and receive money."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.store import Store

from .rows import account_labels
from .schema import SOURCES, SignalRow


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `account` signal; unknown where the provider does not tell."""
    state = store.facts.account_state(account.name)
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["account"].fields)
    if state is not None:
        told = (state.charges_enabled, state.payouts_enabled)
        values |= {
            "charges_enabled": state.charges_enabled,
            "payouts_enabled": state.payouts_enabled,
            "restricted": state.restricted if state.restricted or told != (None, None) else None,
            "due": len(state.due),
            "names": ", ".join(state.due) or state.reason or "",
        }
    return SignalRow(account_labels(account), values, state.at if state else None)
