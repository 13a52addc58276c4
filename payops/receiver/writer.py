"""The one thread that makes deliveries durable: whoever waits at the same time shares one transaction."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from payops.clock import monotonic_s
from payops.domain.errors import StoreError
from payops.domain.events import Delivery, Refusal
from payops.store import Store

log = logging.getLogger(__name__)

MAX_BATCH = 256
MAX_WAITING = 4096
"""Beyond this many the sender is told to come back: what waits here is held in memory."""
_GATHER, _MOST_GATHER_S = 0.25, 0.002
"""A slow disk makes each transaction dear: whoever was just answered is given this share of its time to come again."""
_SINGLY_S = 5.0
_YIELD_S = 5.0


class Full(Exception):
    """Too much is waiting already."""


Done = Callable[[Exception | None], None]
"""Told once whether it is on disk: None, or what the store raised."""


@dataclass(eq=False, slots=True)
class _Waiting:
    what: Delivery | Refusal
    loop: asyncio.AbstractEventLoop
    done: Done


class GroupWriter:
    """Starts its thread at the first write; `close` lets what waits be written first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        """Held during a transaction: a lock wakes at once, SQLite's own waiting is a lottery."""
        self._storing = False
        self._groups = 0
        self._waiting: list[_Waiting] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def write(self, what: Delivery | Refusal) -> None:
        """Return once it is committed to disk; raise what the store raised, or `Full`."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self.submit(what, loop, partial(_settle, written))
        await written

    def submit(self, what: Delivery | Refusal, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """As `write`, for who does not wait: `done` is called in `loop`. Raises `Full`."""
        with self._changed:
            if self._closed or len(self._waiting) >= MAX_WAITING:
                raise Full
            self._waiting.append(_Waiting(what, loop, done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="inbox-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    @contextmanager
    def processing(self) -> Iterator[None]:
        """The turn of whoever processes the inbox: what waits to be stored now goes first, but only that."""
        with self._changed:
            group = self._groups
            self._changed.wait_for(lambda: self._groups != group or not self.busy(), _YIELD_S)
        with self._turn:
            yield

    def busy(self) -> bool:
        """Something waits to be stored, or is being stored."""
        return self._storing or bool(self._waiting)

    def close(self, timeout_s: float) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _work(self) -> None:
        gather_s = 0.0
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
            time.sleep(gather_s)
            with self._changed:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                self._storing = True
            began = monotonic_s()
            with self._turn:
                self._store_batch([entry for entry in batch if isinstance(entry.what, Delivery)])
                self._refuse([entry for entry in batch if isinstance(entry.what, Refusal)])
            gather_s = min(_GATHER * (monotonic_s() - began), _MOST_GATHER_S) if len(batch) > 1 else 0.0
            with self._changed:
                self._storing = False
                self._groups += 1
                self._changed.notify_all()

    def _store_batch(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            self._store.inbox.receive([entry.what for entry in batch if isinstance(entry.what, Delivery)])
        except StoreError as error:
            log.error("the inbox cannot be written: %s", error)
            _tell(batch, error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("a delivery cannot be stored")
                _tell(batch, error)
            else:
                self._store_singly(batch)
        else:
            _tell(batch, None)

    def _store_singly(self, batch: Sequence[_Waiting]) -> None:
        """One delivery that cannot be stored must not take its neighbours with it."""
        deadline = monotonic_s() + _SINGLY_S
        for n, entry in enumerate(batch):
            if monotonic_s() > deadline:
                _tell(batch[n:], StoreError("the inbox takes too long to write"))
                return
            self._store_batch([entry])

    def _refuse(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            self._store.inbox.refuse_all([entry.what for entry in batch if isinstance(entry.what, Refusal)])
        except Exception as error:
            log.error("refused deliveries were not counted: %s", error)
        _tell(batch, None)


def _tell(batch: Sequence[_Waiting], error: Exception | None) -> None:
    """Wake the requests, one call into each loop."""
    for loop in {entry.loop for entry in batch}:
        mine = [entry.done for entry in batch if entry.loop is loop]
        try:
            loop.call_soon_threadsafe(_call, mine, error)
        except RuntimeError:  # the server has stopped; nobody waits any more
            continue


def _call(waiting: Sequence[Done], error: Exception | None) -> None:
    for done in waiting:
        try:
            done(error)
        except Exception:
            log.exception("an answer could not be given")


def _settle(written: asyncio.Future[None], error: Exception | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
