"""`Store`: opens the file, hands out transactions, and holds the parts that own its tables."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path

from payops.domain.errors import StoreError

from . import files
from .application_inbox import ApplicationInbox
from .audit import Audit
from .commands import Commands
from .facts import Facts
from .findings import Findings
from .followups import Followups
from .forwards import Forwards
from .inbox import Inbox
from .incidents import Incidents
from .leases import Lease, Leases
from .migrations import CURRENT, migrate
from .outbox import Outbox
from .own_changes import Changes
from .rules import Rules
from .samples import Samples
from .silences import Silences
from .space import Space, of_disk
from .streams import Streams
from .switches import Switches


class _Session:
    """One thread's connection and where it stands in its transaction."""

    __slots__ = ("__weakref__", "conn", "depth", "lease", "synchronous", "writing")

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.depth = 0
        self.writing = False
        self.synchronous = ""
        self.lease: Lease | None = None


class Store:
    """One SQLite file. Any number of threads and processes may use it at once.

    Each thread has its own connection. `read()` and `write()` nest: an inner one joins the outer transaction.
    Raises `StoreError` with one line for a person whenever the file cannot be used.
    """

    def __init__(self, path: Path | None, shared: sqlite3.Connection | None = None) -> None:
        """Use `open`, `open_existing` or `in_memory`."""
        self.path = path
        self.where = str(path) if path else "the store in memory"
        self._local = threading.local()
        self._sessions: weakref.WeakSet[_Session] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._closed = False
        self._shared = _Session(shared) if shared else None
        self._turn: AbstractContextManager[object] = threading.RLock() if shared else nullcontext()
        self.audit = Audit(self)
        self.facts = Facts(self)
        self.findings = Findings(self)
        self.inbox = Inbox(self)
        self.forwards = Forwards(self)
        self.applications = ApplicationInbox(self)
        self.incidents = Incidents(self)
        self.followups = Followups(self)
        self.outbox = Outbox(self)
        self.rules = Rules(self)
        self.silences = Silences(self)
        self.samples = Samples(self)
        self.commands = Commands(self)
        self.leases = Leases(self)
        self.switches = Switches(self)
        self.streams = Streams(self)
        self.changes = Changes(self)
        self.space: Callable[[], Space | None] = partial(of_disk, path)
        """How much room its disk has; a demo's is told another story."""
        self._identity: str | None = None
        self.seeded = False
        """Its secrets are made of its seed: for runs that must come out the same."""

    @classmethod
    def open(cls, path: Path, *, now: datetime, seed: str | None = None) -> Store:
        """The store at `path`, created (mode 0600) or migrated when needed.

        `seed` makes the identity of a new store reproducible; without it, it is random.
        """
        if not path.exists():
            files.create(path)
        store = cls._opened(path, now=now, identity=_identity_from(seed) if seed else None, may_create=True)
        store.seeded = seed is not None
        return store

    @classmethod
    def open_existing(cls, path: Path, *, now: datetime | None = None) -> Store:
        """The store at `path`, which must exist. With `now` an older one is migrated, without it refused."""
        return cls._opened(path, now=now, identity=None, may_create=False)

    @classmethod
    def in_memory(cls, now: datetime, *, seed: str = "memory") -> Store:
        """A store without a file, made by the same migrations: one connection, one thread at a time."""
        store = cls(None, _in_memory(now))
        store._settle_identity(_identity_from(seed))
        return store

    @classmethod
    @contextmanager
    def scratch(cls, now: datetime, *, seed: str = "memory") -> Iterator[Store]:
        """A store in memory for one short life: all that is done in it is undone, and the next one is ready at once.

        What it costs to make a store, and to prepare each statement anew, is paid once in a process.
        """
        try:
            conn = _SCRATCH.pop()
        except IndexError:
            conn = _in_memory(now)
        conn.execute("BEGIN")
        store = cls(None, conn)
        assert store._shared is not None
        store._shared.depth, store._shared.writing = 1, True
        try:
            store._settle_identity(_identity_from(seed))
            yield store
        finally:
            store._closed = True
            if conn.in_transaction:
                conn.execute("ROLLBACK")
                _SCRATCH.append(conn)
            else:
                conn.close()  # SQLite ended the transaction itself: nobody knows what it left

    @classmethod
    def _opened(cls, path: Path, *, now: datetime | None, identity: str | None, may_create: bool) -> Store:
        files.check(path)
        conn: sqlite3.Connection | None = None
        try:
            conn = files.connect(path)
            found = files.check_schema(conn, path)
            if found == 0 and not may_create:
                raise StoreError(f"{path}: is empty, not a payops store; start `payops run` once")
            if found < CURRENT and now is None:
                raise StoreError(
                    f"{path}: is of an older payops (schema {found}, this one needs {CURRENT}); "
                    "start `payops run` or `payops engine` once: it brings the store up to date"
                )
            # A restored backup is not in WAL mode; on a current store this changes nothing.
            if conn.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise StoreError(f"{path}: this disk cannot share a store; use a local disk")
            if found < CURRENT and now is not None:
                migrate(conn, now)
        except sqlite3.DatabaseError as error:
            raise files.explain(str(path), error) from error
        finally:
            if conn is not None:
                conn.close()
        store = cls(path)
        try:
            store._settle_identity(identity or secrets.token_hex(16))
        except BaseException:
            store.close()
            raise
        return store

    @property
    def identity(self) -> str:
        """32 hex digits that tell this store from every other; fixed when it was created."""
        assert self._identity is not None
        return self._identity

    def _settle_identity(self, new: str) -> None:
        known = self.switches.meta_get("identity")
        if known is None:
            with self.write() as db:
                db.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('identity', ?)", (new,))
            known = self.switches.meta_get("identity")
        self._identity = known

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent picture: everything read inside is of the same instant."""
        with self._turn:
            session = self._session()
            try:
                if session.depth:
                    yield session.conn
                    return
                if session is not self._shared:  # the only connection of a store in memory is its own picture
                    session.conn.execute("BEGIN")
                session.depth = 1
                try:
                    yield session.conn
                finally:
                    session.depth = 0
                    if session.conn.in_transaction:
                        session.conn.execute("ROLLBACK")
            except sqlite3.DatabaseError as error:
                raise self._explained(error) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """All of what is done inside is stored, or nothing. Inside another `write()`: a part of it."""
        with self._turn:
            session = self._session()
            with self._translated():
                if session.depth:
                    yield from self._part(session)
                else:
                    yield from self._whole(session, "NORMAL")

    @contextmanager
    def write_durably(self) -> Iterator[sqlite3.Connection]:
        """As `write()`, and on the disk itself before it returns: it survives a power cut, not only a kill."""
        with self._turn:
            session = self._session()
            with self._translated():
                if session.depth:
                    yield from self._part(session)
                else:
                    yield from self._whole(session, "FULL")

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[None]:
        """Inside, each transaction of this thread first proves that `lease` is still current, else `LostRace`."""
        session = self._session()
        before, session.lease = session.lease, lease
        try:
            yield
        finally:
            session.lease = before

    def _whole(self, session: _Session, synchronous: str) -> Iterator[sqlite3.Connection]:
        conn = session.conn
        if session.synchronous != synchronous:
            conn.execute(f"PRAGMA synchronous = {synchronous}")
            session.synchronous = synchronous
        conn.execute("BEGIN IMMEDIATE")
        session.depth, session.writing = 1, True
        try:
            if session.lease is not None:
                self.leases.fence(conn, session.lease)
            yield conn
            conn.execute("COMMIT")
        finally:
            session.depth, session.writing = 0, False
            if conn.in_transaction:
                conn.execute("ROLLBACK")

    def _part(self, session: _Session) -> Iterator[sqlite3.Connection]:
        if not session.writing:
            raise RuntimeError("write() inside read(): finish reading first")
        conn = session.conn
        name = f"part_{session.depth}"
        conn.execute(f"SAVEPOINT {name}")
        session.depth += 1
        done = False
        try:
            yield conn
            done = True
        finally:
            session.depth -= 1
            if conn.in_transaction:
                if not done:
                    conn.execute(f"ROLLBACK TO {name}")
                conn.execute(f"RELEASE {name}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.DatabaseError) -> Exception:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
            return error  # a constraint or a mistake of ours, not the file's fault
        return files.explain(self.where, error)

    def _session(self) -> _Session:
        if self._closed:
            raise StoreError(f"{self.where}: is closed")
        if self._shared is not None:
            return self._shared
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            assert self.path is not None
            with self._translated():
                session = _Session(files.prepare(files.connect(self.path)))
            with self._guard:
                self._sessions.add(session)
            self._local.session = session
        return session

    def quick_check(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file; empty when it is sound."""
        with self.read() as db:
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(20)")]
            found += [f"{row[0]}: row without its parent" for row in db.execute("PRAGMA foreign_key_check")]
        return tuple(line for line in found if line != "ok")

    def copy_into(self, target: Path) -> None:
        """Write a compact copy into `target`, an empty file; others may go on writing here."""
        with self._turn, self._translated():
            session = self._session()
            if session.depth:
                raise RuntimeError("a copy cannot be part of a transaction")
            session.conn.execute("VACUUM INTO ?", (str(target),))

    def close(self) -> None:
        """Close every thread's connection. Using the store afterwards is a `StoreError`."""
        self._closed = True
        with self._guard:
            sessions = [*self._sessions, *([self._shared] if self._shared else [])]
        for session in sessions:
            session.conn.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _identity_from(seed: str) -> str:
    return hashlib.sha256(f"payops store {seed}".encode()).hexdigest()[:32]


_TEMPLATE: list[bytes] = []


_SCRATCH: list[sqlite3.Connection] = []
"""Empty stores in memory that wait for the next short life."""
_STATEMENTS = 512
"""Prepared statements that a connection keeps: all that payops has."""


def _in_memory(now: datetime) -> sqlite3.Connection:
    conn = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    conn.deserialize(_template(now))
    return files.prepare(conn)


def _template(now: datetime) -> bytes:
    """An empty store as bytes: the migrations run once in a process, not once for each store in memory."""
    if not _TEMPLATE:
        conn = sqlite3.connect(":memory:", isolation_level=None)
        try:
            migrate(conn, now)
            _TEMPLATE.append(conn.serialize())
        finally:
            conn.close()
    return _TEMPLATE[0]
