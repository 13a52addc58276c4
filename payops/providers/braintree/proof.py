"""What cheap reads prove about a Braintree credential: whose it is, its environment, and that it is accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from payops.domain.errors import ProviderError
from payops.domain.events import CredentialProof
from payops.providers.port import APPLICATION

from .keys import MODES
from .session import Session

NO_NAME = "forbidden"


def prove(session: Session, slot: int, now: datetime) -> CredentialProof:
    """A read of the merchant accounts proves the pair and its merchant, a client token names the environment.

    Braintree says 401 alike for a revoked pair and for one of the other environment; only a credential that names
    its environment itself tells them apart. A 403 names no permission.
    """
    keys = session.keys(slot)
    proof = CredentialProof(
        account=session.account, slot=slot, hint=keys.hint, at=now, ok=True, identity=keys.merchant_id
    )
    if keys.stated_mode is not None:
        proof = replace(proof, mode=keys.stated_mode, evidence="the environment named in the credential")
    try:
        answer = session.via(slot).get("/merchant_accounts/?page=1")
        proof = replace(proof, request_id=answer.request_id)
    except ProviderError as error:
        if error.bucket == "auth":
            return _rejected(proof, error)
        if error.bucket != "permission":
            raise
        proof = _limited(proof, error)
    if slot == APPLICATION:
        return proof  # one cheap read and no more: it is not ours to use
    try:
        answer, environment, merchant = session.environment(slot)
    except ProviderError as error:
        if error.bucket == "auth":
            return _rejected(proof, error)
        if error.bucket not in ("permission", "invalid_request"):
            raise
        return _limited(proof, error)
    proof = replace(
        proof, identity=merchant or proof.identity, request_id=answer.request_id or proof.request_id
    )
    mode = MODES.get(environment or "")
    return proof if mode is None else replace(proof, mode=mode, evidence="client_token.environment")


def _limited(proof: CredentialProof, error: ProviderError) -> CredentialProof:
    """Accepted, but not allowed to do this: Braintree does not say what is missing."""
    return replace(proof, code=error.code or NO_NAME, message=error.message, request_id=error.request_id)


def _rejected(proof: CredentialProof, error: ProviderError) -> CredentialProof:
    return replace(
        proof,
        ok=False,
        identity=None,
        error=error.bucket,
        code=error.code,
        message=error.message,
        request_id=error.request_id,
    )
