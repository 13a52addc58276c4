"""The whole program in a real terminal: simulator child, real SDK, receiver, engine and screen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

SCENARIO = """
schema: payops.scenario/v1
name: screen
seed: 4
warmup: 20m
duration: 1h
providers:
  stripe: {mode: live, payments_per_minute: 30, success_rate: 0.95}
faults:
  - {kind: webhook_endpoint_disabled, provider: stripe, at: 2s}
"""


class Terminal:
    """A terminal of 100×30 with the program in it."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.screen = pyte.Screen(100, 30)
        self._stream = pyte.ByteStream(self.screen)
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("PAYOPS_", "NO_COLOR"))
        }
        self.child = pexpect.spawn(
            sys.executable, ["-m", "payops", *args], cwd=str(folder), dimensions=(30, 100), timeout=5,
            env={**clean, "TERM": "xterm-256color"},
        )  # fmt: skip

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def pump(self) -> None:
        try:
            self._stream.feed(self.child.read_nonblocking(65536, timeout=0.1))
        except pexpect.TIMEOUT:
            return

    def until(self, words: str, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while words not in self.text():
            assert time.monotonic() < deadline, f"{words!r} not within {limit_s:.0f} s:\n{self.text()}"
            self.pump()

    def ended(self, limit_s: float) -> int:
        deadline = time.monotonic() + limit_s
        while self.child.isalive():
            assert time.monotonic() < deadline, f"still running after {limit_s:.0f} s:\n{self.text()}"
            try:
                self.pump()
            except pexpect.EOF:
                break
        self.child.wait()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -1)


def children(pid: int) -> list[int]:
    """The simulators this process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"simulate" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
        except (OSError, ValueError):
            continue
    return found


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    opened = Terminal(tmp_path, "demo", "--scenario", "scenario.yaml", "--store", "demo.db")
    yield opened
    opened.child.close(force=True)


@pytest.mark.pty
def test_the_demo_paints_finds_fixes_and_ends(terminal: Terminal) -> None:
    terminal.until("stripe-live", 30)
    terminal.until("LIVE proven", 60)
    terminal.until("is disabled at Stripe", 120)
    terminal.child.send("?")
    terminal.until("Acknowledge", 20)
    terminal.child.send("\x1b")
    terminal.until("fixed by payops", 240)
    (simulator,) = children(terminal.child.pid)
    terminal.child.send("q")
    assert terminal.ended(15) == 0
    deadline = time.monotonic() + 5
    while Path(f"/proc/{simulator}/cmdline").exists() and Path(f"/proc/{simulator}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the simulator is still there"
        time.sleep(0.1)


@pytest.mark.pty
def test_a_killed_demo_leaves_no_simulator_behind(terminal: Terminal) -> None:
    terminal.until("LIVE proven", 60)
    (simulator,) = children(terminal.child.pid)
    os.kill(terminal.child.pid, 9)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{simulator}/cmdline").exists() and Path(f"/proc/{simulator}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the simulator outlives the demo"
        time.sleep(0.1)


@pytest.mark.pty
def test_a_killed_simulator_is_a_clear_state_and_comes_back_by_itself(terminal: Terminal) -> None:
    terminal.until("LIVE proven", 60)
    (simulator,) = children(terminal.child.pid)
    os.kill(simulator, 9)
    terminal.until("failed", 120)
    terminal.until("● live", 120)
    assert children(terminal.child.pid) not in ([], [simulator])
    terminal.child.send("q")
    assert terminal.ended(15) == 0
