from __future__ import annotations

import itertools
import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.expressions import ExpressionError, Terms, conjunction, format_duration, parse_duration

FIELDS = {
    "a": "bool",
    "b": "bool",
    "missing": "int",
    "rate": "double",
    "code": "string",
    "open_for": "duration",
}


@pytest.fixture(scope="module")
def terms() -> Terms:
    return Terms(FIELDS)


THREE = (True, False, None)


def kleene_or(x, y):
    return True if True in (x, y) else None if None in (x, y) else False


def kleene_and(x, y):
    return False if False in (x, y) else None if None in (x, y) else True


@pytest.mark.parametrize(("a", "b"), list(itertools.product(THREE, THREE)))
def test_operators_follow_three_valued_logic_in_either_order(terms, a, b):
    values = {"a": a, "b": b}
    assert terms.compile("a || b").evaluate(values) is kleene_or(a, b)
    assert terms.compile("a && b").evaluate(values) is kleene_and(a, b)
    assert terms.compile("!(a && b)").evaluate(values) is (
        None if kleene_and(a, b) is None else not kleene_and(a, b)
    )


@pytest.mark.parametrize(("a", "b"), list(itertools.product(THREE, THREE)))
def test_list_of_terms_is_three_valued_and(a, b):
    assert conjunction([a, b]) is kleene_and(a, b)


@pytest.mark.parametrize("a", THREE)
def test_unknown_value_is_the_same_absent_or_none(terms, a):
    term = terms.compile("a || missing > 1")
    assert term.evaluate({"a": a, "missing": None}) is term.evaluate({"a": a})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rate > 0.5", {"rate": math.nan}),
        ("!(rate > 0.5)", {"rate": math.nan}),
        ("rate > 0.5", {"rate": math.inf}),
        ("rate > 0.5", {"rate": "0.9"}),
        ("rate > 0.5", {"rate": True}),
        ("rate > 0.5", {"rate": 10**400}),
        ("missing > 0", {"missing": True}),
        ("missing > 0", {"missing": 2.0}),
        ("missing > 0", {"missing": 2**63}),
        ("a", {"a": 1}),
        ("a", {"a": "true"}),
        ("code == ''", {"code": None}),
        ("code == ''", {"code": "x" * 20_000}),
        ("code != 'x'", {"code": "\ud800"}),
        ("open_for > duration('1m')", {"open_for": 90}),
        ("10 / missing > 1", {"missing": 0}),
        ("missing * 2 > 1", {"missing": 2**62}),
    ],
)
def test_what_cannot_be_judged_is_unknown_and_never_true(terms, text, values):
    assert terms.compile(text).evaluate(values) is None


def test_an_int_value_is_taken_for_a_double_field(terms):
    assert terms.compile("rate >= 1.0").evaluate({"rate": 1}) is True


def test_durations_are_timedeltas(terms):
    term = terms.compile("open_for > duration('1h30m')")
    assert term.evaluate({"open_for": timedelta(minutes=91)}) is True
    assert term.evaluate({"open_for": timedelta(minutes=90)}) is False


def test_term_knows_the_fields_it_names_in_order(terms):
    assert terms.compile("rate > 0.1 && missing > 0 || code == 'rate'").names == ("rate", "missing", "code")


def test_each_text_is_compiled_once(terms):
    assert terms.compile("missing > 7") is terms.compile("missing > 7")


REFUSED = [
    ("rate > 1", 1, 6, "write 1.0 instead of 1"),
    ("1 < rate", 1, 3, "write 1.0 instead of 1"),
    ("rate > missing", 1, 6, "wrap the int: double(…)"),
    ("mising > 1", 1, 1, "did you mean 'missing'?"),
    ("nothing_like_it > 1", 1, 1, "known: a, b, code"),
    ("a and b", 1, 3, "write &&"),
    ("not a", 1, 1, "write !"),
    ("a = true", 1, 3, "to compare write =="),
    ("a & b", 1, 3, "write &&"),
    ("a == True", 1, 6, "did you mean 'true'?"),
    ("missing", 1, 1, "of type int, not a condition"),
    ("missing + 1", 1, 1, "not a condition"),
    ("open_for > 30", 1, 10, "write a duration as duration('30m')"),
    ("open_for > duration('30')", 1, 21, "write duration('30m')"),
    ("open_for > duration(code)", 1, 12, "quoted text"),
    ("code.matches('(')", 1, 14, "not a valid RE2 pattern"),
    ("code.matches(code)", 1, 14, "quoted pattern"),
    ("code == 'x", 1, 9, "the quote is never closed"),
    ("a ||", 1, 5, "ends too early"),
    ("(a", 1, 3, "missing ')'"),
    ("a b", 1, 3, "not a valid term"),
    ("code == 1", 1, 6, "does not apply to (string, int)"),
    ("a &&\n  mising > 1", 2, 3, "did you mean 'missing'?"),
    ("'é' == code && mising > 1", 1, 16, "did you mean 'missing'?"),
    ("code.length > 1", 1, 6, "not a field"),
    ("[1, 2].all(i, i > missing)", 1, 8, "unknown function 'all'"),
    ("dyn(rate) > 1", 1, 1, "unknown function 'dyn'"),
    ("starts_with(code, 'a')", 1, 1, "did you mean 'startsWith'?"),
    ("{'a': 1}['a'] == missing", 1, 1, "does not belong in a term"),
    ("rate > 1e999", 1, 8, "too large"),
    ("missing > 99999999999999999999", 1, 11, "too large"),
    ("missing > " + "9" * 1900, 1, 11, "too large"),
    ("1 / 0 > 1", 1, 1, "fails whenever it is evaluated"),
    ("", 1, 1, "empty"),
    ("  \n ", 1, 1, "empty"),
    ("a || " * 500 + "a", 1, 1, "at most 2000 are allowed"),
    ("(" * 51 + "a" + ")" * 51, 1, 51, "nested more than 50 deep"),
    ("(" * 49 + "a" + ")" * 49, 1, 1, "nested too deep"),
    ("!" * 60 + "a", 1, 51, "nested more than 50 deep"),
]


@pytest.mark.parametrize(("text", "line", "column", "says"), REFUSED, ids=[case[0][:30] for case in REFUSED])
def test_refused_term_names_place_and_suggestion(terms, text, line, column, says):
    with pytest.raises(ExpressionError) as caught:
        terms.compile(text)
    assert says in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "\n" not in caught.value.message


def test_regular_expression_attack_answers_at_once(terms):
    term = terms.compile("code.matches('^(((((a+)+)+)+)+)+$')")
    assert term.evaluate({"code": "a" * 9_000 + "!"}) is False


def test_many_alternatives_compile_within_the_bound(terms):
    text = " || ".join(["missing > 1"] * 130)
    assert terms.compile(text).evaluate({"missing": 2}) is True


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120) | st.text(alphabet="abmising rate<>=&|!()'\"0123456789.[],:?+-*/%", max_size=60))
def test_any_text_compiles_or_is_refused_in_words(text):
    terms = Terms(FIELDS)
    try:
        term = terms.compile(text)
    except ExpressionError as error:
        assert error.message
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert term.evaluate({}) in (True, False, None)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        ["a || b", "a && !b", "missing > 3 || a", "rate < 0.5 && missing > 3", "b ? missing > 1 : rate > 0.1"]
    ),
    st.fixed_dictionaries(
        {"a": st.booleans(), "b": st.booleans(), "missing": st.integers(0, 6), "rate": st.floats(0, 1)}
    ),
    st.sets(st.sampled_from(["a", "b", "missing", "rate"])),
)
def test_learning_a_value_never_overturns_a_verdict(text, values, hidden):
    term = Terms(FIELDS).compile(text)
    known = {name: value for name, value in values.items() if name not in hidden}
    partial = term.evaluate(known)
    assert partial is None or partial is term.evaluate(values)


@given(st.integers(0, 400 * 86_400))
def test_durations_round_trip(seconds):
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "5 m", "m5", "1m1h", "-5m", "5M", "1.5h", "999999d", "٣m", "5m\n"])
def test_what_is_not_a_duration_says_how_to_write_one(text):
    with pytest.raises(ValueError, match=r"write it as 30s, 5m|longer than"):
        parse_duration(text)
