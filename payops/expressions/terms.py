"""The CEL adapter. CEL's traps end here: errors are truthy values, int and double do not mix, NaN compares false."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal

from payops.text import did_you_mean, safe_line

from .errors import ExpressionError
from .lexer import INT64, MAX_NESTING, Lexed, Token, lex
from .native import native

MAX_TERMS = 50
MAX_STRING = 10_000

TermType = Literal["bool", "int", "double", "string", "duration"]
TermValue = bool | int | float | str | timedelta

_POSITION = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_OVERLOAD = re.compile(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OPERATORS = {
    "_&&_": "&&",
    "_||_": "||",
    "!_": "!",
    "-_": "-",
    "_?_:_": "?:",
    "@in": "in",
    "_[_]": "[]",
}


class Term:
    """One compiled condition. `names` are the fields it refers to."""

    __slots__ = ("_expression", "_kinds", "_native", "names", "text")

    def __init__(self, text: str, lexed: Lexed, kinds: Mapping[str, TermType], expression: Any) -> None:
        self.text = text
        self.names = lexed.names
        self._kinds = kinds
        self._expression = expression
        self._native = native(lexed.tokens, kinds, _ADMIT)

    def __repr__(self) -> str:
        return f"Term({self.text!r})"

    def evaluate(self, values: Mapping[str, TermValue | None]) -> bool | None:
        """True, False or None (unknown). A value that is missing, None, not finite or of the wrong type is unknown.

        `true || unknown` is true and `false && unknown` is false: what is not known is left out of the
        activation, and CEL reports an error only where it would have mattered.
        """
        return self._native(values) if self._native is not None else self.evaluate_by_cel(values)

    def evaluate_by_cel(self, values: Mapping[str, TermValue | None]) -> bool | None:
        """The same, as CEL itself says."""
        known: dict[str, TermValue] = {}
        for name in self.names:
            value = _ADMIT[self._kinds[name]](values.get(name))
            if value is not None:
                known[name] = value
        try:
            result = self._expression.eval(data=known)
            plain = result.value() if result.type() == _cel().Type.BOOL else None
        except (RuntimeError, TypeError, ValueError, OverflowError):
            return None
        return plain if isinstance(plain, bool) else None


class Terms:
    """The typed names terms may use, and the compiler for them. Each text is compiled once."""

    def __init__(self, fields: Mapping[str, TermType]) -> None:
        self.fields = dict(fields)
        self._compiled: dict[str, Term] = {}
        self._env: Any = None

    def compile(self, text: str) -> Term:
        """The term, type-checked to be a BOOL; ExpressionError has the position and what to write instead."""
        term = self._compiled.get(text)
        if term is None:
            term = self._compiled[text] = self._compile(text)
        return term

    def _compile(self, text: str) -> Term:
        lexed = lex(text)
        for token in lexed.tokens:
            if token.kind == "name" and token.text in lexed.names and token.text not in self.fields:
                raise ExpressionError(
                    self._unknown(token.text), text=text, line=token.line, column=token.column
                )
        try:
            expression = self._environment().compile(text)
        except (RuntimeError, TypeError, ValueError) as error:
            raise self._explain(text, lexed, str(error)) from None
        kind = expression.return_type()
        if kind != _cel().Type.BOOL:
            raise ExpressionError(
                f"the term is of type {_type_name(kind)}, not a condition: compare it with something",
                text=text,
            )
        self._check_patterns(text, lexed)
        term = Term(text, lexed, {name: self.fields[name] for name in lexed.names}, expression)
        if not lexed.names and term.evaluate({}) is None:
            raise ExpressionError("the term fails whenever it is evaluated", text=text)
        return term

    def _check_patterns(self, text: str, lexed: Lexed) -> None:
        for token, pattern in pairwise(token for token in lexed.tokens if token.text != "("):
            if token.text != "matches":
                continue
            if pattern.kind != "string":
                message = "matches() takes a quoted pattern: write matches('^lost_')"
            elif self._is_pattern(pattern.text):
                continue
            else:
                message = f"{safe_line(pattern.text, limit=60)} is not a valid RE2 pattern"
            raise ExpressionError(message, text=text, line=pattern.line, column=pattern.column)

    def _is_pattern(self, literal: str) -> bool:
        try:
            result = self._environment().compile(f"''.matches({literal})").eval(data={})
        except RuntimeError:
            return False
        return bool(result.type() == _cel().Type.BOOL)

    def _environment(self) -> Any:
        if self._env is None:
            kinds = _cel().Type
            types = {
                "bool": kinds.BOOL,
                "int": kinds.INT,
                "double": kinds.DOUBLE,
                "string": kinds.STRING,
                "duration": kinds.DURATION,
            }
            self._env = _cel().NewEnv(variables={name: types[kind] for name, kind in self.fields.items()})
        return self._env

    def _unknown(self, name: str) -> str:
        close = did_you_mean(name, self.fields)
        known = "" if close else f"; known: {', '.join(sorted(self.fields)) or 'none'}"
        return f"unknown name '{safe_line(name, limit=60)}'{close}{known}"

    def _explain(self, text: str, lexed: Lexed, raw: str) -> ExpressionError:
        found = _POSITION.search(raw)
        if found is None:
            deep = "recursion" in raw or "Iteration budget" in raw
            message = (
                f"nested too deep (at most {MAX_NESTING}): simplify the term" if deep else safe_line(raw)
            )
            return ExpressionError(message, text=text)
        line, column = int(found[1]), int(found[2])
        problem = found[3].replace("google.protobuf.Duration", "duration")
        if overload := _OVERLOAD.search(problem):
            message = _mixed(overload[1], overload[2].split(", "), lexed.tokens, line, column)
        elif undeclared := _UNDECLARED.search(problem):
            message = self._unknown(undeclared[1])
        else:
            # CEL lists every token it would have taken; the reader needs only where it stopped.
            problem = re.sub(
                r" expecting .*| \[INVALID_ARGUMENT\]$", "", problem.removeprefix("Syntax error: ")
            )
            problem = problem.replace("mismatched input '<EOF>'", "the term ends too early")
            message = f"not a valid term: {safe_line(problem, limit=120)}"
        return ExpressionError(message, text=text, line=line, column=column)


def conjunction(results: Iterable[bool | None]) -> bool | None:
    """AND of terms: False when one is false, else None when one is unknown, else True."""
    unknown = False
    for result in results:
        if result is False:
            return False
        unknown = unknown or result is None
    return None if unknown else True


def _mixed(operator: str, kinds: list[str], tokens: tuple[Token, ...], line: int, column: int) -> str:
    name = _OPERATORS.get(operator, operator.strip("_"))
    message = f"'{name}' does not apply to ({', '.join(kinds)})"
    if set(kinds) == {"int", "double"}:
        literal = _int_beside(tokens, line, column)
        example = f"write {literal}.0 instead of {literal}" if literal else "wrap the int: double(…)"
        return f"{message}: int and double do not mix, {example}"
    if kinds.count("duration") == 1:
        return f"{message}: write a duration as duration('30m')"
    return message


def _int_beside(tokens: tuple[Token, ...], line: int, column: int) -> str | None:
    for index, token in enumerate(tokens):
        if (token.line, token.column) == (line, column):
            beside = [*tokens[index + 1 : index + 2], *tokens[max(index - 1, 0) : index]]
            return next((t.text for t in beside if t.kind == "int" and t.text.isdigit()), None)
    return None


def _type_name(kind: object) -> str:
    return str(
        getattr(kind, "name", lambda: kind)() if callable(getattr(kind, "name", None)) else kind
    ).lower()


def _admit_bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _admit_int(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not -INT64 <= value <= INT64:
        return None
    return value


def _admit_double(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _admit_string(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > MAX_STRING:
        return None
    # Half of a surrogate pair is no text to CEL.
    return None if any("\ud800" <= character <= "\udfff" for character in value) else value


def _admit_duration(value: object) -> timedelta | None:
    return value if isinstance(value, timedelta) else None


_ADMIT: dict[str, Callable[[object], TermValue | None]] = {
    "bool": _admit_bool,
    "int": _admit_int,
    "double": _admit_double,
    "string": _admit_string,
    "duration": _admit_duration,
}


def _cel() -> Any:
    # Imported on first use: the compiled library costs 30 ms the first frame need not wait for.
    from cel_expr_python import cel

    return cel
