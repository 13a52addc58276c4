from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payops.text import did_you_mean, mask, safe_json, safe_line, safe_text

HOSTILE = [
    "Acme\x1b]52;c;Y3VybCBldmls\x07 Ltd",
    "Acme\x1b]52;c;Y3VybCBldmls\x1b\\ Ltd",
    "\x1b[31mred\x1b[0m",
    "\x9b31mred",
    "\x1b]0;title\x07",
    "abc\u202egnp.exe",
    "zero\u200bwidth",
    "\x1bPq#0;2;0;0;0\x1b\\",
    "tag\U000e0041",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_control_sequence_survives(text: str) -> None:
    shown = safe_text(text)
    assert all(char in "\n\t" or ord(char) >= 32 for char in shown)
    assert not any(0x7F <= ord(char) <= 0x9F or 0x202A <= ord(char) <= 0x202E for char in shown)


def test_the_payload_of_a_dropped_sequence_is_not_shown_as_text() -> None:
    assert safe_text("Acme\x1b]52;c;Y3VybCBldmls\x07 Ltd") == "Acme Ltd"
    assert safe_text("\x1b[31mred\x1b[0m") == "red"


@given(st.text(max_size=100))
def test_json_for_a_terminal_means_the_same_and_does_nothing(text: str) -> None:
    said = f"{text}\x9b31m\u202e\U000e0041\udc9b"
    shown = safe_json(json.dumps({"said": said}, ensure_ascii=False))
    assert json.loads(shown) == {"said": said}
    assert safe_text(shown, limit=10_000) == shown


@given(st.text(max_size=300))
def test_safe_text_is_idempotent_bounded_and_encodable(text: str) -> None:
    once = safe_text(text, limit=100)
    assert safe_text(once, limit=100) == once
    assert len(once) <= 100
    once.encode("utf-8")


@given(st.text(max_size=300))
def test_safe_line_is_one_line(text: str) -> None:
    line = safe_line(text)
    assert len(line.splitlines()) <= 1
    assert "\t" not in line


def test_ordinary_text_in_any_script_is_untouched() -> None:
    for text in ("Ægir & Søn GmbH", "株式会社ペイ", "مرحبا", "81.4 % of 1,204"):
        assert safe_text(text) == text


def test_a_mask_shows_kind_and_last_four_only() -> None:
    assert mask("rk_live_51H8abcdefgh4f2a") == "rk_live_…4f2a"
    assert mask("whsec_abcdefgh1234") == "whsec_…1234"
    assert mask("short") == "…"


def test_a_typo_gets_a_suggestion_and_nonsense_none() -> None:
    assert did_you_mean("stripe_live", ["stripe-live", "paypal-live"]) == " (did you mean 'stripe-live'?)"
    assert did_you_mean("zzz", ["stripe-live"]) == ""
