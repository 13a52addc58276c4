"""What is proven about the credential in use, and what arrived from the wrong mode."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.store import Store

from .schema import SignalRow


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `credentials` signal of one account, from the newest proof of the slot in use."""
    proof = store.facts.proof(account.name)
    values: dict[str, Value | None] = {
        "accepted": proof.ok if proof else None,
        "rejected": (proof.error == "auth") if proof else None,
        "code": (proof.code or "") if proof else None,
        "wrong_mode": None if proof is None or proof.mode is None else proof.mode != account.mode,
        "fallbacks": account.slots - 1,
    }
    return SignalRow(_labels(account), values, proof.at if proof else None)


def mode_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `mode` signal of one account."""
    count = store.facts.wrong_mode_count(account.name, now - timedelta(hours=1))
    return SignalRow(_labels(account), {"wrong_mode_events_1h": count}, now)


def _labels(account: AccountSettings) -> dict[str, str]:
    return {"account": account.name, "provider": account.provider, "mode": account.mode}
