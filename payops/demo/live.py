"""The demo in real time: the simulator as a child process, the engine and the real SDK in this one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.engine.board import Board
from payops.engine.deferred import DeferredDesk
from payops.engine.desk import Desk
from payops.engine.live import open_desk, reserve_receiver
from payops.engine.outside import Outside
from payops.simulator.scenario import OPERATORS, Scenario
from payops.simulator.world import PUBLIC_BASE
from payops.store import Store

from .settings import secret_of, world_settings


class LiveDemo:
    """A simulated world to look at; `close()` ends the simulator and forgets the store unless it was named."""

    def __init__(self, scenario_name: str, scenario: Scenario, seed: int, store_path: Path | None) -> None:
        self._name = scenario_name
        self._scenario = scenario
        self._seed = seed
        self._folder = tempfile.TemporaryDirectory(prefix="payops-demo-") if store_path is None else None
        self._path = store_path or Path(self._folder.name if self._folder else ".") / "payops.db"
        self._child: subprocess.Popen[str] | None = None
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
        listener = reserve_receiver(draft)
        assert listener is not None
        port = listener.getsockname()[1]
        urls = self._simulator(f"http://127.0.0.1:{port}")
        settings, secrets = world_settings(self._scenario, self._seed, urls, self._path, port)
        self._store = Store.open(self._path, now=utc_now())
        outside = Outside(partial(secret_of, secrets), routes={PUBLIC_BASE: f"{urls['stripe']}/_edge"})
        return open_desk(self._store, settings, outside, OPERATORS[0], early, listener, origin="demo")

    def _simulator(self, receiver: str) -> dict[str, str]:
        command = [sys.executable, "-m", "payops", "simulate", "--scenario", self._name]
        command += [
            "--seed",
            str(self._seed),
            "--port",
            "0",
            "--receiver",
            receiver,
            "--published-as",
            PUBLIC_BASE,
            "--until-stdin-ends",
        ]
        self._child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self.log_path.open("a", encoding="utf-8"),
            # Held open while we live: however this process ends, the simulator sees the end of it and goes too.
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._child.stdout is not None
        return _urls(self._child.stdout, self.log_path)

    def close(self) -> None:
        self.desk.close()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self._child.kill()
        if self._store is not None:
            self._store.close()
        if self._folder is not None:
            self._folder.cleanup()


def _urls(stdout: IO[str], log: Path) -> dict[str, str]:
    line = stdout.readline()
    try:
        found = json.loads(line)
    except ValueError:
        why = log.read_text("utf-8").strip().splitlines()
        raise UsageError(f"the simulator did not start: {why[-1] if why else 'it said nothing'}") from None
    return {str(provider): str(url) for provider, url in found.items()}
