"""What a signal is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from payops.domain.incidents import Value

FieldType = Literal["bool", "int", "double", "string"]


@dataclass(frozen=True, slots=True)
class Field:
    type: FieldType
    meaning: str


@dataclass(frozen=True, slots=True)
class Source:
    """One signal: what it is grouped by, which labels come along, and its fields."""

    name: str
    meaning: str
    group_by: tuple[str, ...]
    labels: tuple[str, ...]
    fields: Mapping[str, Field]
    stale_after_s: int
    """A row older than this is unknown."""
    kept: tuple[str, ...] = ()
    """Labels an incident keeps that rules and their tests do not speak of."""


@dataclass(frozen=True, slots=True)
class SignalRow:
    """The values of one group at one instant; a value of None is unknown."""

    labels: Mapping[str, str]
    values: Mapping[str, Value | None]
    as_of: datetime | None


SignalSet = Mapping[str, tuple[SignalRow, ...]]
"""Source name → its rows at one instant."""
