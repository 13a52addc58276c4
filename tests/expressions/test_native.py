"""What Python says of a term is what CEL says of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof import tried

from payops.expressions import ExpressionError, Terms
from payops.rulebook import load, shipped_dir
from payops.rulebook.checks import escalation_terms, signal_terms

FIELDS = {
    "i": "int",
    "j": "int",
    "d": "double",
    "e": "double",
    "b": "bool",
    "s": "string",
    "open_for": "duration",
}
TERMS = Terms(FIELDS)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("i", "j"),
            st.none() | st.integers(-3, 3) | st.integers(-(2**64), 2**64) | st.booleans() | st.just(1.0),
        ),
        **dict.fromkeys(
            ("d", "e"),
            st.none()
            | st.floats(-3, 3)
            | st.floats()
            | st.integers(-3, 3)
            | st.just(10**400)
            | st.booleans(),
        ),
        "b": st.none() | st.booleans() | st.just(1),
        "s": st.none()
        | st.sampled_from(["", "lost_card", "lost", "é", "🙂"])
        | st.text(max_size=4)
        | st.just(3),
        "open_for": st.none() | st.timedeltas(timedelta(0), timedelta(days=2)) | st.just(5),
    },
)
NUMBERS = {
    "int": st.sampled_from(["i", "j", "0", "3", "-2", "(-i)", "size(s)", "i + j", "i / j", "0x10"]),
    "double": st.sampled_from(
        ["d", "e", "0.5", "2.0", "-1.5", "3.0 * e", "d + e", "(d - e) * 1e308", "double(i)", "d / e"]
    ),
    "string": st.sampled_from(["s", "''", "'lost_card'", '"é"', r"'\u00e9'"]),
    "duration": st.sampled_from(["open_for", "duration('30m')", "duration('1h30m')", "duration('1.5s')"]),
}
COMPARED = st.sampled_from(sorted(NUMBERS)).flatmap(
    lambda kind: st.tuples(NUMBERS[kind], st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS[kind])
)
PLAIN = st.one_of(
    COMPARED.map(" ".join),
    st.sampled_from(["b", "!b", "true", "false", "b == true", "s.contains('ost')", "s.startsWith('lost')"]),
    st.sampled_from(
        ["s.endsWith('d')", "s.matches('^lost')", "i in [1, 2]", "b ? i > 1 : d > 1.0", "!(i > 1)"]
    ),
)
WHOLE = st.recursive(
    PLAIN,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda text: f"!({text})")
    ),
    max_leaves=6,
)


@tried(full=3_000, usual=200)
@given(text=WHOLE, values=VALUES)
def test_python_and_cel_agree_on_every_term_and_value(text, values):
    try:
        term = TERMS.compile(text)
    except ExpressionError:
        return
    assert term.evaluate(values) is term.evaluate_by_cel(values)


def test_nearly_every_shipped_term_is_judged_without_cel():
    slow, all_of_them = [], 0
    for rule in load([shipped_dir()]):
        conditions = signal_terms(rule.signal.source)
        ways = escalation_terms(rule.signal.source)
        steps = (rule.escalate.level2, *rule.escalate.level3, *rule.escalate.level4)
        terms = [conditions.compile(text) for text in (*rule.fire.when, *rule.resolve.when)]
        terms += [ways.compile(text) for step in steps if step for text in step.when]
        all_of_them += len(terms)
        slow += [term.text for term in terms if term._native is None]
    assert len(slow) <= all_of_them / 10, slow


@pytest.mark.parametrize("count", [2, 30, 31, 120])
def test_long_chains_are_judged_all_the_same(count):
    term = TERMS.compile(" || ".join(["i > 3"] * count))
    assert term.evaluate({"i": 4}) is True
    assert term.evaluate({"i": 3}) is False
    assert term.evaluate({}) is None
