"""One hung provider delays nobody: not another account, not the caller, not quitting."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import wait

import pytest

from payops.domain.errors import ProviderError
from payops.providers.pool import ProviderPool


@pytest.fixture
def gate():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def make():
    pools = []

    def maker(**options):
        pools.append(ProviderPool(**options))
        return pools[-1]

    yield maker
    for pool in pools:
        pool.close()


def test_results_and_errors_come_back(make):
    pool = make()
    assert pool.submit("a", lambda: 5).result(5) == 5
    with pytest.raises(ZeroDivisionError):
        pool.submit("a", lambda: 1 // 0).result(5)
    assert pool.submit("a", lambda: 6).result(5) == 6


def test_a_call_that_hangs_is_given_up_at_its_deadline(make, gate):
    pool = make(timeout_s=0.1)
    with pytest.raises(ProviderError, match="given up: no end within its time") as caught:
        pool.submit("a", gate.wait).result(5)
    assert caught.value.bucket == "network" and caught.value.account == "a"


def test_another_account_does_not_wait(make, gate):
    pool = make(threads=1)
    hung = [pool.submit("a", gate.wait) for _ in range(3)]
    assert pool.submit("b", lambda: 1).result(5) == 1
    assert not any(future.done() for future in hung)


def test_the_same_account_goes_on_after_a_hung_call(make, gate):
    pool = make(threads=1)
    hung = pool.submit("a", gate.wait, timeout_s=0.1)
    after = pool.submit("a", lambda: 1, timeout_s=10)
    assert after.result(5) == 1
    assert isinstance(hung.exception(5), ProviderError)


def test_a_call_still_waiting_at_its_deadline_never_runs(make, gate):
    pool = make(threads=1)
    ran = []
    first = pool.submit("a", gate.wait, timeout_s=10)
    second = pool.submit("a", lambda: ran.append(1), timeout_s=0.1)
    assert isinstance(second.exception(5), ProviderError)
    gate.set()
    assert first.result(5) is True
    assert pool.submit("a", lambda: 1).result(5) == 1
    assert ran == []


def test_a_late_end_changes_nothing(make, gate):
    pool = make(threads=1, timeout_s=0.1)
    late = pool.submit("a", lambda: gate.wait() and "late")
    assert isinstance(late.exception(5), ProviderError)
    gate.set()
    assert pool.submit("a", lambda: "next", timeout_s=10).result(5) == "next"
    assert isinstance(late.exception(0), ProviderError)


def test_hung_calls_are_bounded_and_recover(make, gate):
    pool = make(threads=1, timeout_s=0.05, max_hung=2)
    for _ in range(2):
        assert pool.submit("a", gate.wait).exception(5)
    refused = pool.submit("a", lambda: 1).exception(0)
    assert isinstance(refused, ProviderError) and "2 earlier calls hang" in str(refused)
    gate.set()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        future = pool.submit("a", lambda: 1, timeout_s=10)
        if future.exception(5) is None:
            return
    raise AssertionError("never recovered")


def test_at_most_so_many_run_at_once(make):
    pool = make(threads=2)
    lock, running, most = threading.Lock(), [0], [0]

    def call():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1

    futures = [pool.submit("a", call) for _ in range(40)]
    assert not wait(futures, 10).not_done
    assert most[0] == 2


def test_closing_returns_at_once_and_fails_what_waits(make, gate):
    pool = make(threads=1)
    futures = [pool.submit("a", gate.wait) for _ in range(3)]
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < 5
    for future in [*futures, pool.submit("a", lambda: 1)]:
        with pytest.raises(ProviderError, match="closing"):
            future.result(5)


def test_the_process_ends_while_a_call_hangs():
    code = (
        "import threading; from payops.providers.pool import ProviderPool\n"
        "pool = ProviderPool(); started = threading.Event()\n"
        "pool.submit('a', lambda: (started.set(), threading.Event().wait(60)))\n"
        "assert started.wait(5)"
    )
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
    assert time.monotonic() - started < 10
