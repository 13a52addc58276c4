"""Tables at the command line: nothing that a person needs is cut off, neither in a file nor on a small terminal."""

from __future__ import annotations

import sys

import pytest

from payops.cli import out

PERMISSION = "rak_event_read"
SENTENCE = f"permission: {'Stripe does not allow this to this key; ' * 4}grant it {PERMISSION}"
ROWS = [("stripe-live", "WRONG", "feed: events", SENTENCE, "grant the credential the permission named")]
HEAD = ("account", "state", "check", "seen", "next step")


def test_in_a_file_a_row_is_one_line_and_keeps_the_end_of_its_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out.table(HEAD, ROWS)
    head, row = capsys.readouterr().out.splitlines()
    assert SENTENCE in row
    assert row.index("permission:") == head.index("seen")


def test_on_a_terminal_a_row_is_folded_to_its_width_and_loses_no_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    out.table(HEAD, ROWS)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert PERMISSION in said
    assert said.count("Stripe") == 4


def test_what_is_too_long_for_any_cell_shows_that_it_was_cut(capsys: pytest.CaptureFixture[str]) -> None:
    out.table(("said",), [("x" * 5_000,)])
    assert capsys.readouterr().out.splitlines()[1] == "x" * (out.CELL - 1) + "…"


def test_rows_below_an_account_stay_indented(capsys: pytest.CaptureFixture[str]) -> None:
    out.table(("  feed", "answered"), [("  events", "never")])
    assert capsys.readouterr().out.splitlines()[1].startswith("  events")
