"""Real processes on loopback: the simulator, the engine, the receiver, each of which may be killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAYOPS = [sys.executable, "-m", "payops"]


def wait_for(condition: Callable[[], Any], what: str, limit_s: float = 60.0) -> Any:
    """The first true answer of `condition`; fails with `what` after the limit."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {limit_s:.0f} s: {what}")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class House:
    """One folder with a simulated provider and payops on it."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self.folder = folder
        (folder / "scenario.yaml").write_text(scenario)
        self.api_port, self.receiver_port = free_port(), free_port()
        self.running: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *args: str) -> subprocess.Popen[str]:
        log = (self.folder / f"{name}.out").open("a")
        process = subprocess.Popen(
            [*PAYOPS, *args], cwd=self.folder, stdout=log, stderr=log, text=True, start_new_session=True
        )
        self.running[name] = process
        return process

    def simulate(self) -> None:
        self.start(
            "simulate", "simulate", "--scenario", "scenario.yaml", "--port", str(self.api_port),
            "--write-config", "payops.toml", "--state", "world.state",
            "--receiver", f"http://127.0.0.1:{self.receiver_port}",
        )  # fmt: skip
        wait_for(lambda: self.connects(self.api_port), "the simulator answers")
        wait_for((self.folder / "payops.toml").exists, "the configuration is written")

    def connects(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def ask(self, *args: str) -> Any:
        done = subprocess.run(
            [*PAYOPS, *args], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def incidents(self) -> list[dict[str, Any]]:
        found = self.ask("incidents", "list", "--state", "all", "--json")
        return found if isinstance(found, list) else []

    def log(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.out"))

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)
