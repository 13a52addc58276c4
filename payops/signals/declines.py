"""One decline code more often than usual: each code's share of customers' first attempts is a stream of its own."""

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
    """The `declines` signal of one account; nothing is known where declines leave no trace."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["declines"].fields)
    if SIGHT[account.provider].all_declines:
        known = standing(store, account.name, "codes")
        # The code whose alarm runs, the one with the most failures first; else the one that stands out most.
        alarms = sorted(
            (each for each in known.rows if each.alarmed_at), key=lambda each: -(each.since_failed or 0)
        )
        shown = alarms[0] if alarms else known.strongest
        since = running(alarms[0] if alarms else None, now)
        values |= {name: value for name, value in since.items() if name in values}
        values["evidence"] = known.evidence
        values["alarm"] = None if known.evidence is None else bool(alarms)
        if shown is not None:
            values["code"], values["usual"] = shown.slice[0][1], shown.expected
    return SignalRow(account_labels(account), values, seen_at(store, account, now))
