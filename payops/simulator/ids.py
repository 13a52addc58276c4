"""Everything random or unique in the world comes from here, and depends on (seed, name) alone."""

from __future__ import annotations

import random
from binascii import b2a_base64
from hashlib import blake2b

_LETTERS = bytes.maketrans(b"+/", b"Zq")


def stream(seed: int, name: str) -> random.Random:
    """The random numbers of one concern: another concern's draws never move them."""
    return random.Random(f"{seed}/{name}")  # noqa: S311 - a reproducible world, not a secret


def share(seed: int, name: str) -> float:
    """One number in 0..1 for one question: the same whatever else was asked before, and by whom."""
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=7).digest()
    return (int.from_bytes(digest, "big") >> 3) / (1 << 53)


class Ids:
    """Identifiers as Stripe writes them, the same for the same seed, account and name.

    A letter stands in the middle of each, so that no digits in it can be taken for a card number.
    """

    def __init__(self, seed: int, account: str) -> None:
        self._key = blake2b(f"{seed}/{account}".encode(), digest_size=32).digest()

    def _text(self, name: str) -> str:
        digest = blake2b(name.encode(), key=self._key, digest_size=18).digest()
        return b2a_base64(digest, newline=False).translate(_LETTERS).decode("ascii")

    def long(self, prefix: str, name: object) -> str:
        """`ch_3Xy…`: 24 characters after the prefix."""
        text = self._text(f"{prefix}/{name}")
        return f"{prefix}_3{text[:11]}S{text[11:22]}"

    def short(self, prefix: str, name: object) -> str:
        """`cus_Qx…`: 14 characters after the prefix, as customers and requests have."""
        text = self._text(f"{prefix}/{name}")
        return f"{prefix}_{text[:6]}S{text[6:13]}"

    def token(self, name: str, length: int) -> str:
        """At most 24 letters and digits for secrets and fingerprints."""
        text = self._text(name)[:length]
        middle = length // 2
        return f"{text[:middle]}x{text[middle + 1 :]}"
