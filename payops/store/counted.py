"""Which first attempts acceptance counts: a customer's own, that no rule of the merchant's stopped.

Renewals and dunning retries are streams of their own; what a rule stopped never reached an issuer.
"""

from __future__ import annotations

from payops.domain.blocks import BLOCKS

_CODES = ", ".join(f"'{code}'" for code in sorted(set().union(*BLOCKS.values())))
FIRST = "attempts.first = 1 AND COALESCE(attempts.initiated_by, 'customer') = 'customer'"
"""Customers' first attempts, as SQL; `first = 1` stands first for the index on it."""
STOPPED = f"{FIRST} AND attempts.status = 'failed' AND attempts.decline_code IN ({_CODES})"
"""Those of them that a rule stopped."""
COUNTED = f"{FIRST} AND COALESCE(attempts.decline_code, '') NOT IN ({_CODES})"
"""The others. No provider uses another one's code for anything else, so the account's need not be known."""
