"""One engine tick over 100,000 stored payments, against the bare SQL of the three acceptance windows."""

from __future__ import annotations

import sqlite3
import tempfile
from datetime import datetime
from pathlib import Path

from payops import config
from payops.clock import utc_now
from payops.engine.engine import Engine
from payops.engine.outside import Outside
from payops.engine.polls import StepPolls
from payops.engine.wiring import build_engine
from payops.store import Store
from payops.streams.watch import CHUNK

from . import world
from .harness import Figure, cpu_of, paired

PAYMENTS = 100_000


def _engine(folder: Path) -> tuple[Engine, datetime]:
    settings = config.load(str(world.configured(folder, PAYMENTS)))
    now = utc_now()
    store = Store.open(settings.store_path, now=now)
    outside = Outside(lambda reference: "rk_live_" + "x" * 24)
    return build_engine(store, settings, outside, {}, StepPolls(store, {}), None), now


def _floor(path: Path, now: datetime) -> None:
    database = sqlite3.connect(path)
    minute = int(now.timestamp()) // 60 * 60
    for span in (300, 3600, 86_400):
        database.execute(
            "SELECT sum(n), sum(succeeded) FROM rollup WHERE account = ? AND minute >= ?",
            (world.ACCOUNT, minute - span),
        ).fetchone()
    database.execute(
        "SELECT at, status, decline_code, card_brand, amount_minor, currency FROM attempts "
        "WHERE account = ? AND at >= ? ORDER BY at DESC LIMIT 2000",
        (world.ACCOUNT, minute - 7200),
    ).fetchall()
    database.close()


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        engine, now = _engine(Path(folder))
        for _ in range(PAYMENTS // CHUNK + 2):
            engine.tick(now)  # the history is gone through in parts
        path = Path(folder) / "payops.db"
        figure = paired(
            f"tick over {PAYMENTS:,} stored payments",
            lambda: cpu_of(lambda: engine.tick(now)),
            lambda: cpu_of(lambda: _floor(path, now)),
            "floor: bare SQL of the same reads",
        )
        engine.close()
        engine.store.close()
        return [figure]
