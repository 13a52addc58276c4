"""The screen on this terminal over a fake desk: `python tests/tui/on_a_terminal.py [BOARD] [--hang] [--live] [--busy]`.

BOARD is a constant of `fake_desk`, such as BUSY; `--hang` lets every blocking call hang; `--live` plays a small story;
`--busy` keeps the processor busy and lets the first boards come late.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta

import fake_desk
from fake_desk import BUSY, HEALTHY, LOADING, NOW, FakeDesk

from payops.domain.errors import UsageError
from payops.engine.board import Board
from payops.tui.app import PayopsApp


def story(desk: FakeDesk) -> None:
    """Loading, healthy, trouble; then one board a second."""
    time.sleep(1)
    for step, board in enumerate([LOADING, LOADING, HEALTHY, HEALTHY] + [BUSY] * 10_000):
        desk.publish(replace(board, at=NOW + timedelta(seconds=step)))
        time.sleep(1)


def late(desk: FakeDesk, board: Board) -> None:
    """Busy threads, and in the middle of it the first boards."""
    end = time.monotonic() + 6

    def spin() -> None:
        while time.monotonic() < end:
            sum(range(1000))

    for _ in range(3):
        threading.Thread(target=spin, daemon=True).start()
    time.sleep(1.5)
    desk.publish(LOADING)
    time.sleep(1)
    desk.publish(board)


def main(arguments: list[str]) -> int:
    if "--ignore-hangup" in arguments:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    names = [word for word in arguments if not word.startswith("--")]
    live = "--live" in arguments
    board = getattr(fake_desk, names[0] if names else "BUSY")
    busy = "--busy" in arguments
    desk = FakeDesk(None if live or busy else board)
    if "--hang" in arguments:
        desk.hang.clear()
    if live:
        threading.Thread(target=story, args=(desk,), daemon=True).start()
    app = PayopsApp(desk, now=lambda: NOW, start=(lambda: late(desk, board)) if busy else None)
    try:
        app.run()
    except UsageError as error:
        print(f"payops: {error}", file=sys.stderr)
        return 2
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
