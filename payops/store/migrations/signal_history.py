"""What every signal said, minute by minute, so that rules can be judged over the past as it was seen.

Frozen once released: a change is a new migration. `body` is zlib-compressed JSON: all rows where `base` is NULL, else
what differs from the sample taken at `base`.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE signal_samples (
        at INTEGER PRIMARY KEY,
        base INTEGER,
        body BLOB NOT NULL
    ) STRICT""",
)
