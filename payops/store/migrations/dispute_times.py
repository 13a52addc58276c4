"""Schema: disputes by when they were opened, so that a day of them can be compared with the month before.

Frozen once released: a change is a new migration.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = ("CREATE INDEX disputes_at ON disputes (account, at)",)
