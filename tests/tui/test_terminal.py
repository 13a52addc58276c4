"""On a real pseudo-terminal: paint, be silent, end well."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyte
import pytest

SCRIPT = Path(__file__).parent / "on_a_terminal.py"


@dataclass
class Terminal:
    process: subprocess.Popen[bytes]
    fd: int
    seen: bytes = b""

    def read(self, limit_s: float) -> bytes:
        """What comes next, or nothing within the limit."""
        ready, _, _ = select.select([self.fd], [], [], limit_s)
        if not ready:
            return b""
        try:
            data = os.read(self.fd, 65_536)
        except OSError:
            return b""
        self.seen += data
        return data

    def until(self, word: bytes, limit_s: float = 20.0) -> None:
        end = time.monotonic() + limit_s
        while word not in self.seen:
            assert time.monotonic() < end, self.seen[-2000:]
            self.read(0.2)

    def settle(self) -> None:
        """Read on until nothing has come for half a second."""
        while self.read(0.5):
            pass

    def ended(self, limit_s: float) -> int:
        end = time.monotonic() + limit_s
        while self.process.poll() is None:
            assert time.monotonic() < end, "still running"
            self.read(0.05)
        return self.process.returncode


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(*arguments: str, **environment: str) -> Terminal:
        import fcntl
        import struct
        import termios

        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC", **environment}
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        terminal = Terminal(process, master)
        opened.append(terminal)
        return terminal

    yield run
    for terminal in opened:
        if terminal.process.poll() is None:
            terminal.process.kill()
        terminal.process.wait()
        with contextlib.suppress(OSError):
            os.close(terminal.fd)


def test_it_paints_falls_silent_and_quits_at_once_though_the_desk_hangs(open_terminal) -> None:
    terminal = open_terminal("BUSY", "--hang")
    terminal.until(b"inc-2 needs a person")
    terminal.settle()
    assert terminal.read(2.0) == b"", "idle must send no byte"
    os.write(terminal.fd, b"f")
    terminal.until(b"Dry run")
    os.write(terminal.fd, b"\x1b")
    terminal.settle()
    os.write(terminal.fd, b"q")
    started = time.monotonic()
    assert terminal.ended(15.0) == 0
    assert time.monotonic() - started < 15


def test_every_line_is_drawn_though_the_machine_is_busy_while_cards_appear(open_terminal) -> None:
    terminal = open_terminal("HEALTHY", "--busy")
    terminal.until("✔ OK".encode())
    terminal.settle()
    screen = pyte.Screen(80, 24)
    pyte.ByteStream(screen).feed(terminal.seen)
    assert "stripe-live  stripe" in screen.display[2]
    assert "no open incident" in screen.display[9]
    assert "Nothing to do" in screen.display[10]


def test_a_hang_up_ends_it(open_terminal) -> None:
    terminal = open_terminal("BUSY")
    terminal.until(b"inc-2 needs a person")
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.ended(3.0) == 0


def test_a_lost_terminal_ends_it_though_hang_ups_are_ignored(open_terminal) -> None:
    terminal = open_terminal("BUSY", "--ignore-hangup")
    terminal.until(b"inc-2 needs a person")
    os.close(terminal.fd)
    terminal.fd = -1
    terminal.process.wait(timeout=15)


def test_without_colour_the_words_are_still_there(open_terminal) -> None:
    terminal = open_terminal("BUSY", NO_COLOR="1")
    terminal.until(b"TROUBLE")
    terminal.settle()
    grey = all(
        len({*code.split(b";")[2:5]}) == 1
        for code in terminal.seen.replace(b"\x1b[", b"\n").replace(b"m", b"\n").split(b"\n")
        if code.startswith((b"38;2;", b"48;2;")) and code.count(b";") == 4
    )
    assert grey
    os.write(terminal.fd, b"q")
    assert terminal.ended(3.0) == 0


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw_gets_one_line(open_terminal, term) -> None:
    terminal = open_terminal("BUSY", TERM=term)
    assert terminal.ended(15.0) == 2
    terminal.settle()
    assert b"payops: the screen needs a terminal" in terminal.seen
    assert b"Traceback" not in terminal.seen
    assert terminal.seen.count(b"\n") == 1


def test_no_terminal_at_all_gets_one_line() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "use `payops status --json`" in done.stderr
