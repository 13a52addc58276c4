"""One function for each report: which format, for whom, sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from payops.domain.errors import UsageError
from payops.store import Store
from payops.text import did_you_mean, safe_json, safe_line

from . import markdown, protocol, shift
from .brief import brief
from .document import story_json
from .seal import sealed, sealed_json
from .story import View, tell
from .tables import incident_csv

FORMATS = ("md", "html", "json", "csv")
REPORT_FORMATS = ("text", "md", "html", "json")


def incident_report(store: Store, incident_id: str, format_: str, now: datetime, view: View) -> str:
    """One incident for one kind of reader."""
    story = tell(store, incident_id, now, view)
    if format_ == "json":
        return _json(store, story_json(story))
    if format_ == "md":
        return sealed(store, markdown.story_markdown(story), "md")
    if format_ == "csv":
        return sealed(store, incident_csv(story), "csv")
    if format_ == "html":
        from .html import incident_html

        return sealed(store, incident_html(story), "html")
    raise _unknown(format_, FORMATS)


def brief_report(store: Store, incident_id: str, format_: str, now: datetime) -> str:
    """The Level 4 brief: `md` for an adviser, `html` for the user."""
    made = brief(store, incident_id, now)
    if format_ == "md":
        return sealed(store, markdown.brief_markdown(made), "md")
    if format_ == "html":
        from .html import brief_html

        return sealed(store, brief_html(made), "html")
    raise _unknown(format_, ("md", "html"))


def protocol_report(store: Store, format_: str, since: datetime, now: datetime) -> str:
    """The scorecard of incidents opened from `since` until now."""
    card = protocol.scorecard(store, since, now, now)
    if format_ == "json":
        return _json(store, protocol.document(card))
    if format_ == "text":
        return markdown.protocol_text(card)
    if format_ == "md":
        return sealed(store, markdown.protocol_markdown(card), "md")
    if format_ == "html":
        from .html import protocol_html

        return sealed(store, protocol_html(card), "html")
    raise _unknown(format_, REPORT_FORMATS)


def shift_report(store: Store, format_: str, since: datetime, now: datetime) -> str:
    """The handover: what is open, what happened since `since`, what is owed."""
    made = shift.handover(store, since, now)
    if format_ == "json":
        return _json(store, shift.document(made))
    if format_ == "text":
        return markdown.shift_text(made)
    if format_ == "md":
        return sealed(store, markdown.shift_markdown(made), "md")
    if format_ == "html":
        from .html import shift_html

        return sealed(store, shift_html(made), "html")
    raise _unknown(format_, REPORT_FORMATS)


def _json(store: Store, document: Mapping[str, Any]) -> str:
    return safe_json(json.dumps(sealed_json(store, document), indent=2, ensure_ascii=False)) + "\n"


def _unknown(format_: str, known: tuple[str, ...]) -> UsageError:
    return UsageError(
        f"export: unknown format {safe_line(format_, limit=20)!r}{did_you_mean(format_, known)}; "
        f"use one of {', '.join(known)}"
    )
