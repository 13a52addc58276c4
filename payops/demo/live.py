"""The demo in real time: the simulator as a child process, the engine and the real SDK in this one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from payops.clock import utc_now
from payops.engine.board import Board
from payops.engine.deferred import DeferredDesk
from payops.engine.desk import Desk
from payops.engine.live import last_known, open_desk, reserve_receiver
from payops.engine.outside import Outside
from payops.simulator.scenario import OPERATORS, Scenario
from payops.store import Store

from .child import SimulatorChild
from .disk import disk
from .settings import edges, inboxes_beside, secret_of, world_settings


class LiveDemo:
    """A simulated world to look at; `close()` ends the simulator and forgets the store unless it was named."""

    def __init__(self, scenario_name: str, scenario: Scenario, seed: int, store_path: Path | None) -> None:
        self._name = scenario_name
        self._scenario = scenario
        self._seed = seed
        self._folder = tempfile.TemporaryDirectory(prefix="payops-demo-") if store_path is None else None
        self._path = store_path or Path(self._folder.name if self._folder else ".") / "payops.db"
        self._child: SimulatorChild | None = None
        self._store: Store | None = None
        self.desk = DeferredDesk(self._open)

    @property
    def log_path(self) -> Path:
        return self._path.with_suffix(".log")

    def _open(self, early: Callable[[Board], None]) -> Desk:
        draft, _ = world_settings(
            self._scenario,
            self._seed,
            dict.fromkeys(self._scenario.providers, "http://127.0.0.1:9"),
            self._path,
        )
        self._store = Store.open(self._path, now=utc_now())
        self._store.space = disk(self._scenario, utc_now(), utc_now)
        early(last_known(self._store, draft, OPERATORS[0]))
        listener = reserve_receiver(draft)
        assert listener is not None
        port = listener.getsockname()[1]
        receiver = f"http://127.0.0.1:{port}"
        world = self._path.with_suffix(".world")
        self._child = SimulatorChild(
            self._name, self._seed, receiver, world, inboxes_beside(self._path), self.log_path
        )
        urls = self._child.start()
        settings, secrets = world_settings(self._scenario, self._seed, urls, self._path, port)
        outside = Outside(partial(secret_of, secrets), routes=edges(urls))
        return open_desk(self._store, settings, outside, OPERATORS[0], listener, origin="demo")

    def close(self) -> None:
        self.desk.close()
        if self._child is not None:
            self._child.close()
        if self._store is not None:
            self._store.close()
        if self._folder is not None:
            self._folder.cleanup()
