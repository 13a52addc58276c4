"""What was done to the world from outside, on disk: replayed, the same world is there again after kill -9."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from payops.clock import from_epoch
from payops.domain.errors import UsageError
from payops.domain.payments import Provider

from .scenario import Scenario
from .wire import Api
from .world import World

_FORMAT = "payops.simulation/v1"


class Journal:
    """One JSON line per input, given to the operating system before the input takes effect.

    It survives the death of the process, not of the machine: this is a simulator.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the journal took only part of a record: is the disk full?")

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Past:
    """What a journal tells: when the run started and what came in since."""

    start: datetime
    inputs: tuple[dict[str, Any], ...]


def identity(scenario: Scenario, seed: int) -> dict[str, Any]:
    """What makes two worlds the same but for their start and what came in."""
    kept = scenario.model_dump(mode="json", exclude={"start", "expect", "actions"})
    return {"format": _FORMAT, "seed": seed, "scenario": kept}


def read(path: Path, scenario: Scenario, seed: int) -> Past | None:
    """The past of this very world; None when there is none yet. A torn last line never took effect: it is cut off.

    `UsageError` for a journal of another scenario or seed, and for one that is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        if data:
            _cut(path, 0)
        return None
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise UsageError(f"{path}:{number}: not a record of a simulation; delete the file to start anew")
        records.append(record)
    header, *inputs = records
    start = header.pop("start", None)
    if header != identity(scenario, seed) or not isinstance(start, int):
        raise UsageError(
            f"{path}: belongs to another scenario or seed, or to another version; name another file with --state, "
            "or delete it to start anew"
        )
    if len(whole) < len(data):
        _cut(path, len(whole))
    return Past(from_epoch(start / 1000), tuple(inputs))


def _cut(path: Path, length: int) -> None:
    with path.open("r+b") as file:
        file.truncate(length)


def begin(path: Path, world: World) -> Journal:
    """A new journal for a world nothing has happened to from outside."""
    try:
        journal = Journal(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    journal.append({**identity(world.scenario, world.seed), "start": world.start_ms})
    return journal


def replay(past: Past, world: World, apis: Mapping[Provider, Api]) -> None:
    """Bring `world` to the instant of its last input, with everything that came in."""
    for record in past.inputs:
        if record["input"] == "api":
            world.advance_ms(record["at"])
            apis[world.accounts[record["account"]].provider].replay(record)
        elif record["input"] == "application":
            world.advance_ms(record["at"])
            world.accounts[record["account"]].applications[record["name"]].take(record["event"], record["at"])
        else:
            world.advance_ms(record["at"])
            account = world.accounts[record["account"]]
            send = account.deliveries.find((record["event"], record["endpoint"], record["due"]))
            if send is not None:
                world.settle(account, send, record["at"], ok=record["ok"])
