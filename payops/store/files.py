"""The file on disk: who may read it, whether it is ours, and one clear line when it is not."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from pathlib import Path
from urllib.parse import quote

from payops.domain.errors import StoreError

from .migrations import APPLICATION_ID, CURRENT, version

_MAGIC = b"SQLite format 3\x00"
BUSY_S = 5.0
KEY_BYTES = 32


def create(path: Path) -> None:
    """An empty file only its owner may read. An existing one is left alone."""
    parent = path.parent
    if not parent.is_dir():
        what = "is not a directory" if parent.exists() else "does not exist"
        raise StoreError(f"{path}: the directory {parent} {what}; create it: mkdir -p {parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StoreError(_read_only(path))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be created: {error.strerror}; choose another place for the store"
        ) from error


def key(path: Path) -> bytes:
    """32 secret bytes in a file of their own that only its owner may read, made when there is none."""
    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        made = None
    except OSError as error:
        raise StoreError(f"{path}: cannot be created: {error.strerror}") from error
    try:
        if made is not None:
            with os.fdopen(made, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise StoreError(f"{path}: others can read it; run: chmod 600 {path}")
        found = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    if len(found) != KEY_BYTES:
        raise StoreError(f"{path}: is not a key of payops; move it away")
    return found


def check(path: Path) -> None:
    """Refuse, before SQLite touches it, a file that cannot be our store or that others can read."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: no store there; start `payops run` or `payops engine` once, or name another"
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: is not a file; name the store's file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreError(f"{path}: others can read it; run: chmod 600 {path}")
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from error
    if head and head != _MAGIC:
        raise StoreError(f"{path}: is not a payops store (not a SQLite file); name another file")
    if not os.access(path, os.W_OK):
        raise StoreError(f"{path}: cannot be written; run: chmod 600 {path}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(_read_only(path))


def check_schema(conn: sqlite3.Connection, path: Path) -> int:
    """The file's schema version; refuses a newer one and a stranger's. Reads only."""
    found = version(conn)
    ours = conn.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours and (found or conn.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]):
        raise StoreError(f"{path}: is a SQLite file of another program; name another file for the store")
    if found > CURRENT:
        raise StoreError(
            f"{path}: was written by a newer payops (schema {found}, this one knows {CURRENT}): "
            "upgrade payops; the store was not touched"
        )
    return found


def connect(path: Path) -> sqlite3.Connection:
    """A connection that never creates the file and leaves transactions to us."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def prepare(conn: sqlite3.Connection) -> sqlite3.Connection:
    """Set what each connection needs."""
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("PRAGMA recursive_triggers = ON")
    conn.execute("PRAGMA cache_size = -65536")
    conn.execute("PRAGMA temp_store = MEMORY")
    conn.execute("PRAGMA synchronous = NORMAL")
    return conn


def explain(path: str, error: sqlite3.DatabaseError) -> StoreError:
    """What an SQLite error means for the person in front of it."""
    text = str(error)
    if "locked" in text or "busy" in text:
        hint = f"another process has been writing for {BUSY_S:.0f} s; try again"
    elif "full" in text:
        hint = "nothing of this change was stored; free some space on its disk"
    elif "readonly" in text or "unable to open" in text:
        hint = "check the owner and mode of the file and its directory"
    elif "malformed" in text or "not a database" in text:
        hint = "stop payops, run `payops store check`, and restore a backup"
    else:
        hint = "nothing of this change was stored"
    return StoreError(f"{path}: {text}: {hint}")


def _read_only(path: Path) -> str:
    return f"{path}: the directory {path.parent} cannot be written, and SQLite keeps its journal there; make it writable or choose another"
