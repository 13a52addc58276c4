"""A child in a pseudo terminal, watched until its first picture."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE_S = 30.0


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


def cpu_to_text(command: Sequence[str], marker: bytes, columns: int = 120, rows: int = 40) -> float:
    """CPU milliseconds the child used until `marker` appeared on its terminal; the child is then ended."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execvp(command[0], list(command))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = b""
    deadline = time.monotonic() + DEADLINE_S
    try:
        while marker not in seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{marker!r} did not appear within {DEADLINE_S:.0f} s")
            ready, _, _ = select.select([terminal], [], [], 0.05)
            if ready:
                seen += os.read(terminal, 65536)
        return _cpu_ms(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
