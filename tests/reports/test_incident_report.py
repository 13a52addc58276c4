"""One incident as JSON and Markdown: fixed keys, the same bytes, and no word of others that acts as markup."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.errors import UsageError
from payops.reports import incident_json, incident_markdown, incident_text
from payops.reports import markdown as markdown_module
from payops.reports.markdown import escape, escape_block

INCIDENT = {
    "id", "rule", "challenge", "provider", "account", "opened_at", "state", "level", "severity", "resolved_at",
    "ended_as", "attempts", "handoffs", "why",
}  # fmt: skip
ATTEMPT = {"n", "remedy", "outcome", "verified", "started_at", "ended_at", "request_ids"}
HANDOFF = {"level", "to", "problem", "attempted", "impact", "gateway", "request", "sent_at", "accepted_at"}


def test_document_has_the_interface_keys_and_values(store, story):
    story(store)
    document = incident_json(store, "inc-1")
    assert set(document) >= INCIDENT
    assert (document["state"], document["level"], document["ended_as"]) == ("resolved", 2, "level_2")
    assert document["opened_at"] == "2026-01-15T09:00:00Z"
    assert document["resolved_at"] == "2026-01-15T09:37:00Z"
    (attempt,) = document["attempts"]
    assert set(attempt) >= ATTEMPT
    assert (attempt["outcome"], attempt["verified"]) == ("rejected", False)
    assert attempt["request_ids"] == ["req_1", "req_2"]
    (handoff,) = document["handoffs"]
    assert set(handoff) >= HANDOFF
    assert (handoff["to"], handoff["accepted_at"]) == ("integration-coordinator", "2026-01-15T09:07:00Z")
    assert document["why"] == [
        {"term": "disabled", "value": True},
        {"term": "missing", "value": None},
        {"term": "rate_5m", "value": 0.4},
    ]


def test_unknown_incident_is_a_usage_error(store, story):
    now = story(store)
    with pytest.raises(UsageError, match="inc-2"):
        incident_json(store, "inc-2")
    with pytest.raises(UsageError, match="inc-2"):
        incident_markdown(store, "inc-2", now)


def test_two_stores_with_the_same_story_give_the_same_bytes(make_store, story):
    texts = []
    for _ in range(2):
        store = make_store()
        now = story(store)
        texts.append((json.dumps(incident_json(store, "inc-1")), incident_markdown(store, "inc-1", now)))
    assert texts[0] == texts[1]


def test_report_of_a_resolved_incident_does_not_change_with_the_day(store, story):
    now = story(store)
    later = now.replace(month=6)
    assert incident_markdown(store, "inc-1", now) == incident_markdown(store, "inc-1", later)


def test_markdown_tells_the_whole_story(store, story):
    text = incident_markdown(store, "inc-1", story(store))
    for part in (
        "# `inc-1`: Webhook endpoint own is disabled",
        "| Lasted | 37 min 0 s |",
        "| missing | unknown |",
        "- Money: 120.00 EUR and 900 JPY",
        "### Attempt 1: enable-endpoint",
        "- Outcome: rejected, not verified",
        "- Request ids: `req_1`, `req_2`",
        "  1. enable `we_1` (`https://stripe.sim/webhooks/stripe-live`)",
        "### To integration-coordinator (Level 2), 2026-01-15 09:02:00 UTC",
        "- Accepted: 2026-01-15 09:07:00 UTC by ben",
        "- **Problem**: Webhook endpoint own is disabled. Opened at",
        "resolved by ben: cause our configuration; fixed by: enabled it by hand; the deploy had removed it",
        "Fixed at Level 2, peer consultation, at 2026-01-15 09:37:00 UTC after 37 min 0 s.",
        "> The provider has stopped sending events",
        "> 1\\. Open the endpoint's URL",
        "| rate\\_5m | 0.4 |",
    ):
        assert part in text, part
    assert "None" not in text


def test_open_incident_says_what_is_still_missing(store, story):
    story(store)
    ended = store.incidents.get("inc-1")
    now = ended.resolved_at
    store.incidents.reopen("inc-1", ended.version, now, why_text="again")
    text = incident_markdown(store, "inc-1", now)
    assert "| Resolved | not yet |" in text
    assert "so far" in text
    assert "It has not ended: open, with ben." in text


def without_code(markdown: str) -> str:
    """What a renderer reads as markup: a code span runs from a backtick that is not escaped to the next one."""
    return re.sub(r"(?<!\\)((?:\\\\)*)`[^`|<>\n]+`", r"\1", markdown)


def test_a_terminal_is_shown_plain_text(store, story):
    text = incident_text(store, "inc-1", story(store, detail="no such \x1b[31mendpoint"))
    assert "\x1b" not in text
    assert "- Request ids: req_1, req_2" in text
    assert "| rate_5m | 0.4 |" in text
    assert "\\" not in text


HOSTILE = (
    "<script>alert(1)</script> [click](https://evil.example) ![x](http://evil.example/x.png) | cell | `code` "
    "**bold** \x1b[31mred\x1b[0m\n# heading\n- item www.evil.example javascript:alert(1) &amp;"
)


def test_hostile_text_stays_text(store, story):
    whole = incident_markdown(store, "inc-1", story(store, title=HOSTILE, detail=HOSTILE))
    assert "`https://evil.example`" in whole  # to copy: code is no link
    text = without_code(whole)
    assert "\x1b" not in text
    assert "<script" not in text.replace("\\<script", "")
    assert not re.search(r"(?<!\\)\[click", text)
    assert "https://evil" not in text
    assert "\n# heading" not in text
    assert "\n- item" not in text
    assert "javascript:alert" not in text
    assert " www.evil" not in text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.text("`\\|_<>[]()*! \nwe_1https://x.y", max_size=80))
def test_escaped_text_is_one_line_without_live_markup(text):
    escaped = without_code(escape(text))
    assert "\n" not in escaped
    for mark in "<>[]`*_|#!~":
        assert not re.search(rf"(?<!\\){re.escape(mark)}", escaped.replace("\\\\", "")), (mark, escaped)
    assert not re.match(r"\s*([-+=]|\d+[.)])(\s|$)", escaped)
    assert all(line.startswith(">") for line in escape_block(text).splitlines())


@pytest.mark.parametrize("name", ["incident", "protocol", "shift", "brief"])
def test_every_value_in_a_markdown_template_is_escaped(name):
    """A number, a time of ours and a word from our own tables are the only ones that need no filter."""
    source = (Path(markdown_module.__file__).parent / "templates" / f"{name}.md.j2").read_text()
    plain = re.compile(
        r"^(attempt\.n|handoff\.level|impact\.payments|lasted|level|loop\.index|card\.(incidents|platform)"
        r"|card\.\w+ \| length|card\.time_to_\w+\.n|line\.opened|made\.\w+ \| length|line\.incident\.(severity|level)"
        r"|each\.id|fix\.(times|of))$"
    )
    for value in re.findall(r"\{\{(.+?)\}\}", source):
        expression = value.strip()
        safe = re.search(r"\| (md|quote|utc|told|span|date|fenced|plain)\b", expression) or plain.match(
            expression
        )
        quoted = expression.startswith(('"', "'")) and ("|" not in expression or "format(" in expression)
        assert safe or quoted, expression


def test_reports_do_not_load_jinja_before_a_report_is_asked_for():
    code = "import sys, payops.reports; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
