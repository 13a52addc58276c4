"""Identifiers as Braintree makes them: short, lower-case letters and digits."""

from __future__ import annotations

from math import gcd

from payops.simulator.ids import Ids, stream

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = "abcdefghjkmnpqrstvwxyz"
_SPACE = len(_ALPHABET) ** 7


class Codes:
    """`9qde5qgp`: eight characters, a letter in the middle, so that no digits in it can be taken for a card number.

    A one-to-one mixing of the number: no two numbers of one kind have the same code.
    """

    def __init__(self, seed: int, name: str) -> None:
        draw = stream(seed, f"{name}/codes")
        self._factor = draw.randrange(_SPACE // 3, _SPACE)
        while gcd(self._factor, _SPACE) != 1:
            self._factor += 1
        self._offset = draw.randrange(_SPACE)

    def code(self, number: int) -> str:
        mixed = (number * self._factor + self._offset) % _SPACE
        letter = _LETTERS[mixed % len(_LETTERS)]
        digits = []
        for _ in range(7):
            mixed, digit = divmod(mixed, len(_ALPHABET))
            digits.append(_ALPHABET[digit])
        return f"{''.join(digits[:4])}{letter}{''.join(digits[4:])}"


def lower(ids: Ids, name: str, length: int) -> str:
    """Lower-case letters and digits for keys and tokens; at most 24, a letter in the middle."""
    return ids.token(name, length).lower()
