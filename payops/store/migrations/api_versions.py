"""In which API version a provider renders an account's events, and since when; `accepted_at`: it is meant to be so.

Frozen once released: a change is a new migration. What an account was last told to have counts as meant.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE api_versions (
        account TEXT NOT NULL,
        at INTEGER NOT NULL,
        version TEXT NOT NULL,
        accepted_at INTEGER,
        PRIMARY KEY (account, at)
    ) STRICT, WITHOUT ROWID""",
    "INSERT INTO api_versions (account, at, version, accepted_at)"
    " SELECT account, at, api_version, at FROM account_states WHERE api_version IS NOT NULL",
)
