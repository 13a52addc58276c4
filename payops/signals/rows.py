"""The labels of a signal's rows, and finding the row that speaks of an incident."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from payops.config import AccountSettings, EndpointSettings
from payops.domain.incidents import Value
from payops.domain.payments import Provider

from .schema import SOURCES, SignalRow, SignalSet


class Whose(Protocol):
    """An account, as far as its stored objects are asked for."""

    @property
    def name(self) -> str: ...

    @property
    def provider(self) -> Provider: ...


RECEIVER = "receiver"
"""A label that incidents keep: who receives what is sent to the endpoint, `payops` or its `application`."""
OURS = "payops"


def account_labels(account: AccountSettings) -> dict[str, str]:
    return {"account": account.name, "provider": account.provider, "mode": account.mode}


def endpoint_labels(account: AccountSettings, endpoint: EndpointSettings) -> dict[str, str]:
    return {
        **account_labels(account),
        "endpoint": endpoint.name,
        "topology": endpoint.topology,
        RECEIVER: OURS if account.receives(endpoint) else "application",
    }


def row_for(signals: SignalSet, source: str, labels: Mapping[str, str]) -> SignalRow | None:
    """The first row whose labels all agree with `labels`, as far as `labels` has them; None when there is none."""
    for row in signals.get(source, ()):
        if all(labels.get(name, value) == value for name, value in row.labels.items()):
            return row
    return None


def known_values(row: SignalRow | None, source: str, now: datetime) -> Mapping[str, Value | None]:
    """The row's values, or none of them when the row is missing or older than its source allows."""
    known = SOURCES.get(source)
    if row is None or known is None or row.as_of is None:
        return {}
    if now - row.as_of > timedelta(seconds=known.stale_after_s):
        return {}
    return row.values


def age_s(at: datetime | None, now: datetime) -> int | None:
    """Whole seconds since then; None where that is not known."""
    return None if at is None else max(0, int((now - at).total_seconds()))
