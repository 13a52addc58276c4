"""How far a long command is: a bar on stderr when somebody looks, nothing otherwise."""

from __future__ import annotations

import sys


class Progress:
    """A bar for one piece of work; call it with the share done, 0..1."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: object = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bars

            self._bars = Bars(console=Console(stderr=True), transient=True)
            self._bars.start()
            self._bar = self._bars.add_task(self._what, total=1.0)
        return self

    def __call__(self, share: float) -> None:
        if self._bar is not None:
            self._bars.update(self._bar, completed=share)  # type: ignore[arg-type]

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bars.stop()
