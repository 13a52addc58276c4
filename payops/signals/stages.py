"""The streams beside acceptance, for rules of one's own: each with its evidence on the detectors' one scale."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings
from payops.domain.counting import Family
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.store import Store

from .rows import account_labels
from .schema import SOURCES, SignalRow
from .standing import standing
from .success import seen_at

STAGES: tuple[Family, ...] = ("authentication", "blocks", "renewals", "dunning", "delayed", "abandoned")


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `stages` signal of one account; nothing is known where declines leave no trace."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["stages"].fields)
    if SIGHT[account.provider].all_declines:
        for family in STAGES:
            known = standing(store, account.name, family)
            values[family] = known.evidence
            values[f"{family}_usual"] = known.whole.expected if known.whole else None
        everywhere = standing(store, "", "acceptance") if store.streams.cursor(account.name) else None
        values["everywhere"] = everywhere.evidence if everywhere else None
    return SignalRow(account_labels(account), values, seen_at(store, account, now))
