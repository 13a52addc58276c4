"""Secrets that are known and not in use: by them a signature that does not fit ours is explained, never accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from payops.domain import refusals
from payops.domain.refusals import Cause

from .port import NotVerified

Relation = Literal["stored", "other_mode", "other_account"]

_CAUSES: Mapping[Relation, Cause] = {
    "stored": refusals.STORED_SECRET,
    "other_mode": refusals.OTHER_MODE,
    "other_account": refusals.OTHER_ACCOUNT,
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """One of them. `name` is where it is stored; `secrets` are whole webhook secrets, public keys or webhook ids."""

    relation: Relation
    name: str
    secrets: tuple[str, ...] = field(repr=False)


Others = Iterable[Foreign]


def refused(other: Foreign) -> NotVerified:
    """Proof of whose it is: the signature fits."""
    kind: Literal["mode", "signature"] = "mode" if other.relation == "other_mode" else "signature"
    return NotVerified(f"{_CAUSES[other.relation].said}: {other.name}", kind)
