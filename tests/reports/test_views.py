"""Three readers, three views; a seal that any change breaks; cells that are no formulas; words that stay words."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payops.domain.errors import UsageError
from payops.escalation import note
from payops.reports import FORMATS, VIEWS, brief_report, fault_of, incident_report, protocol_report
from payops.reports.tables import cell

HOSTILE = '<script>alert(1)</script>\x1b[31m=1+1 \u202egnp.exe | "quoted" `code` {{ 7*7 }} </style>'


@pytest.mark.parametrize("view", list(VIEWS))
@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_for_every_reader_is_sealed_and_a_changed_letter_breaks_it(store, story, format_, view):
    now = story(store)
    text = incident_report(store, "inc-1", format_, now, view)
    assert fault_of(store, text) is None
    assert fault_of(store, text.replace("attempt", "attemqt", 1)) == "it was changed after it was sealed"
    note(store, "inc-1", "later", "ana", now)
    assert fault_of(store, text) is None, "the chain grows, the report stays true"


def test_a_seal_of_another_store_or_none_is_no_proof(store, make_store, story):
    now = story(store)
    text = incident_report(store, "inc-1", "md", now, "internal")
    other = make_store()
    assert "not this store's" in str(fault_of(other, text))
    assert fault_of(store, "# A report\n") == "it has no seal at its end"
    assert fault_of(store, '{"id": "inc-1"}') == "it has no seal"
    assert fault_of(store, "{not json") == "it has no seal"


def test_the_provider_sees_what_happened_there_and_nothing_about_us(store, story):
    now = story(store)
    for format_ in FORMATS:
        text = incident_report(store, "inc-1", format_, now, "provider")
        assert "req_1" in text
        for secret in (
            "ana",
            "ben",
            "backend-coordinator",
            "deploy had removed it",
            "120.00 EUR",
            "Read the",
        ):
            assert secret not in text.replace("\\", ""), (format_, secret)


def test_the_auditor_sees_the_rule_as_it_was_and_the_rows_of_the_chain(store, story):
    now = story(store)
    document = json.loads(incident_report(store, "inc-1", "json", now, "auditor"))
    assert document["policy"]["id"] == document["rule"]
    assert [row["hash"] for row in document["audit"]] == [row.hash for row in store.audit.about("inc-1")]
    assert document["audit"][0]["what"] == "open"


def test_unknown_formats_are_refused_by_name(store, story):
    now = story(store)
    with pytest.raises(UsageError, match="did you mean 'html'"):
        incident_report(store, "inc-1", "htm", now, "internal")
    with pytest.raises(UsageError, match="md, html"):
        brief_report(store, "inc-1", "csv", now)
    with pytest.raises(UsageError, match="text, md, html, json"):
        protocol_report(store, "pdf", now, now)


@given(st.text(max_size=200))
def test_no_cell_is_a_formula_and_every_row_reads_back(text):
    assert not cell(text).lstrip().startswith(("=", "+", "-", "@"))
    from payops.reports.tables import table

    (head, row) = csv.reader(io.StringIO(table(("a", "b"), [(text, "x")])))
    assert (head, row[1]) == (["a", "b"], "x")


def test_words_of_others_stay_words_in_html(store, story):
    now = story(store, title=HOSTILE, detail=HOSTILE)
    for text in (
        incident_report(store, "inc-1", "html", now, "internal"),
        incident_report(store, "inc-1", "html", now, "auditor"),
        brief_report(store, "inc-1", "html", now),
        protocol_report(store, "html", now - timedelta(days=1), now),
    ):
        assert "<script>" not in text
        assert "\x1b" not in text and "\u202e" not in text
        assert text.count("</style>") == 1
        assert "49" not in text.split("<body>")[1].split("{{ 7*7 }}")[0][-200:]


def test_the_brief_carries_its_facts_as_json_that_nothing_ends_early(store, story):
    now = story(store, title="``` not the end", detail=HOSTILE)
    text = brief_report(store, "inc-1", "md", now)
    facts = json.loads(text.split("```json\n")[1].split("\n```")[0])
    assert facts["title"] == "``` not the end"
    assert facts["id"] == "inc-1"
    for part in ("## Options", "## What was tried", "## What is not known", "payops incidents decide inc-1"):
        assert part in text


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=390,844", "--no-first-run",
    "--enable-logging=stderr", "--v=0", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def opened(page: Path, tmp_path: Path) -> tuple[list[str], str]:
    """What the page asked the network for when a browser opened it, and what it said on the console."""
    log, profile, shot = tmp_path / "net.json", tmp_path / "profile", page.with_suffix(".png")
    where = (f"--log-net-log={log}", f"--user-data-dir={profile}", f"--screenshot={shot}", page.as_uri())
    done = subprocess.run(
        [str(BROWSER), *QUIET, *where], capture_output=True, text=True, timeout=120, check=True
    )
    assert shot.stat().st_size > 2_000
    params = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    # The browser's own requests have no page that began them.
    asked = [each["url"] for each in params if each.get("initiator", "not an origin") != "not an origin"]
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return [url for url in asked if url.startswith(("http", "ws"))], "\n".join(said)


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
def test_the_page_opens_in_a_browser_without_a_request_or_a_message(store, story, tmp_path: Path):
    now = story(store, title=HOSTILE)
    page = tmp_path / "inc-1.html"
    page.write_text(incident_report(store, "inc-1", "html", now, "internal"), "utf-8")
    assert opened(page, tmp_path) == ([], "")
    loud = tmp_path / "loud.html"
    loud.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.log('here')</script>")
    asked, said = opened(loud, tmp_path)
    assert asked and "here" in said, "the check itself would notice"
