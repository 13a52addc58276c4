"""Schema 3: what searching the inbox and letting go of old bodies need.

Frozen once released: a change is a new migration. Both indexes leave out what waits to be processed: making a
delivery durable costs nothing more.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "CREATE INDEX inbox_bodies ON inbox (received_at) WHERE body <> '' AND state IN ('processed', 'dead')",
    "CREATE INDEX inbox_objects ON inbox (object_id) WHERE state = 'processed' AND object_id IS NOT NULL",
)
