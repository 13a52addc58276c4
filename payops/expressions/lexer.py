"""The words of a term: what it names and calls, and refusal of what would be unbounded or never true."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from payops.text import did_you_mean

from .errors import ExpressionError

MAX_LENGTH = 2_000
MAX_NESTING = 50
INT64 = 2**63 - 1

FUNCTIONS = ("contains", "double", "duration", "endsWith", "int", "matches", "size", "startsWith")
"""What a term may call. CEL's comprehensions and `dyn` are left out: the first cost more than their length, the second
hides type errors until the rule should fire."""

_RESERVED = frozenset({"true", "false", "null", "in"})
_WORDS = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<string>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
      | (?P<float>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
      | (?P<int>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Lexed:
    """A term's tokens without white space, and the field names it refers to, in order of appearance."""

    tokens: tuple[Token, ...]
    names: tuple[str, ...]


def lex(text: str) -> Lexed:
    """Tokens and referenced names of `text`; ExpressionError for anything over a bound or outside the language."""
    if not text.strip():
        raise ExpressionError("the term is empty: write a condition such as missing > 0", text=text)
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"the term has {len(text)} characters, at most {MAX_LENGTH} are allowed: split it into list entries",
            text=text,
        )
    tokens = _tokens(text)
    _check_nesting(text, tokens)
    names: dict[str, None] = {}
    for index, token in enumerate(tokens):
        _check_token(text, token)
        if token.kind != "name" or token.text in _RESERVED:
            continue
        after_dot = index > 0 and tokens[index - 1].text == "."
        if index + 1 < len(tokens) and tokens[index + 1].text == "(":
            _check_call(text, tokens, index)
        elif after_dot:
            raise _at(text, token, f"'.{token.text}' is not a field: fields have plain names without dots")
        else:
            names[token.text] = None
    return Lexed(tokens, tuple(names))


def _tokens(text: str) -> tuple[Token, ...]:
    found: list[Token] = []
    line, start_of_line = 1, 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "space":
            found.append(Token(kind, match.group(), line, match.start() - start_of_line + 1))
        breaks = match.group().count("\n")
        if breaks:
            line += breaks
            start_of_line = match.start() + match.group().rindex("\n") + 1
    return tuple(found)


def _check_nesting(text: str, tokens: Sequence[Token]) -> None:
    depth = prefix = 0
    for token in tokens:
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        prefix = prefix + 1 if token.text in ("!", "-") else 0
        if max(depth, prefix) > MAX_NESTING:
            raise _at(text, token, f"nested more than {MAX_NESTING} deep: simplify the term")


def _check_token(text: str, token: Token) -> None:
    if token.kind == "other":
        hint = {
            "=": ": to compare write ==",
            "&": ": write &&",
            "|": ": write ||",
            "'": ": the quote is never closed",
            '"': ": the quote is never closed",
        }.get(token.text, "")
        raise _at(text, token, f"{token.text!r} does not belong in a term{hint}")
    if token.kind == "name" and token.text in _WORDS:
        raise _at(text, token, f"'{token.text}' is not an operator: write {_WORDS[token.text]}")
    if token.kind == "name" and token.text in ("True", "False"):
        raise _at(text, token, f"unknown name '{token.text}' (did you mean '{token.text.lower()}'?)")
    if token.kind == "int":
        digits = token.text.rstrip("uU")
        if len(digits) > 20 or int(digits, 0 if digits[:2].lower() == "0x" else 10) > INT64:
            raise _at(text, token, f"the number {digits[:24]} is too large: at most {INT64}")
    if token.kind == "float" and not math.isfinite(float(token.text)):
        raise _at(text, token, f"the number {token.text[:24]} is too large for a double")


def _check_call(text: str, tokens: Sequence[Token], index: int) -> None:
    token = tokens[index]
    if token.text not in FUNCTIONS:
        known = ", ".join(FUNCTIONS)
        raise _at(
            text,
            token,
            f"unknown function '{token.text}'{did_you_mean(token.text, FUNCTIONS)}; known: {known}",
        )
    if token.text != "duration":
        return
    argument = tokens[index + 2] if index + 2 < len(tokens) else None
    if argument is None or argument.kind != "string":
        raise _at(text, token, "duration() takes a quoted text: write duration('30m')")
    if not re.fullmatch(r"(?:\d{1,9}(?:\.\d{1,3})?(?:h|ms|m|s))+", argument.text.strip("'\"")):
        raise _at(
            text, argument, f"{argument.text[:40]} is not a duration: write duration('30m'), '90s' or '1h30m'"
        )


def _at(text: str, token: Token, message: str) -> ExpressionError:
    return ExpressionError(message, text=text, line=token.line, column=token.column)
