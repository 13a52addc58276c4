"""Judges what a rule asks as proof that a remedy worked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache

from payops.domain.incidents import Incident
from payops.expressions import ExpressionError, Terms
from payops.signals import SOURCES, SignalSet
from payops.signals.rows import known_values, row_for


def holds(
    when: Sequence[str], source: str, incident: Incident, signals: SignalSet, since: datetime, now: datetime
) -> bool | None:
    """Whether every term is true of the incident's own row; None when one is unknown and none is false.

    A row from before `since` proves nothing about what was done at `since`, so it is unknown.
    """
    if source not in SOURCES:
        return None
    row = row_for(signals, source, {"account": incident.account, **incident.labels})
    if row is None or row.as_of is None or row.as_of < since:
        return None
    values = known_values(row, source, now)
    try:
        verdicts = [_terms(source).compile(term).evaluate(values) for term in when]
    except ExpressionError:
        return None
    if any(verdict is False for verdict in verdicts):
        return False
    return None if None in verdicts else True


@cache
def _terms(source: str) -> Terms:
    return Terms({name: field.type for name, field in SOURCES[source].fields.items()})
