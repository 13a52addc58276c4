"""What can change beside payments, and how likely each kind breaks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """`ours` False: somebody else's doing. `weight` 0..1 orders kinds that are equally near."""

    said: str
    ours: bool
    weight: float


KINDS: Mapping[str, ChangeKind] = {
    "deploy": ChangeKind("a deploy", True, 1.0),
    "config": ChangeKind("a change of configuration", True, 1.0),
    "rule": ChangeKind("a change of our rules at the provider", True, 0.9),
    "api-version": ChangeKind("another API version", True, 0.9),
    "key": ChangeKind("another key or secret", True, 0.7),
    "provider-status": ChangeKind("a notice of the provider", False, 0.7),
    "endpoint": ChangeKind("an edit of a webhook endpoint", True, 0.3),
    "campaign": ChangeKind("a campaign or another source of traffic", True, 0.6),
    "other": ChangeKind("another change", True, 0.5),
}
"""Kind → what `payops note change --kind` takes."""
