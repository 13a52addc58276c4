"""Opens the screen over a desk and waits until the person leaves."""

from __future__ import annotations

from collections.abc import Callable

from payops.domain.errors import PayopsError
from payops.engine.desk import Desk


def show(desk: Desk, start: Callable[[], None], operator: str | None) -> None:
    """Run the screen; what stopped it from starting is raised here, when the terminal is whole again."""
    from payops.tui.app import PayopsApp

    app = PayopsApp(desk, start=start, operator=operator)
    app.run()
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise PayopsError("the screen ended unexpectedly; run again with --debug for the whole story")
