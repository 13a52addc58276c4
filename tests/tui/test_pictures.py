"""What the pictures say, without a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from fake_desk import (
    BROKEN,
    BUSY,
    CARD,
    FIXED,
    HEALTHY,
    LOADING,
    NOW,
    PLAN,
    RESEND,
    STOPPED,
    THREE,
    VIEW_ONLY,
    WAITING,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.actions import ACTIONS, BY_NAME
from payops.engine.board import WindowRate
from payops.tui import ink, spark
from payops.tui.gate import why_not
from payops.tui.keymap import action_bindings, own_bindings
from payops.tui.pictures import card, header, table
from payops.tui.pictures.header import View
from payops.tui.pictures.plan import asks_for_word
from payops.tui.screens.help import page
from payops.tui.words import Times, age, money, percent

TIMES = Times(UTC)
VIEW = View(TIMES)


def test_unknown_is_never_written_as_zero() -> None:
    assert percent(None) == "–"
    assert "undelivered unknown" in card.backlog(LOADING.accounts[0]).plain
    rates = card.rates(LOADING.accounts[0])
    assert "not read yet" in rates[2].plain
    assert "0.0" not in rates[2].plain


def test_a_rate_stands_with_its_n_its_interval_and_what_is_usual() -> None:
    text = card.rates(BUSY.accounts[0])[0].plain
    for part in ("50.8 %", "of", "59", "38.3–63.3", "▼ expected 94.9"):
        assert part in text


def test_a_small_card_says_not_read_yet_before_it_says_that_nothing_was_paid() -> None:
    nothing = dict.fromkeys(CARD.success, WindowRate(0, 0, None, None, None))
    unread = replace(CARD, success=nothing, state="loading", fresh_at=None)
    assert "not read yet" in card.compact(unread, TIMES, NOW, 80)[0].plain
    assert "no payment in 5 min" in card.compact(replace(CARD, success=nothing), TIMES, NOW, 80)[0].plain


@pytest.mark.parametrize("width", [80, 140])
def test_completions_are_counted_on_every_card_and_never_shown_as_a_share(width: int) -> None:
    paypal = THREE.accounts[2]
    for lines in (card.compact(paypal, TIMES, NOW, width), card.rates(paypal)):
        text = "\n".join(line.plain for line in lines)
        assert "21 completed" in text or "21  completed" in text
        assert "%" not in text


def test_a_wide_small_card_says_what_the_account_lets_be_seen() -> None:
    assert "wallet declines not visible" in card.compact(THREE.accounts[2], TIMES, NOW, 140)[1].plain


def test_a_rate_is_called_low_only_when_its_whole_interval_is() -> None:
    within = replace(
        CARD, success={**CARD.success, "5m": WindowRate(20, 17, 0.85, 0.64, 0.95)}, expected=0.949
    )
    assert "▼" not in card.rates(within)[0].plain


def test_old_numbers_do_not_look_like_the_present() -> None:
    low = replace(BUSY.accounts[0], state="failed")
    assert "▼" not in card.rates(low)[0].plain


@pytest.mark.parametrize("state", ["loading", "backfilling", "live", "stale", "failed"])
def test_every_feed_state_has_a_glyph_and_words(state) -> None:
    text = card.feed(
        replace(CARD, state=state, progress=0.5, problem="gone", retry_at=NOW), TIMES, NOW, 140
    ).plain
    assert any(glyph in text for glyph in "…▓●▲✖")
    if state == "failed":
        assert "next try 14:02:10" in text and "gone" in text
    if state == "backfilling":
        assert "50 %" in text


@pytest.mark.parametrize("width", [80, 140])
def test_what_the_detectors_noticed_stands_on_every_card_with_its_glyph(width: int) -> None:
    watch = replace(CARD, noticed="watch: more failures than usual, card brand amex; not enough for an alarm")
    alarm = replace(CARD, noticed="alarm since 14:02 UTC: 61 of 240 failed, 12 expected, card brand visa")
    for one, glyph in ((watch, "▲ watch: "), (alarm, "▼ alarm since 14:02 UTC: 61 of 240 failed")):
        assert glyph in card.feed(one, TIMES, NOW, width).plain
        assert glyph in card.compact(one, TIMES, NOW, width)[1].plain
    assert "as of" in card.feed(alarm, TIMES, NOW, width).plain


def test_times_carry_the_day_when_it_is_another() -> None:
    assert TIMES.minute(NOW, NOW) == "14:02"
    assert TIMES.minute(NOW - timedelta(days=1), NOW) == "Jan 14 14:02"
    assert Times(timezone(timedelta(hours=1), "CET")).zoned(NOW) == "15:02:10 CET (14:02 UTC)"
    assert Times(UTC).zoned(NOW) == "14:02:10 UTC"


def test_ages_have_minute_resolution() -> None:
    assert [age(s) for s in (None, 5, 260, 7_200, 400_000)] == [
        "–",
        "under 1 min",
        "4 min",
        "2 h 0 min",
        "4 d 15 h",
    ]


def test_currencies_are_never_added() -> None:
    assert money(WAITING.money) == "12,340.50 EUR + 880.00 USD"


def test_mode_mismatch_is_loud() -> None:
    alerts = "\n".join(line.plain for line in header.alerts(BROKEN, VIEW, 140))
    assert "stripe-eu: configured LIVE, key proved TEST" in alerts
    assert "MISMATCH" in header.status(BROKEN, VIEW, None, 80).plain


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (HEALTHY, ("LIVE proven", "armed", "ana", "engine here", "as of 14:02:10 UTC")),
        (STOPPED, ("■ STOPPED",)),
        (VIEW_ONLY, ("view-only",)),
        (BROKEN, ("✖ engine late 1 min",)),
        (replace(HEALTHY, engine=replace(HEALTHY.engine, armed=False)), ("observing",)),
        (replace(HEALTHY, engine=replace(HEALTHY.engine, holder=None)), ("✖ no engine",)),
        (replace(HEALTHY, accounts=(replace(CARD, mode_proven=None),)), ("LIVE not proven yet",)),
    ],
)
def test_the_status_line_always_says_mode_arming_operator_engine_and_age(board, words) -> None:
    text = header.status(board, VIEW, None, 80).plain
    for word in words:
        assert word in text
    assert ink.own(text).cell_length <= 80


@pytest.mark.parametrize("width", [79, 100, 139, 199])
@pytest.mark.parametrize("board", [HEALTHY, BUSY, BROKEN])
def test_table_lines_fit_every_width(board, width) -> None:
    for line in [
        table.header(board, TIMES, width),
        *(line.content for line in table.lines(board, TIMES, width)),
    ]:
        assert line.cell_length <= width


def test_the_table_shows_at_most_500_rows_and_says_so() -> None:
    many = replace(HEALTHY, incidents=tuple(replace(WAITING, id=f"inc-{n}") for n in range(1_204)))
    lines = table.lines(many, TIMES, 139)
    assert sum(line.incident is not None for line in lines) == 500
    assert "showing 500 of 1,204" in lines[-1].content.plain


def test_a_resolved_incident_says_how_it_ended_and_when_it_was_proved() -> None:
    from payops.tui.words import status

    assert status(FIXED, TIMES, NOW) == "fixed at Level 1 by payops, proved 13:55:20"
    assert "proved 13:55" in table.lines(BUSY, TIMES, 79)[-1].content.plain


def test_the_cursor_follows_its_incident() -> None:
    lines = table.lines(BUSY, TIMES, 79)
    assert table.cursor_line(lines, "inc-3", 0) == 1
    assert table.cursor_line(lines, "gone", 1) == 1
    assert table.cursor_line(table.lines(HEALTHY, TIMES, 79), "inc-3", 4) is None


def test_a_board_nobody_renews_is_called_old() -> None:
    assert header.is_silent(HEALTHY, NOW + timedelta(minutes=3))
    assert not header.is_silent(HEALTHY, NOW + timedelta(seconds=60))
    assert "No news since" in header.alerts(HEALTHY, View(TIMES, silent=True), 80)[0].plain


def test_a_single_key_is_not_enough_for_money_or_many_targets() -> None:
    assert not asks_for_word(PLAN)
    assert asks_for_word(RESEND)
    assert asks_for_word(replace(PLAN, effect="money"))


def test_keys_help_and_palette_come_from_the_registry() -> None:
    bound = {binding.action: binding.key for binding in action_bindings()}
    assert bound == {f"ask('{action.name}')": action.key for action in ACTIONS if action.key}
    keys = [key for binding in (*action_bindings(), *own_bindings()) for key in binding.key.split(",")]
    assert len(keys) == len(set(keys))
    text = "\n".join(line.plain for line in page(74))
    for action in ACTIONS:
        assert action.title in text


@pytest.mark.parametrize(
    ("name", "board", "row", "words"),
    [
        ("fix", None, None, "nothing is loaded"),
        ("fix", VIEW_ONLY, WAITING, "view-only"),
        ("fix", HEALTHY, None, "no incident"),
        ("fix", STOPPED, WAITING, "R resumes"),
        ("ack", BUSY, FIXED, "resolved"),
        ("accept", BUSY, replace(WAITING, level=1), "nothing was handed over"),
        ("escalate", BUSY, replace(WAITING, level=4), "no higher"),
        ("resume", BUSY, None, "nothing is stopped"),
        ("stop", STOPPED, None, "already stopped"),
        ("export", VIEW_ONLY, FIXED, ""),
        ("note", BUSY, FIXED, ""),
        ("stop", BUSY, None, ""),
    ],
)
def test_what_cannot_be_done_says_why(name, board, row, words) -> None:
    reason = why_not(BY_NAME[name], board, row)
    assert words in reason if words else reason == ""


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=0, max_size=60),
    st.integers(1, 80),
    st.integers(1, 4),
)
def test_a_sparkline_is_as_wide_and_high_as_asked(rates, columns, height) -> None:
    squeezed = spark.squeeze(rates, [3] * len(rates), columns)
    assert len(squeezed) <= columns
    assert all(value is None or -1e-9 <= value <= 1 + 1e-9 for value in squeezed)
    rows = spark.blocks(squeezed, height)
    assert len(rows) == height
    assert {len(row) for row in rows} == {len(squeezed)}


def test_merged_minutes_are_weighted_by_their_payments() -> None:
    assert spark.squeeze([1.0, 0.0], [9, 1], 1) == [0.9]
    assert spark.squeeze([None, 0.5], [0, 4], 1) == [0.5]
    assert spark.squeeze([None, None], [0, 0], 1) == [None]


@settings(max_examples=100)
@given(st.text(), st.integers(0, 60))
def test_a_cell_is_exactly_as_wide_as_asked(value, width) -> None:
    assert ink.cell(value, width).cell_length == width
    assert ink.number(value, width).cell_length == width


def test_a_moment_of_another_year_is_still_absolute() -> None:
    assert TIMES.moment(datetime(2025, 12, 31, 23, 59, tzinfo=UTC), NOW) == "Dec 31 23:59:00"
