"""The only SQL. One SQLite file in WAL mode; nothing reaches it unredacted.

`Store` opens the file (creating and migrating it) and hands out one connection per thread. Its parts are
`facts`, `inbox`, `incidents`, `rules`, `commands`, `audit`, `leases` and `switches`; each owns its tables.
"""

from .audit import AuditReport, AuditRow
from .commands import Command
from .exceptions import Owing
from .facts import Applied, Breaker, CallStats, Double, FeedState, FirstAttempt, ReadPlan, Slice, Window
from .inbox import InboxCounts, InboxRow
from .leases import Lease
from .redaction import Finding, redact, redact_text
from .rules import RuleState
from .store import Store
from .switches import Stop

__all__ = [
    "Applied",
    "AuditReport",
    "AuditRow",
    "Breaker",
    "CallStats",
    "Command",
    "Double",
    "FeedState",
    "Finding",
    "FirstAttempt",
    "InboxCounts",
    "InboxRow",
    "Lease",
    "Owing",
    "ReadPlan",
    "RuleState",
    "Slice",
    "Stop",
    "Store",
    "Window",
    "redact",
    "redact_text",
]
