"""What one rule says of one group at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from payops.domain.incidents import Incident, Severity, Why

from .model import Rule

Outcome = Literal["fire", "hold", "clear", "unknown", "pending", "inhibited"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of one group now.

    Without an open incident: `fire` asks for one, `pending` waits for its `for`, `inhibited` would fire beside its
    cause, `clear` is healthy, `unknown` cannot tell. With one: `clear` asks for its end, `fire` and `hold` keep it.
    `why` is worked out where something fires or is open.
    """

    rule: Rule
    key: str
    labels: Mapping[str, str]
    outcome: Outcome
    severity: Severity
    why: tuple[Why, ...]
    no_data: bool
    firing_since: datetime | None
    incident: Incident | None
    inhibited_by: str = ""
