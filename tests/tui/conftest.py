from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_desk import NOW, FakeDesk

from payops.engine.board import Board
from payops.tui.app import PayopsApp

SIZES = [(80, 24), (140, 40)]


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TEXTUAL_ANIMATIONS", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., PayopsApp]]:
    """An app over a fake desk, with every clock pinned."""
    desks: list[FakeDesk] = []

    def build(board: Board | None = None, desk: FakeDesk | None = None, **options: Any) -> PayopsApp:
        desk = desk or FakeDesk(board)
        desks.append(desk)
        options.setdefault("now", lambda: NOW)
        return PayopsApp(desk, monotonic=clock, zone=UTC, export_to=tmp_path, **options)

    yield build
    for desk in desks:
        desk.close()


async def until(condition: Callable[[], Any], limit_s: float = 5.0) -> None:
    """Wait for a condition, with a limit; never for a time."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def wait_until() -> Callable[..., Awaitable[None]]:
    return until


def shown(app: PayopsApp) -> str:
    """What stands on the screen."""
    lines = ("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())
    return "\n".join(lines)


@pytest.fixture
def text_of() -> Callable[[PayopsApp], str]:
    return shown
