"""What is wrong with a term, and where in its text."""

from __future__ import annotations

from payops.domain.errors import UsageError


class ExpressionError(UsageError):
    """A term that cannot be compiled. `line` and `column` count from 1 within the term's own text."""

    def __init__(self, message: str, *, text: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.line = line
        self.column = column
