"""Schema: the subscriptions that owe, counted from an index that holds nothing else.

Frozen once released: a change is a new migration.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "CREATE INDEX subscriptions_owing ON subscriptions"
    " (account, owing_since, has_payment_method, status, outstanding_minor) WHERE owing_since IS NOT NULL",
)
