"""The incident report as Markdown. Every word of others is escaped for it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from payops.domain.gaps import amounts
from payops.domain.incidents import Incident, Value
from payops.domain.plans import plan_of
from payops.domain.roles import LEVEL_NAMES
from payops.store import Store
from payops.text import safe_line, safe_text

from .story import Story, tell

if TYPE_CHECKING:
    from jinja2 import Environment

    from .brief import Brief
    from .protocol import Scorecard, Share
    from .shift import Handover

ENDED = {
    "fixed_by_payops": "fixed at Level 1 by payops",
    "fixed_by_operator": "fixed at Level 1 by an operator",
    "self_healed": "self-healed: nothing that was applied is proved to have fixed it",
    "false_alarm": "a false alarm",
    "level_2": "fixed at Level 2, peer consultation",
    "level_3": "fixed at Level 3, strategic",
    "level_4": "decided at Level 4, by the user",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LIST_MARK = re.compile(r"^(\d{0,9})([-+=.)])(?=\s|$)")
# What a reader copies. Nothing in it can end a code span or a table cell, and no backtick stands beside it.
_COPIED = re.compile(
    r"(?<![\w`\\/.-])(?:https?://[\w.:/?=%@+-]*[\w/]|(?:acct|ch|cus|evt|inc|pi|re|req|we)[_-]\w*\w)(?![`\w])",
    re.ASCII,
)
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|javascript|data)(:)|(www)(\.)")


def incident_markdown(store: Store, incident_id: str, now: datetime) -> str:
    """The report of one incident; `UsageError` when there is none of that id."""
    return story_markdown(tell(store, incident_id, now))


def incident_text(store: Store, incident_id: str, now: datetime) -> str:
    """The same report for a terminal: nothing escaped for Markdown, nothing a terminal could act on."""
    return _report(_environment(plain=True), tell(store, incident_id, now))


def story_markdown(story: Story) -> str:
    """The report for the reader the story is told to."""
    return _report(_environment(), story)


def protocol_markdown(card: Scorecard) -> str:
    """The scorecard."""
    return _environment().get_template("protocol.md.j2").render(card=card, now=card.at)


def protocol_text(card: Scorecard) -> str:
    """The scorecard for a terminal."""
    return _environment(plain=True).get_template("protocol.md.j2").render(card=card, now=card.at)


def shift_markdown(made: Handover) -> str:
    """The handover."""
    return _environment().get_template("shift.md.j2").render(made=made, now=made.at)


def shift_text(made: Handover) -> str:
    """The handover for a terminal."""
    return _environment(plain=True).get_template("shift.md.j2").render(made=made, now=made.at)


def brief_markdown(made: Brief) -> str:
    """The Level 4 brief: self-contained, with its facts as JSON."""
    return _environment().get_template("brief.md.j2").render(brief=made, now=made.story.now)


def _report(environment: Environment, story: Story) -> str:
    incident = story.incident
    return environment.get_template("incident.md.j2").render(
        view=story.view,
        incident=incident,
        attempts=[(attempt, plan_of(attempt.plan)) for attempt in story.attempts],
        handoffs=story.handoffs,
        timeline=story.timeline,
        impact=story.impact,
        runbook=story.runbook,
        lasted=lasted((incident.resolved_at or story.now) - incident.opened_at),
        ending=ending(incident),
        level=LEVEL_NAMES[incident.level],
        now=story.now,
    )


def escape(value: object) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no link, no HTML, no list.

    Ids and URLs become code, so that they can be copied as they are; a URL in code is no link.
    """
    text = safe_line(value, limit=4000).lstrip()
    parts, end = [], 0
    for found in _COPIED.finditer(text):
        parts += [_inert(text[end : found.start()]), f"`{found[0]}`"]
        end = found.end()
    parts.append(_inert(text[end:]))
    return _LIST_MARK.sub(r"\1\\\2", "".join(parts))


def _inert(text: str) -> str:
    return _defused(_SPECIAL.sub(r"\\\1", text))


def escape_block(value: object) -> str:
    """The same for a text of several lines, as a quotation of one paragraph each."""
    lines = safe_text(value, limit=8000).splitlines() or [""]
    return "\n>\n".join(f"> {escape(line)}".rstrip() for line in lines if line.strip())


def _plain(value: object) -> str:
    return safe_line(value, limit=4000)


def _plain_block(value: object) -> str:
    return safe_text(value, limit=8000)


def _fenced(value: object) -> str:
    """JSON inside a code fence: a backtick in it is written as JSON's own escape, so that nothing ends the fence."""
    return str(value).replace("`", "\\u0060")


def _defused(text: str) -> str:
    """No renderer may turn a provider's URL into a link somebody clicks."""
    return _LINK.sub(lambda found: f"{found[1] or found[3]}\\{found[2] or found[4]}", text)


def show(value: Value | None) -> str:
    """A term's value; unknown is said."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def utc(at: datetime | None) -> str:
    """`2026-01-15 09:00:00 UTC`; what has not happened is said."""
    return "not yet" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def ending(incident: Incident) -> str:
    """How it ended, in words; or that it has not."""
    if incident.ended_as is not None:
        return ENDED[incident.ended_as]
    who = f", with {incident.owner}" if incident.owner else ""
    return f"it has not ended: {incident.state}{who}"


def lasted(value: timedelta) -> str:
    """`1 h 2 min 3 s`."""
    seconds = int(value.total_seconds())
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes) + [f"{seconds % 60} s"]
    return " ".join(parts)


def span(seconds: int | None) -> str:
    """`2 min 10 s`; unknown is said."""
    if seconds is None:
        return "unknown"
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


def date(at: datetime | None) -> str:
    """`2026-01-15`."""
    return "no date" if at is None else f"{at:%Y-%m-%d}"


def told(share: Share) -> str:
    """`7 of 10, 70.0 % (40-89)`: count, of how many, and the 95 % interval."""
    if share.share is None or share.interval is None:
        return f"{share.count} of {share.of}"
    low, high = share.interval
    return f"{share.count} of {share.of}, {share.share:.1%} ({100 * low:.0f}–{100 * high:.0f})".replace(
        "%", " %"
    )


@cache
def _environment(*, plain: bool = False) -> Environment:
    # Imported on first use: a report is the only thing that needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("payops.reports"),
        # Markdown, not HTML: everything of others goes through the `md` filters, which a test enforces.
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "md": _plain if plain else escape,
        "quote": _plain_block if plain else escape_block,
        "utc": utc,
        "show": show,
        "amounts": amounts,
        "span": span,
        "date": date,
        "told": told,
        "plain": _plain,
        "fenced": _fenced,
    }
    return environment
