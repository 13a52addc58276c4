"""What is proven about the stored credentials, and which of them is in use."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import CredentialProof

from .redaction import redact_text
from .switches import set_meta

if TYPE_CHECKING:
    from .audit import Audit
    from .store import Store


APPLICATION = -1
"""The slot of the application's own credential, which payops only probes."""


class CredentialFacts:
    _store: Store

    def proof(self, account: str, slot: int | None = None) -> CredentialProof | None:
        """The latest proof of the slot in use, or of the given one; None before the first."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT * FROM credential_proofs WHERE account = ?1 AND slot = COALESCE(?2,"
                " (SELECT slot FROM credential_slots WHERE account = ?1), 0)",
                (account, slot),
            ).fetchone()
        if row is None:
            return None
        return CredentialProof(
            row["account"],
            row["slot"],
            row["hint"],
            from_epoch(row["at"]),
            bool(row["ok"]),
            row["identity"],
            row["mode"],
            row["error"],
            row["code"],
            row["message"],
            row["request_id"],
            None if row["permissions"] is None else tuple(json.loads(row["permissions"])),
            tuple(json.loads(row["missing"])),
            row["evidence"],
        )

    def application_proof(self, account: str) -> CredentialProof | None:
        """The latest proof of the application's own credential; None = not configured or not probed yet."""
        return self.proof(account, APPLICATION)

    def save_proof(self, proof: CredentialProof) -> None:
        """Keep it unless a later one of the same slot is known."""
        with self._store.write() as db:
            store_proof(db, proof)

    def active_slot(self, account: str) -> int:
        """The stored credential in use: 0 is the account's own, 1… its fallbacks."""
        with self._store.read() as db:
            row = db.execute("SELECT slot FROM credential_slots WHERE account = ?", (account,)).fetchone()
        return 0 if row is None else int(row["slot"])

    def set_active_slot(self, account: str, slot: int, now: datetime, *, who: str = "payops") -> None:
        """Use another stored credential from now on; audited."""
        audit: Audit = self._store.audit
        with self._store.write() as db:
            db.execute(
                "INSERT INTO credential_slots (account, slot, at) VALUES (?, ?, ?)"
                " ON CONFLICT (account) DO UPDATE SET slot = excluded.slot, at = excluded.at",
                (account, slot, to_epoch(now)),
            )
            audit.append(db, now, who, "use credential", account, "ok", "payops", {"slot": slot})

    def webhook_slot(self, account: str) -> int | None:
        """The stored credential webhooks were promoted to be verified with; None = nothing was promoted."""
        slot = self._store.switches.meta_get(_webhook_slot(account))
        return None if slot is None else int(slot)

    def set_webhook_slot(self, account: str, slot: int, now: datetime, *, who: str = "payops") -> None:
        """Verify webhooks with another stored credential from now on; audited."""
        with self._store.write() as db:
            set_meta(db, _webhook_slot(account), str(slot))
            detail = {"slot": slot}
            self._store.audit.append(db, now, who, "use webhook secret", account, "ok", "payops", detail)


def _webhook_slot(account: str) -> str:
    return f"webhook slot of {account}"


def store_proof(db: sqlite3.Connection, proof: CredentialProof) -> None:
    db.execute(
        "INSERT INTO credential_proofs (account, slot, hint, at, ok, identity, mode, error, code, message,"
        " request_id, permissions, missing, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account, slot) DO UPDATE SET hint = excluded.hint, at = excluded.at,"
        " ok = excluded.ok, identity = excluded.identity, mode = excluded.mode, error = excluded.error,"
        " code = excluded.code, message = excluded.message, request_id = excluded.request_id,"
        " permissions = excluded.permissions, missing = excluded.missing, evidence = excluded.evidence"
        " WHERE excluded.at >= credential_proofs.at",
        (
            proof.account,
            proof.slot,
            redact_text(proof.hint),
            to_epoch(proof.at),
            int(proof.ok),
            proof.identity,
            proof.mode,
            proof.error,
            proof.code and redact_text(proof.code),
            redact_text(proof.message),
            proof.request_id,
            None if proof.permissions is None else _names(proof.permissions),
            _names(proof.missing),
            redact_text(proof.evidence),
        ),
    )


def store_application_proof(db: sqlite3.Connection, proof: CredentialProof) -> None:
    """Kept apart from the monitor's own, whatever slot it was made with."""
    store_proof(db, replace(proof, slot=APPLICATION))


def _names(names: tuple[str, ...]) -> str:
    return json.dumps([redact_text(name) for name in names])
