"""`payops store check`, `backup` and `restore`: is the file sound, a copy of it, and the copy put back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from payops.domain.errors import StoreError

from .audit import AuditReport
from .store import Store


@dataclass(frozen=True, slots=True)
class CheckReport:
    """`problems` are SQLite's own findings; the audit is judged apart."""

    problems: tuple[str, ...]
    audit: AuditReport

    @property
    def ok(self) -> bool:
        return not self.problems and self.audit.ok


def check(store: Store) -> CheckReport:
    """Read the whole file: its pages, its references, its audit chain. Changes nothing."""
    return CheckReport(store.quick_check(), store.audit.verify())


def restore(source: Path, path: Path, now: datetime) -> Path | None:
    """Put a copy of the backup at `source` in the place of the store at `path`.

    Returns where the store that was there is kept, None when there was none. `StoreError` when the backup is not
    whole, or a process works on the store: stop it first. Whatever fails, the store at `path` stays as it was.
    """
    with Store.open_existing(source, now=None) as copy:
        found = check(copy)
        if not found.ok:
            raise StoreError(
                f"{source}: is not a whole store: {'; '.join(found.problems) or found.audit.why}"
            )
        _refuse_in_use(path, now)
        partial = path.with_name(f"{path.name}.restoring")
        partial.unlink(missing_ok=True)
        backup(copy, partial)
    kept = None
    if path.exists():
        kept = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%SZ}")
        if kept.exists():
            raise StoreError(f"{kept}: exists already; move it away, then restore again")
        _fold_in(path)
        path.rename(kept)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    partial.rename(path)
    return kept


def _refuse_in_use(path: Path, now: datetime) -> None:
    if not path.exists():
        return
    try:
        with Store.open_existing(path) as present:
            holders = [present.leases.holder(name, now) for name in ("engine", "receiver")]
    except StoreError:
        return  # A damaged store is what a backup is restored over.
    if (holder := next((each for each in holders if each), None)) is not None:
        raise StoreError(f"{path}: {holder.holder} works on it; stop payops there, then restore again")


def _fold_in(path: Path) -> None:
    """Bring what is still in the write-ahead log into the file, so that the kept copy is whole by itself."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def backup(store: Store, target: Path) -> Path:
    """A complete, compact copy at `target` (new, mode 0600), taken while payops goes on working.

    `StoreError` when the target exists or cannot be written; nothing is left there then.
    """
    if store.path is None:
        raise StoreError("a store in memory cannot be backed up")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{target}: exists already; name a new file for the backup") from error
    except OSError as error:
        raise StoreError(f"{target}: cannot be created: {error.strerror}; choose another place") from error
    try:
        store.copy_into(target)
        with target.open("rb") as copy:
            os.fsync(copy.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target
