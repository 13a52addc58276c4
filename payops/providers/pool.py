"""Threads for blocking provider calls: a few per account, so that one hung provider delays nobody else.

The threads are daemons and nobody joins them: quitting never waits for a call under way (the standard library's
executor joins at exit). A call that has not answered by its deadline is given up: its future fails, its thread
is left behind and replaced. It may still reach the provider: after a write, read back.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from payops.clock import monotonic_s
from payops.domain.errors import ProviderError

from .port import Provider

T = TypeVar("T")
_SETTLED = float("inf")


@dataclass(eq=False, slots=True)
class _Call:
    run: Callable[[], Any]
    future: Future[Any]
    crew: _Crew
    deadline: float
    started: bool = False
    abandoned: bool = False


@dataclass(eq=False, slots=True)
class _Crew:
    """The threads of one account. Guarded by the pool's lock."""

    account: str
    waiting: deque[_Call] = field(default_factory=deque)
    threads: int = 0
    idle: int = 0
    hung: int = 0


class ProviderPool:
    """`submit` from anywhere; every future is done at the latest `timeout_s` after it was given out."""

    def __init__(
        self,
        providers: Mapping[str, Provider] | None = None,
        *,
        threads: int = 2,
        timeout_s: float = 60.0,
        max_hung: int = 8,
    ) -> None:
        self._providers = providers or {}
        self._threads = threads
        self._timeout_s = timeout_s
        self._max_hung = max_hung
        self._changed = threading.Condition()
        self._crews: dict[str, _Crew] = {}
        self._deadlines: list[tuple[float, int, _Call]] = []
        self._order = itertools.count()
        self._closed = False
        self._watching = False

    def submit(self, account: str, fn: Callable[[], T], *, timeout_s: float | None = None) -> Future[T]:
        """Run `fn` in a thread of the account. The future fails with `ProviderError` `network` at its deadline."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                future.set_exception(self._gave_up(account, "payops is closing"))
                return future
            crew = self._crews.setdefault(account, _Crew(account))
            if crew.hung >= self._max_hung:
                future.set_exception(
                    self._gave_up(account, f"{crew.hung} earlier calls hang; not asked again until one ends")
                )
                return future
            deadline = monotonic_s() + (self._timeout_s if timeout_s is None else timeout_s)
            call = _Call(fn, future, crew, deadline)
            crew.waiting.append(call)
            heapq.heappush(self._deadlines, (deadline, next(self._order), call))
            self._man(crew)
            if not self._watching:
                self._watching = True
                self._start(self._watch, "provider-deadlines")
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Give up everything and return at once; calls under way end by themselves, unheard."""
        with self._changed:
            self._closed = True
            calls = [call for _, _, call in self._deadlines if call.deadline != _SETTLED]
            for call in calls:
                call.abandoned = True
            self._deadlines.clear()
            for crew in self._crews.values():
                crew.waiting.clear()
            self._changed.notify_all()
        for call in calls:
            self._fail(call, "payops is closing")

    def _man(self, crew: _Crew) -> None:
        while crew.threads < self._threads and crew.idle < len(crew.waiting):
            crew.threads += 1
            crew.idle += 1
            self._start(lambda: self._work(crew), f"provider-{crew.account}")

    def _work(self, crew: _Crew) -> None:
        while True:
            with self._changed:
                while not crew.waiting and not self._closed:
                    self._changed.wait()
                crew.idle -= 1
                if self._closed:
                    crew.threads -= 1
                    return
                call = crew.waiting.popleft()
                call.started = True
            if call.future.set_running_or_notify_cancel():
                self._run(call)
            with self._changed:
                if call.abandoned:
                    crew.hung -= 1
                    return
                crew.idle += 1
                call.started = False

    def _run(self, call: _Call) -> None:
        try:
            result = call.run()
        except BaseException as error:  # whatever it is, the one who waits must hear it
            if self._settle(call):
                call.future.set_exception(error)
        else:
            if self._settle(call):
                call.future.set_result(result)

    def _settle(self, call: _Call) -> bool:
        """Whether the caller still waits for this call's end; from now on it is not given up any more."""
        with self._changed:
            if call.abandoned or call.future.done():
                return False
            call.deadline = _SETTLED
            return True

    def _watch(self) -> None:
        while True:
            late: list[_Call] = []
            with self._changed:
                if self._closed:
                    return
                while self._deadlines and self._is_over(self._deadlines[0][2]):
                    call = heapq.heappop(self._deadlines)[2]
                    if call.deadline != _SETTLED and not call.future.done():
                        self._abandon(call)
                        late.append(call)
                wait = self._deadlines[0][0] - monotonic_s() if self._deadlines else None
                if not late:
                    self._changed.wait(wait)
            for call in late:
                self._fail(call, "no end within its time")

    def _is_over(self, call: _Call) -> bool:
        return call.deadline == _SETTLED or call.future.done() or call.deadline <= monotonic_s()

    def _abandon(self, call: _Call) -> None:
        crew = call.crew
        call.abandoned = True
        if call.started:
            crew.hung += 1
            crew.threads -= 1
            self._man(crew)
        elif call in crew.waiting:
            crew.waiting.remove(call)

    def _fail(self, call: _Call, why: str) -> None:
        with suppress(InvalidStateError):  # cancelled in this very moment
            call.future.set_exception(self._gave_up(call.crew.account, why))

    def _gave_up(self, account: str, why: str) -> ProviderError:
        known = self._providers.get(account)
        name = known.provider if known else "provider"
        return ProviderError("network", f"call to {name} given up: {why}", provider=name, account=account)

    @staticmethod
    def _start(target: Callable[[], None], name: str) -> None:
        threading.Thread(target=target, name=name, daemon=True).start()
