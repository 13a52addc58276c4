"""Changes that people tell of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from payops.clock import iso
from payops.config import Settings
from payops.domain.changes import KINDS
from payops.domain.errors import UsageError
from payops.store import Store
from payops.store.own_changes import Change
from payops.text import did_you_mean, safe_line

AHEAD = timedelta(minutes=5)
"""Clocks differ by that much; what is further ahead has not happened."""


def change_of(settings: Settings, fields: Mapping[str, str], who: str, now: datetime) -> Change:
    """The change as told; `UsageError` says which word is wrong."""
    text = fields.get("text", "").strip()
    if not text:
        raise UsageError("change: text is empty; say what was changed")
    kind = fields.get("kind") or "deploy"
    if kind not in KINDS:
        raise UsageError(
            f"change: no kind {safe_line(kind)!r}{did_you_mean(kind, KINDS)}; known: {', '.join(KINDS)}"
        )
    account = settings.account(fields["account"]).name if fields.get("account") else None
    return Change(_when(fields.get("at", ""), now), kind, text, who, account)


def tell(store: Store, change: Change, now: datetime) -> str:
    """Keep it, audited; the sentence to answer with."""
    with store.write() as db:
        store.changes.add(change)
        detail = {"kind": change.kind, "at": iso(change.at), "text": change.text}
        store.audit.append(
            db, now, change.who, "tell a change", change.account or "all", "ok", "command", detail
        )
    where = change.account or "all accounts"
    return f"Noted for {where}: {KINDS[change.kind].said} at {iso(change.at)}."


def _when(text: str, now: datetime) -> datetime:
    if not text.strip():
        return now
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"change: at must be a time such as 2026-01-15T09:00:00Z, got {safe_line(text, limit=40)!r}"
        ) from error
    if at.tzinfo is None:
        raise UsageError("change: at needs a zone: write Z at the end for UTC")
    if at > now + AHEAD:
        raise UsageError(f"change: {iso(at)} has not come yet; tell it when it is done")
    return at.astimezone(UTC)
