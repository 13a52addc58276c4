"""One incident whole, as titled sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from textual.content import Content

from payops.domain.incidents import FixAttempt, Handoff, Why
from payops.domain.roles import LEVEL_NAMES
from payops.engine.board import IncidentDetail, IncidentRow, PlanView

from .. import ink
from ..words import UNKNOWN, Times, status
from . import plan as plan_picture
from .below import facts_line
from .table import STATE_GLYPHS

MAX_TIMELINE = 300
LEFT_SECTIONS = 4
RIGHT_SECTIONS = 3
"""At most so many sections per column."""


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lines: tuple[Content, ...]


def head(row: IncidentRow, times: Times, near: datetime, width: int) -> list[Content]:
    """Which incident, how bad, how it stands."""
    glyph = STATE_GLYPHS.get(row.state, "?")
    bad: ink.Style = (
        "ok" if row.state == "resolved" else "bad" if row.severity in ("sev1", "sev2") else "watch"
    )
    first = ink.join(
        (
            ink.own(f" {glyph} ", bad),
            ink.said(row.id, "strong"),
            ink.own("  "),
            ink.said(row.title, "strong", limit=300),
        )
    )
    facts = [
        row.severity,
        row.state,
        LEVEL_NAMES.get(row.level, f"Level {row.level}"),
        row.account,
        f"opened {times.moment(row.opened_at, near)}",
    ]
    second = ink.join((ink.own(" "), ink.join((ink.said(fact, "dim") for fact in facts), "  ·  ")))
    third = facts_line(
        ink.line(status(row, times, near)),
        row.money,
        [f"owner {row.owner}"] if row.owner else [],
        width,
        "bad" if row.needs_human else "",
    )
    return [ink.fit(line, width) for line in (first, second, third)]


def left(
    detail: IncidentDetail, plan: PlanView | None, plan_note: str, times: Times, near: datetime
) -> list[Section]:
    """Why it fired, what comes next, what was tried, what is known."""
    sections = [Section("Why", tuple(_whys(detail.incident.why)) or (_none("no terms were kept"),))]
    if detail.row.state != "resolved":
        sections.append(Section("Next", _next(detail, plan, plan_note, times, near)))
    sections.append(
        Section(
            "Attempts",
            tuple(line for attempt in detail.attempts for line in _attempt(attempt, times, near))
            or (_none("nothing was tried yet"),),
        )
    )
    sections.append(Section("Evidence", tuple(_pair(k, v) for k, v in detail.evidence) or (_none("none"),)))
    return sections


def right(detail: IncidentDetail, times: Times, near: datetime) -> list[Section]:
    """Who has it, what happened when, what the rule's author advises."""
    sections = []
    if detail.handoffs:
        lines = tuple(line for handoff in detail.handoffs for line in _handoff(handoff, times, near))
        sections.append(Section("Handoffs", lines))
    entries = detail.timeline[-MAX_TIMELINE:]
    story = [
        ink.join(
            (
                ink.own(times.moment(entry.at, near), "dim"),
                ink.own("  "),
                ink.said(entry.who, "dim", limit=24),
                ink.own("  "),
                ink.told(entry.text, limit=1000),
            )
        )
        for entry in reversed(entries)
    ]
    if len(detail.timeline) > MAX_TIMELINE:
        story.append(_none(f"{len(detail.timeline) - MAX_TIMELINE:,} older entries are in the export"))
    sections.append(Section("Timeline, newest first", tuple(story) or (_none("empty"),)))
    if detail.runbook:
        sections.append(Section("Runbook", (ink.told(detail.runbook),)))
    return sections


def _whys(terms: Sequence[Why]) -> list[Content]:
    """Terms in one column, the values they had in another."""
    width = min(44, max((cell_len(ink.line(why.term)) for why in terms), default=0))
    drawn = []
    for why in terms:
        value = "unknown" if why.value is None else _value(why.value)
        term = (
            ink.padded(ink.said(why.term), width)
            if cell_len(ink.line(why.term)) <= width
            else ink.said(why.term)
        )
        drawn.append(
            ink.join((term, ink.own("   "), ink.said(value, "watch" if why.value is None else "strong")))
        )
    return drawn


def _value(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value


def _next(
    detail: IncidentDetail, plan: PlanView | None, plan_note: str, times: Times, near: datetime
) -> tuple[Content, ...]:
    incident = detail.incident
    drawn: list[Content] = []
    if incident.next_action:
        drawn.append(
            ink.join(
                (
                    ink.own(f"{times.moment(incident.next_action_at, near)}  ", "dim"),
                    ink.said(incident.next_action),
                )
            )
        )
    if incident.l1_reason:
        drawn.append(ink.told(incident.l1_reason, limit=500))
    if plan is not None:
        drawn += [
            ink.own("Plan of the next fix, nothing of it is done yet:", "dim"),
            *plan_picture.lines(plan),
        ]
    elif plan_note:
        drawn.append(ink.said(plan_note, "dim", limit=400))
    return tuple(drawn) or (_none("nothing is scheduled"),)


def _attempt(attempt: FixAttempt, times: Times, near: datetime) -> list[Content]:
    if attempt.verified:
        outcome, style = f"✔ proved {times.moment(attempt.ended_at, near)}", "ok"
    elif attempt.outcome is None:
        outcome, style = f"… {attempt.phase}", "watch"
        if attempt.verify_until:
            outcome += f" until {times.moment(attempt.verify_until, near)}"
    elif attempt.effect == "read" and attempt.outcome == "succeeded":
        outcome, style = f"○ looked, changed nothing {times.moment(attempt.ended_at, near)}", "dim"
    else:
        outcome, style = f"✖ {attempt.outcome.replace('_', ' ')}", "bad"
    first = ink.join(
        (
            ink.own(f"{attempt.n}  "),
            ink.said(attempt.remedy, "strong"),
            ink.own("  "),
            ink.said(f"by {attempt.by}, {times.moment(attempt.started_at, near)}", "dim"),
            ink.own("  "),
            ink.said(outcome, style),  # type: ignore[arg-type]
        )
    )
    drawn = [first]
    if attempt.detail:
        drawn.append(ink.join((ink.own("   "), ink.told(attempt.detail, limit=500))))
    ids = ", ".join(ink.line(request_id, limit=60) for request_id in attempt.request_ids[:8])
    drawn.append(ink.join((ink.own("   request ids  ", "dim"), ink.said(ids or "none", "dim", limit=600))))
    return drawn


def _handoff(handoff: Handoff, times: Times, near: datetime) -> list[Content]:
    if handoff.accepted_at:
        answer = f"accepted by {handoff.accepted_by} {times.moment(handoff.accepted_at, near)}"
    elif handoff.returned_at:
        answer = f"returned by {handoff.returned_by} {times.moment(handoff.returned_at, near)}: {handoff.question or UNKNOWN}"
    elif handoff.accept_by:
        answer = f"not accepted yet, due {times.moment(handoff.accept_by, near)}"
    else:
        answer = "not accepted yet"
    drawn = [
        ink.join(
            (
                ink.own(f"Level {handoff.level} → "),
                ink.said(handoff.to, "strong"),
                ink.own("  "),
                ink.said(f"sent {times.moment(handoff.sent_at, near)} by {handoff.sent_by}", "dim"),
            )
        ),
        ink.said(answer, "ok" if handoff.accepted_at else "watch", limit=400),
    ]
    for name in ("problem", "attempted", "impact", "gateway", "request"):
        drawn.append(
            ink.join(
                (ink.own(f"{name.capitalize():<10}", "dim"), ink.told(getattr(handoff, name), limit=1000))
            )
        )
    return drawn


def _pair(label: str, value: str) -> Content:
    return ink.join(
        (ink.said(f"{ink.line(label, limit=30)}:", "dim"), ink.own(" "), ink.told(value, limit=500))
    )


def _none(text: str) -> Content:
    return ink.own(text, "dim")
