"""Mistakes in rule files: every one of them, each at its line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from payops.domain.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class RuleError:
    """One mistake. `line` and `column` count from 1; `message` has the wrong text and what to write instead."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class RuleFileErrors(UsageError):
    """The rule files cannot be used; nothing of them was loaded. `errors` is never empty."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        self.errors = tuple(sorted(errors))
        super().__init__("\n".join(str(error) for error in self.errors))
