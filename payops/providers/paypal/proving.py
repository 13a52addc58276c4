"""What one token says of a credential: that it is accepted, whose it is, its mode, and what it may not do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from payops.domain.errors import ProviderError
from payops.domain.events import CredentialProof
from payops.domain.payments import Mode
from payops.providers.port import APPLICATION

from . import wire
from .errors import SCOPES
from .feeds import webhooks
from .hosts import SANDBOX_APP_ID, mode_of_host, mode_of_link
from .session import Reader, Session

if TYPE_CHECKING:
    from .transport import Token

NEEDED = tuple(
    dict.fromkeys(
        SCOPES[kind]
        for kind in ("webhooks-events", "transactions", "disputes", "subscriptions", "captures", "refunds")
    )
)
"""The scopes payops reads and repairs with."""


def prove(session: Session, slot: int, now: datetime) -> CredentialProof:
    """What a new token says. A rejection is a proof; no other host than the account's own is asked."""
    proof = CredentialProof(account=session.account, slot=slot, hint=session.hint(slot), at=now, ok=True)
    try:
        token = session.token(slot, now, renew=True)
    except ProviderError as error:
        if error.bucket not in ("auth", "permission"):
            raise
        return replace(
            proof,
            ok=False,
            error=error.bucket,
            code=error.code,
            message=error.message,
            request_id=error.request_id,
        )
    mode, evidence = _mode(session, slot, token, now)
    missing: tuple[str, ...] = ()
    if token.scopes is not None and slot != APPLICATION:
        missing = tuple(scope for scope in NEEDED if scope not in token.scopes)
    return replace(
        proof,
        # All sandbox accounts share that one: it names nobody.
        identity=None if token.app_id == SANDBOX_APP_ID else token.app_id,
        mode=mode,
        evidence=evidence,
        permissions=token.scopes,
        missing=missing,
        request_id=token.request_id,
    )


def require_mode(session: Session, slot: int, now: datetime) -> None:
    """Raise when the token in use is of the other mode: what it lists, or does not, says nothing about us."""
    mode, evidence = _shown(session, session.token(slot, now, renew=False))
    if mode not in (None, session.mode):
        raise session.error(
            "invalid_request",
            f"the credential reads {mode} data, but account {session.account} is {session.mode}: {evidence}",
        )


def _shown(session: Session, token: Token) -> tuple[Mode | None, str]:
    """What a token shows by itself."""
    if token.app_id == SANDBOX_APP_ID:
        return "test", f"the token shows the sandbox's shared app_id {SANDBOX_APP_ID}"
    host = session.base.rpartition("/")[2]
    mode = mode_of_host(host)
    if mode is not None:
        return mode, f"{host} issued the token"
    if token.app_id:
        return "live", f"the token shows the app_id {token.app_id}, not the sandbox's shared one"
    return None, ""


def _mode(session: Session, slot: int, token: Token, now: datetime) -> tuple[Mode | None, str]:
    mode, evidence = _shown(session, token)
    if mode is not None:
        return mode, evidence
    try:
        page = webhooks(Reader(session, slot, now))
    except ProviderError:
        return None, ""
    for row in wire.rows(page.rows, wire.Webhook):
        for link in row.links or ():
            mode = mode_of_link(link.href or "")
            if mode is not None:
                return mode, f"its webhooks' links lead to {link.href and link.href.split('/')[2]}"
    return None, ""
