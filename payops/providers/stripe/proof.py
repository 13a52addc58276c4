"""What two cheap reads prove about a key: whose it is, its mode, what it was refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from payops.clock import to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import CredentialProof
from payops.providers.port import APPLICATION
from payops.text import mask

from . import keys, wire
from .session import Reader

BY_BALANCE = "balance.livemode"
BY_PREFIX = "key prefix"
_ACCOUNT_ID = re.compile(r"\bacct_\w{1,64}")
_PROBE_EVERY_S = 3600
_NEVER_LISTED = ("subscriptions", "invoices", "customers", "payment_intents")
"""What remedies and read-backs need and no feed reads all the time."""


def prove(reader: Reader, now: datetime, *, identity: str | None = None) -> CredentialProof:
    """The proof of `reader.slot`. A rejected key is a proof; other errors are raised.

    `identity` is the account the key is already known to belong to: it is not asked again. The application's key
    gets one read.
    """
    session, slot = reader.session, reader.slot
    key = session.key(slot)
    proof = CredentialProof(account=session.account, slot=slot, hint=mask(key), at=now, ok=True)
    try:
        reader.requests += 1
        answer, mode = session.balance(slot)
        proof = replace(proof, mode=mode, evidence=BY_BALANCE if mode else "", request_id=answer.request_id)
    except ProviderError as error:
        if error.bucket == "auth":
            return _rejected(reader, proof, error)
        if error.bucket != "permission":
            raise
        # Refused the balance, not the key.
        proof = replace(
            proof,
            code=error.code,
            message=error.message,
            identity=_account_in(error.message),
            request_id=error.request_id,
        )
    if proof.mode is None:
        by_prefix = keys.mode_of(key)
        proof = replace(proof, mode=by_prefix, evidence=BY_PREFIX if by_prefix else "")
    if identity is not None or slot == APPLICATION:
        return _complete(reader, replace(proof, identity=identity or proof.identity))
    try:
        account, answer = reader.answered("/v1/account", wire.Account)
        proof = replace(proof, identity=account.id, request_id=answer.request_id)
    except ProviderError as error:
        if error.bucket == "auth":
            return _rejected(reader, proof, error)
        if error.bucket != "permission":
            raise
        # The refusal itself names the account the key belongs to.
        proof = replace(proof, identity=_account_in(error.message) or proof.identity)
    return _complete(reader, proof)


def probe(reader: Reader, now: datetime) -> None:
    """Once an hour, one read of the next thing no feed reads, so that a missing permission shows before it is needed."""
    session = reader.session
    hour = to_epoch(now) // _PROBE_EVERY_S
    if session.probed.get(reader.slot) == hour:
        return
    session.probed[reader.slot] = hour
    reader.requests += 1
    try:
        session.get(reader.slot, f"/v1/{_NEVER_LISTED[hour % len(_NEVER_LISTED)]}", {"limit": 1})
    except ProviderError:
        return  # a missing permission is kept in mind by the session; the rest is for the feeds to say


def _complete(reader: Reader, proof: CredentialProof) -> CredentialProof:
    if proof.identity is not None:
        reader.session.identities[reader.slot] = proof.identity
    return replace(proof, missing=reader.session.missing(reader.slot))


def _rejected(reader: Reader, proof: CredentialProof, error: ProviderError) -> CredentialProof:
    reader.session.identities.pop(reader.slot, None)
    return replace(
        proof,
        ok=False,
        mode=None,
        evidence="",
        error=error.bucket,
        code=error.code,
        message=error.message,
        request_id=error.request_id,
    )


def _account_in(message: str) -> str | None:
    found = _ACCOUNT_ID.search(message)
    return found.group(0) if found else None
