"""Reading a view of somebody else's SQLite file: never a write, and never for long."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from payops.clock import monotonic_s
from payops.domain.errors import UsageError

PAGE = 10_000
LIMIT_S = 2.0
"""A view that takes longer is not read: the engine does nothing else meanwhile."""
_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Rows:
    """What a view gave: `newer` from the asked place on, in order of receipt, and `again` those asked for by id."""

    columns: tuple[str, ...]
    newer: tuple[dict[str, object], ...]
    again: tuple[dict[str, object], ...]


def read_view(
    path: Path,
    view: str,
    check: Callable[[tuple[str, ...]], None],
    after: str | float | None,
    event_ids: Sequence[str],
) -> Rows:
    """Rows of `view` received at `after` (as it is written there) or later, at most `PAGE`, and those of `event_ids`.

    `check` may refuse the columns. The file is opened read-only. `UsageError` says why it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        conn = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error as error:
        raise UsageError(f"{path}: cannot be opened: {error}") from error
    deadline = monotonic_s() + LIMIT_S
    try:
        conn.execute("PRAGMA query_only = ON")
        conn.set_progress_handler(lambda: monotonic_s() > deadline, _STEPS)
        columns = tuple(each[0] for each in conn.execute(f'SELECT * FROM "{view}" LIMIT 0').description)  # noqa: S608
        check(columns)
        conn.row_factory = lambda cursor, row: dict(zip(columns, row, strict=True))
        where = "" if after is None else "WHERE received_at >= ?"
        newer = conn.execute(
            f'SELECT * FROM "{view}" {where} ORDER BY received_at LIMIT ?',  # noqa: S608
            (PAGE,) if after is None else (after, PAGE),
        ).fetchall()
        again: list[dict[str, object]] = []
        if event_ids:
            again = conn.execute(
                f'SELECT * FROM "{view}" WHERE event_id IN (SELECT value FROM json_each(?))',  # noqa: S608
                (json.dumps(list(event_ids)),),
            ).fetchall()
    except sqlite3.Error as error:
        slow = "interrupted" in str(error)
        said = f"takes longer than {LIMIT_S:g} s: give received_at and event_id an index" if slow else error
        raise UsageError(f"{path}: view {view}: {said}") from error
    finally:
        conn.close()
    return Rows(columns, tuple(newer), tuple(again))
