"""Where a stored credential stands in the configuration, in words and in a plan."""

from __future__ import annotations

from payops.domain.plans import Plan


def place(slot: int) -> str:
    """`the configured credential`, `fallback_credentials[0]`, …"""
    return "the configured credential" if slot == 0 else f"fallback_credentials[{slot - 1}]"


def slot_in(plan: Plan, name: str) -> int:
    """A slot the plan names."""
    slot = plan.data[name]
    if not isinstance(slot, int):
        raise ValueError(f"a plan keeps slots as numbers, got {slot!r}")
    return slot
