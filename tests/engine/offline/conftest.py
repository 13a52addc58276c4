"""A place to judge exports in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import exports
import pytest

from payops.engine.offline import backtest, document

Judge = Callable[..., dict[str, Any]]


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    """The document of a backtest over entries, or over a file's bytes."""

    def judge(what: Sequence[Mapping[str, str]] | bytes, expected: float | None = 0.95) -> dict[str, Any]:
        path = tmp_path / "export.csv"
        if isinstance(what, bytes):
            path.write_bytes(what)
        else:
            exports.written(path, what)
        return document(backtest(path, expected, lambda _: None))

    return judge
