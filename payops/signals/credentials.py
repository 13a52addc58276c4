"""What is proven about the credentials: the monitor's, in use, and the application's own, only ever looked at."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.abilities import can
from payops.domain.events import CredentialProof
from payops.domain.incidents import Value
from payops.store import FeedState, Store

from .rows import account_labels, age_s
from .schema import SignalRow

EXPIRED = frozenset({"api_key_expired"})
"""Codes that say that a credential has run out. Braintree and PayPal do not tell why they reject one."""
APPLICATION_LASTS = timedelta(hours=1)
"""The application's credential is probed seldom: so long a proof of it says something."""
_STRIPE_PERMISSION = re.compile(r"\brak_[a-z0-9_]{1,60}\b")


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `credentials` signal of one account, from the newest proof of the slot in use."""
    proof = store.facts.proof(account.name)
    values: dict[str, Value | None] = {
        "accepted": proof.ok if proof else None,
        "rejected": (proof.error == "auth") if proof else None,
        "code": (proof.code or "") if proof else None,
        "expired": _expired(account, proof),
        "wrong_mode": None if proof is None or proof.mode is None else proof.mode != account.mode,
        "missing_permissions": len(names) if (names := _missing(store, account, proof)) is not None else None,
        "fallbacks": account.slots - 1,
        "age_s": age_s(proof.at if proof else None, now),
        **_application(store, account, now),
    }
    return SignalRow(account_labels(account), values, proof.at if proof else None)


def permissions_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `permissions` signal of one account."""
    proof = store.facts.proof(account.name)
    names = _missing(store, account, proof)
    feeds = [state for state in store.facts.feeds() if state.account == account.name]
    values: dict[str, Value | None] = {
        "missing": None if names is None else len(names),
        "names": None if names is None else ", ".join(names),
        "refused_feeds": sum(map(_refused, feeds)) if feeds else None,
        "nameable": can(account.provider, "name_permissions"),
    }
    known = [at for at in (proof.at if proof else None, *(state.tried_at for state in feeds)) if at]
    return SignalRow(account_labels(account), values, max(known) if known else None)


def application_failing(proof: CredentialProof | None, account: AccountSettings) -> bool | None:
    """Whether the application's own credential is rejected or of the other mode; None where that is not known."""
    if proof is None:
        return None
    if not proof.ok:
        return True if proof.error == "auth" else None
    return False if proof.mode is None else proof.mode != account.mode


def application_sentence(store: Store, account: str) -> str:
    """What is known of the application's own credential: a checkout may be down while payops sees, and the reverse."""
    proof = store.facts.application_proof(account)
    if proof is None:
        return "the application's key was not verified: no application_credential is configured, or not probed yet"
    at = f"at {proof.at:%Y-%m-%d %H:%M:%S} UTC"
    if proof.ok:
        return f"the application's key {proof.hint} was accepted {at}{f' in {proof.mode} mode' if proof.mode else ''}"
    if proof.error == "auth":
        return f"the application's key {proof.hint} is rejected too, {at} ({proof.code or proof.error})"
    return f"the application's key was not verified: its probe was not answered {at} ({proof.error or 'no reason'})"


def _application(store: Store, account: AccountSettings, now: datetime) -> dict[str, Value | None]:
    proof = store.facts.application_proof(account.name) if account.application_credential else None
    if proof is not None and now - proof.at > APPLICATION_LASTS:
        proof = None
    failing = application_failing(proof, account)
    code: str | None = None
    if proof is not None and failing is not None:
        code = ((proof.code or proof.error or "") if not proof.ok else "wrong mode") if failing else ""
    return {
        "application_known": proof is not None,
        "application_failing": failing,
        "application_code": code,
    }


def _expired(account: AccountSettings, proof: CredentialProof | None) -> bool | None:
    if proof is None:
        return None
    if proof.error != "auth":
        return False
    return proof.code in EXPIRED if account.provider == "stripe" else None


def _missing(store: Store, account: AccountSettings, proof: CredentialProof | None) -> list[str] | None:
    """The permissions refused by name: by the proof, and by what feeds were answered since."""
    if proof is None or not proof.ok or not can(account.provider, "name_permissions"):
        return None
    named = set(proof.missing)
    for state in store.facts.feeds():
        if state.account == account.name and _refused(state):
            named |= set(_STRIPE_PERMISSION.findall(state.error_message or ""))
    return sorted(named)


def _refused(state: FeedState) -> bool:
    return state.error_bucket == "permission"
