"""`payops store check` and `payops store backup`: is the file sound, and a copy of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
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
