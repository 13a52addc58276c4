"""Level 1: every remedy is plan → apply → read back → verify, and the runner owns everything that makes it safe.

`Runner.tick` drives open incidents: two attempts each, five minutes, the attempt on disk before the call.
A remedy (`enable_endpoint`, `resend_missing`, `switch_credential`, `diagnose`) only knows its own calls.
"""

from __future__ import annotations

from .asked import DryRun
from .probe import UrlProbe, http_probe
from .runner import Runner

__all__ = ["DryRun", "Runner", "UrlProbe", "http_probe"]
