"""Whether the provider still renders an account's events in the version they are meant to have."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings
from payops.domain.api_versions import READS, differ
from payops.domain.incidents import Value
from payops.store import Store

from .rows import account_labels, age_s
from .schema import SignalRow


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `api_version` signal; unknown where the provider has no versions or has told none yet."""
    state = store.facts.account_state(account.name)
    told = state.api_version if state else None
    known = store.facts.api_versions(account.name)
    meant = account.api_version or known.accepted
    pinned = sorted(
        f"{each.endpoint_id} {each.api_version}"
        for each in store.facts.endpoints(account.name)
        if each.api_version is not None and meant is not None and differ(each.api_version, meant)
    )
    values: dict[str, Value | None] = {
        "drifted": None if told is None or meant is None else differ(told, meant),
        "version": told,
        "meant": meant,
        "reads": account.api_version or READS.get(account.provider),
        "since_s": age_s(known.since, now),
        "endpoints": ", ".join(pinned) if meant is not None else None,
    }
    return SignalRow(account_labels(account), values, state.at if state else None)
