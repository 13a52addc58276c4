"""Any bytes are a rule or a list of mistakes, and quickly."""

from __future__ import annotations

import time

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.rulebook import RuleFileErrors, RuleSet, load
from payops.rulebook.series import parse_series
from payops.rulebook.templates import problems, render

FUZZ = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["hold", "1m", "0s", "sev1", "missing > 1", "{account}", "5", "=", "yes", "<<", "account"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def attempt(path) -> RuleSet | RuleFileErrors:
    started = time.process_time()
    try:
        return load([path])
    except RuleFileErrors as errors:
        for error in errors.errors:
            assert error.line >= 1
            assert error.column >= 1
            assert error.message
            assert "\n" not in str(error)
        return errors
    finally:
        assert time.process_time() - started < 3.0


@FUZZ
@given(data=st.data())
def test_a_rule_with_any_part_replaced_loads_or_is_refused(rule_text, write, data):
    document = yaml.safe_load(rule_text)
    place = document
    for _ in range(data.draw(st.integers(0, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list):
            break
        place = place[key]
    if isinstance(place, dict):
        place[data.draw(st.sampled_from(list(place) or ["x"]) | st.text(max_size=8))] = data.draw(VALUES)
    elif place:
        place[data.draw(st.integers(0, len(place) - 1))] = data.draw(VALUES)
    attempt(write(yaml.safe_dump(document, allow_unicode=data.draw(st.booleans()), width=10_000)))


@FUZZ
@given(data=st.data())
def test_a_rule_with_any_text_changed_loads_or_is_refused(rule_text, write, data):
    start = data.draw(st.integers(0, len(rule_text)))
    end = data.draw(st.integers(start, min(len(rule_text), start + 20)))
    junk = data.draw(st.text(max_size=6) | st.text("{}[]&*!|>%@`\"'#:-?,\n\t ", max_size=6))
    attempt(write(rule_text[:start] + junk + rule_text[end:]))


@FUZZ
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(write, raw):
    assert isinstance(attempt(write(raw)), RuleFileErrors)


@FUZZ
@given(
    text=st.text(max_size=40) | st.text("0123456789x_.- 'truefals", max_size=40),
    kind=st.sampled_from(["bool", "int", "double", "string"]),
)
def test_any_series_is_samples_or_a_sentence(text, kind):
    try:
        samples = parse_series(text, kind)
    except ValueError as error:
        assert str(error)
    else:
        assert 1 <= len(samples) <= 5_000


@given(st.text(max_size=60))
def test_rendered_title_is_one_safe_line(text):
    labels = {"account": "a\x1b[31m\nb", "provider": "{account}"}
    shown = render(text + "{account} {provider}", labels)
    assert "\n" not in shown
    assert "\x1b" not in shown
    problems(text, labels)


def test_series_notation_is_exactly_n_samples():
    assert parse_series("0x5 12x20 _x3 7", "int") == (0,) * 5 + (12,) * 20 + (None,) * 3 + (7,)
    assert parse_series("truex2 false", "bool") == (True, True, False)
    assert parse_series("0.5x2 1", "double") == (0.5, 0.5, 1.0)
    assert parse_series("'api key'x2 _ lock_timeout", "string") == (
        "api key",
        "api key",
        None,
        "lock_timeout",
    )
