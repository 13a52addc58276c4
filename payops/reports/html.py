"""Reports as one HTML file each: no script, no request, readable on a phone, in print, in light and dark."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from payops.domain.gaps import amounts
from payops.domain.plans import plan_of
from payops.domain.roles import LEVEL_NAMES
from payops.text import safe_text

from . import charts
from .markdown import date, ending, lasted, show, span, told, utc
from .protocol import Scorecard
from .shift import Handover
from .story import VIEWS, Story

if TYPE_CHECKING:
    from jinja2 import Environment

    from .brief import Brief


def incident_html(story: Story) -> str:
    """The report of one incident for the reader the story is told to."""
    incident = story.incident
    return (
        _environment()
        .get_template("incident.html.j2")
        .render(
            story=story,
            incident=incident,
            attempts=[(attempt, plan_of(attempt.plan)) for attempt in story.attempts],
            level=LEVEL_NAMES[incident.level],
            ending=ending(incident),
            lasted=lasted((incident.resolved_at or story.now) - incident.opened_at),
            chart=charts.acceptance(story),
            width=charts.WIDTH,
            height=charts.HEIGHT,
            for_whom=VIEWS[story.view],
            now=story.now,
        )
    )


def brief_html(made: Brief) -> str:
    """The Level 4 brief as a page for the user."""
    return (
        _environment()
        .get_template("brief.html.j2")
        .render(
            brief=made,
            chart=charts.acceptance(made.story),
            width=charts.WIDTH,
            height=charts.HEIGHT,
            now=made.story.now,
        )
    )


def protocol_html(card: Scorecard) -> str:
    """The scorecard as a page."""
    return (
        _environment()
        .get_template("protocol.html.j2")
        .render(
            card=card,
            bars=charts.bars(card.shares),
            challenges=charts.bars(card.challenges),
            now=card.at,
        )
    )


def shift_html(made: Handover) -> str:
    """The handover as a page."""
    return _environment().get_template("shift.html.j2").render(made=made, now=made.at)


def _clean(value: object) -> object:
    """Every text of others on its way into the page: nothing that reorders or hides; escaping comes after."""
    return safe_text(value, limit=20_000) if type(value) is str else value


@cache
def _environment() -> Environment:
    # Imported on first use: a report is the only thing that needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("payops.reports"),
        autoescape=True,
        finalize=_clean,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "utc": utc,
        "show": show,
        "amounts": amounts,
        "span": span,
        "date": date,
        "told": told,
    }
    return environment
