"""Finding the approvals of orders among all events.

Frozen once released: a change is a new migration.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "CREATE INDEX provider_events_approved ON provider_events (account, created_at)"
    " WHERE type = 'CHECKOUT.ORDER.APPROVED'",
)
