"""The pictures themselves: look at every change of one in `snapshot_report.html` before accepting it."""

from __future__ import annotations

import pytest
from fake_desk import (
    APPROVING,
    BROKEN,
    BULK,
    BUSY,
    HEALTHY,
    LOADING,
    OBSERVED,
    OBSERVING,
    STOPPED,
    THREE,
    VIEW_ONLY,
    FakeDesk,
)

PICTURES = {
    "starting": (None, []),
    "loading": (LOADING, []),
    "healthy": (HEALTHY, []),
    "busy": (BUSY, []),
    "three": (THREE, []),
    "broken": (BROKEN, []),
    "stopped": (STOPPED, []),
    "view_only": (VIEW_ONLY, []),
    "paused": (BUSY, ["p"]),
    "detail": (BUSY, ["enter"]),
    "detail_fixed": (BUSY, ["end", "enter"]),
    "fix": (BUSY, ["f"]),
    "fix_many": (BUSY, ["f"]),
    "fix_observed": (BUSY, ["f"]),
    "observing": (OBSERVING, []),
    "approving": (APPROVING, []),
    "approve": (APPROVING, ["v"]),
    "escalate": (BUSY, ["e"]),
    "preview": (BUSY, ["e"]),
    "resolve": (BUSY, ["r"]),
    "help": (BUSY, ["question_mark"]),
}
READY = {
    "detail": "disabled=false",
    "detail_fixed": "opened by",
    "fix": "do exactly this",
    "approve": "Type inc-3",
    "fix_many": "Type inc-2",
    "fix_observed": "Would not act",
    "escalate": "Prefilled",
    "preview": "Prefilled",
}


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
@pytest.mark.parametrize("name", PICTURES)
def test_picture(snap_compare, make, text_of, wait_until, name: str, size) -> None:
    board, keys = PICTURES[name]
    desk = FakeDesk(board)
    if name == "fix_many":
        desk.plan_view = BULK
    if name == "fix_observed":
        desk.plan_view = OBSERVED
    app = make(desk=desk)

    async def prepare(pilot) -> None:
        await pilot.pause()
        await pilot.press(*keys)
        if name in READY:
            await wait_until(
                lambda: (
                    READY[name] in text_of(app)
                    or (name == "detail_fixed" and size == (80, 24) and "Attempts" in text_of(app))
                )
            )
        if name == "preview":
            await pilot.press("f2")
            await wait_until(lambda: "send exactly this" in text_of(app))
        if name == "fix_observed":
            await pilot.press("y")
            await wait_until(lambda: "Cannot be done" in text_of(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=prepare)
