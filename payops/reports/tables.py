"""CSV for spreadsheets: every cell is text, none is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from payops.clock import iso
from payops.text import safe_text

from .story import Story

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
HEAD = ("at", "kind", "who", "what", "result", "request_ids")


def cell(value: object) -> str:
    """Text that a spreadsheet shows as it is: what could begin a formula gets a quote in front."""
    text = "" if value is None else safe_text(value, limit=30_000)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180 with LF line ends."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[cell(value) for value in row] for row in rows])
    return written.getvalue()


def incident_csv(story: Story) -> str:
    """The incident as one row for each thing that happened, in order of time."""
    rows: list[tuple[object, ...]] = [
        (iso(each.at), each.kind, each.who, each.text, "", "") for each in story.timeline
    ]
    rows += [
        (
            iso(each.started_at),
            "attempt",
            each.by,
            f"{each.remedy}, attempt {each.n}: {each.detail}",
            f"{each.outcome or each.phase}, {'verified' if each.verified else 'not verified'}",
            " ".join(each.request_ids),
        )
        for each in story.attempts
    ]
    rows += [
        (
            iso(each.sent_at),
            "handoff",
            each.sent_by,
            f"Level {each.level} to {each.to}. Problem: {each.problem} Attempted: {each.attempted} "
            f"Impact: {each.impact} Gateway: {each.gateway} Request: {each.request}",
            f"accepted by {each.accepted_by}" if each.accepted_by else "not accepted",
            "",
        )
        for each in story.handoffs
    ]
    return table(HEAD, sorted(rows, key=lambda row: str(row[0])))
