"""Orders that buyers approved, and whether anything was tried of them: for the provider that tells both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import to_epoch

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders approved in a stretch of time, and those of them of which no capture or authorization is known."""

    approved: int
    untried: int


class OrderFacts:
    _store: Store

    def approved_orders(self, account: str, since: datetime, until: datetime) -> Orders:
        """Counted by the provider's event of the approval, from `since` on and before `until`."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n, COALESCE(SUM(NOT EXISTS (SELECT 1 FROM attempts WHERE"
                " attempts.account = told.account AND attempts.payment_id = told.object_id)), 0) AS untried"
                # The type is spelled out: only so is the index of approvals used.
                " FROM provider_events AS told WHERE account = ? AND type = 'CHECKOUT.ORDER.APPROVED'"
                " AND created_at >= ? AND created_at < ? AND object_id IS NOT NULL",
                (account, to_epoch(since), to_epoch(until)),
            ).fetchone()
        return Orders(row["n"], row["untried"])
