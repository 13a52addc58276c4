"""The files in which applications of the world keep their own inboxes."""

from __future__ import annotations

from pathlib import Path

from payops.domain.errors import UsageError

from .applications import Application, InboxFile, inbox_path
from .objects import Endpoint
from .world import World


class Inboxes:
    """One file for each application with an inbox of its own; without one, no folder is made."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._open: list[tuple[InboxFile, Application, Endpoint]] = []
        try:
            for account in world.accounts.values():
                for named in account.options.endpoints:
                    if named.topology != "import":
                        continue
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                    file = InboxFile(inbox_path(folder, account.name, named.name))
                    endpoint = next(each for each in account.endpoints.rows if each.name == named.key)
                    self._open.append((file, account.applications[named.name], endpoint))
        except OSError as error:
            raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error

    def follow(self) -> None:
        """Write what the applications have taken in, and what they have done with it, by now."""
        for file, application, endpoint in self._open:
            with self._world.lock:
                arrivals, now_ms = list(endpoint.arrivals), self._world.now_ms
            file.follow(application, arrivals, now_ms)

    def close(self) -> None:
        for file, _, _ in self._open:
            file.close()
