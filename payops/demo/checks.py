"""Does a finished run meet the scenario's `expect`? One verdict for each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.clock import iso
from payops.domain.incidents import HOUSE, Incident
from payops.simulator.scenario import Expect, Fault


@dataclass(frozen=True, slots=True)
class Check:
    """`line` counts from 0 as in the file."""

    line: int
    ok: bool
    why: str


Snapshots = Mapping[timedelta, Mapping[str, Incident]]
"""Time since the start → the incidents as they were then, by id."""


def judge(
    expect: Sequence[Expect],
    faults: Sequence[Fault],
    start: datetime,
    final: Sequence[Incident],
    snapshots: Snapshots,
) -> list[Check]:
    """Judge every line; incidents of challenge `platform` are judged like any other."""
    matched: set[str] = set()
    checks: list[Check] = []
    for number, line in enumerate(expect):
        if line.none_other:
            continue
        fault = faults[line.after] if line.after is not None else None
        since = start + fault.at if fault is not None else None
        hits = [
            incident
            for incident in sorted(final, key=lambda item: (item.opened_at, item.id))
            if incident.rule == line.rule
            and (line.provider is None or incident.account == HOUSE or incident.provider == line.provider)
            and (since is None or incident.opened_at >= since)
        ]
        matched.update(incident.id for incident in hits)
        checks.append(_judge_line(number, line, hits, faults, start, snapshots))
    for number, line in enumerate(expect):
        if line.none_other:
            others = [incident for incident in final if incident.id not in matched]
            said = ", ".join(
                f"{item.id} {item.rule} ({item.account}) at {iso(item.opened_at)}" for item in others
            )
            checks.append(Check(number, not others, f"unexpected: {said}" if others else "no other incident"))
    return sorted(checks, key=lambda check: check.line)


def _judge_line(
    number: int,
    line: Expect,
    hits: Sequence[Incident],
    faults: Sequence[Fault],
    start: datetime,
    snapshots: Snapshots,
) -> Check:
    what = f"{line.rule}{f' at {line.provider}' if line.provider else ''}"
    if not hits:
        return Check(number, line.optional, f"{what} did not open")
    first = hits[0]
    wrong: list[str] = []
    if line.within is not None:
        cause = _cause(line, faults, start, first)
        if cause is None:
            wrong.append("opened before any fault")
        elif first.opened_at - cause > line.within:
            wrong.append(
                f"opened {_said(first.opened_at - cause)} after its fault, allowed {_said(line.within)}"
            )
    judged: Incident | None = first
    if line.by is not None:
        judged = snapshots.get(line.by, {}).get(first.id)
    if judged is None:
        wrong.append(f"was not open yet at {_said(line.by or timedelta())}")
    else:
        for field in ("state", "level", "ended_as"):
            wanted = getattr(line, field)
            found = getattr(judged, field)
            if wanted is not None and wanted != found:
                wrong.append(f"{field} is {found}, expected {wanted}")
    if wrong:
        return Check(number, False, f"{first.id} {what}: {'; '.join(wrong)}")
    return Check(
        number, True, f"{first.id} {what} opened at {iso(first.opened_at)}, {first.ended_as or first.state}"
    )


def _cause(line: Expect, faults: Sequence[Fault], start: datetime, incident: Incident) -> datetime | None:
    if line.after is not None:
        return start + faults[line.after].at
    before = [
        start + fault.at
        for fault in faults
        if (incident.account == HOUSE or fault.provider == incident.provider)
        and start + fault.at <= incident.opened_at
    ]
    return max(before) if before else None


def _said(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60} min {seconds % 60} s" if seconds % 60 else f"{seconds // 60} min"
