"""The headless run's document: the same scenario and seed give the same bytes but for `wall_seconds`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from payops.domain.incidents import ENDINGS, Incident
from payops.reports import incident_json
from payops.store import Store

from .checks import Check


def headless_document(
    store: Store,
    incidents: Sequence[Incident],
    *,
    scenario: str,
    seed: int,
    simulated_seconds: int,
    wall_seconds: float,
    payments: int,
    webhooks: dict[str, int],
    checks: Sequence[Check] | None,
) -> dict[str, Any]:
    """Put together what the interface fixes; incidents in the order of their opening."""
    counted = [incident for incident in incidents if incident.challenge != "platform"]
    levels = Counter(str(incident.level) for incident in counted)
    outcomes: Counter[str] = Counter(incident.ended_as or "unfinished" for incident in counted)
    document: dict[str, Any] = {
        "scenario": scenario,
        "seed": seed,
        "simulated_seconds": simulated_seconds,
        "wall_seconds": round(wall_seconds, 3),
        "payments": payments,
        "incidents": [incident_json(store, incident.id) for incident in incidents],
        "webhooks": webhooks,
        "levels": {str(level): levels[str(level)] for level in range(1, 5)},
        "outcomes": {ending: outcomes[ending] for ending in (*ENDINGS, "unfinished")},
    }
    if checks is not None:
        document["checks"] = [{"line": check.line, "ok": check.ok, "why": check.why} for check in checks]
    return document
