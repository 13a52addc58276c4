"""API credentials at the provider: which it accepts at the moment, for which mode, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from payops.domain.payments import OTHER_MODE, Mode

KeyName = Literal["monitor", "fallback", "application", "other"]


@dataclass(slots=True)
class Key:
    """`token` is what a request shows of it. `expired` is a revocation the provider words differently.

    `denied` are permissions it does not hold, by the provider's names.
    """

    token: str
    name: KeyName
    mode: Mode
    revoked: bool = False
    expired: bool = False
    denied: set[str] = field(default_factory=set)

    @property
    def dead(self) -> bool:
        return self.revoked or self.expired


class Keyring:
    """The credentials of one account, and their state at the provider."""

    def __init__(self, mode: Mode, keys: Iterable[Key]) -> None:
        self._mode = mode
        self._keys = {key.token: key for key in keys}

    def get(self, token: str) -> Key | None:
        return self._keys.get(token)

    def named(self, name: KeyName) -> Key:
        return next(key for key in self._keys.values() if key.name == name)

    def monitor(self) -> Key:
        """The credential payops reads with: its first that is neither dead nor of the wrong mode."""
        mine = [key for key in self._keys.values() if key.name in ("monitor", "fallback")]
        return next((key for key in mine if not key.dead and key.mode == self._mode), mine[0])

    def turn(self, key: Key) -> None:
        """Make it a credential of the other mode, or back."""
        key.mode = OTHER_MODE[key.mode]
