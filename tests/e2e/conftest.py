"""A house to break: its parts are ended after the test whatever happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[[str], House]]:
    made: list[House] = []

    def build(scenario: str) -> House:
        made.append(House(tmp_path, scenario))
        return made[-1]

    yield build
    for each in made:
        each.close()
