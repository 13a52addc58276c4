"""Somebody tries stolen cards: unknown buyers fail for unusually small amounts, one after the other."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.store import Store

from .rows import account_labels
from .schema import SOURCES, SignalRow
from .standing import standing
from .success import running, seen_at


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `testing` signal of one account; nothing is known where declines leave no trace."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["testing"].fields)
    if SIGHT[account.provider].all_declines:
        known = standing(store, account.name, "testing")
        values["evidence"] = known.evidence
        values["alarm"] = None if known.evidence is None else known.alarm is not None
        values |= {name: value for name, value in running(known.alarm, now).items() if name in values}
        if known.whole is not None:
            values["usual"] = known.whole.expected
    return SignalRow(account_labels(account), values, seen_at(store, account, now))
