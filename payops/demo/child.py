"""The simulator as a child process that comes back: on the same ports, in the same world, where it was."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from payops.domain.errors import UsageError

log = logging.getLogger(__name__)
RESTART_AFTER_S = 20.0
"""Long enough to see on the screen that the provider is gone."""


class SimulatorChild:
    """`start()` once, `close()` at the end; a child that dies in between is started again."""

    def __init__(
        self, scenario: str, seed: int, receiver: str, state: Path, inboxes: Path, errors: Path
    ) -> None:
        """`state` keeps the world over restarts, `inboxes` what its applications took in; `errors` takes what the child
        has to say."""
        self._command = [sys.executable, "-m", "payops", "simulate", "--until-stdin-ends"]
        self._command += ["--scenario", scenario, "--seed", str(seed), "--state", str(state)]
        self._command += ["--receiver", receiver, "--published"]
        self._command += ["--inboxes", str(inboxes)]
        self._errors = errors
        self._process: subprocess.Popen[str] | None = None
        self._closing = threading.Event()

    def start(self) -> dict[str, str]:
        """Provider → base URL, once the servers answer; `UsageError` says why they do not."""
        urls = self._spawn("0")
        ports = ",".join(str(urlsplit(url).port) for url in urls.values())
        threading.Thread(target=self._watch, args=(ports,), name="simulator-watch", daemon=True).start()
        return urls

    def _spawn(self, ports: str) -> dict[str, str]:
        with self._errors.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [*self._command, "--port", ports],
                stdout=subprocess.PIPE,
                stderr=errors,
                # Held open while we live: however this process ends, the simulator sees the end of it and goes too.
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        self._process = process
        if self._closing.is_set():
            process.kill()
        assert process.stdout is not None
        try:
            found = json.loads(process.stdout.readline())
        except ValueError:
            said = self._errors.read_text("utf-8").strip().splitlines()
            raise UsageError(
                f"the simulator did not start: {said[-1] if said else 'it said nothing'}"
            ) from None
        return {str(provider): str(url) for provider, url in found.items()}

    def _watch(self, ports: str) -> None:
        while self._process is not None:
            code = self._process.wait()
            if self._closing.wait(RESTART_AFTER_S):
                return
            log.warning("the simulator ended with %s; starting it again", code)
            try:
                self._spawn(ports)
            except UsageError as error:
                log.error("%s", error)

    def close(self) -> None:
        """End the child within a second."""
        self._closing.set()
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            process.kill()
