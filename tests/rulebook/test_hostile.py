"""Rule files made to hurt: each is refused in words or loads, and never crashes or hangs."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof import tried

from payops.expressions import ExpressionError, Terms
from payops.rulebook import RuleFileErrors, RuleSet, load

TERMS = Terms({"n": "int", "rate": "double", "ok": "bool", "code": "string", "open_for": "duration"})
VALUES = {"n": 3, "rate": 0.5, "ok": True, "code": "lost_card", "open_for": None}
WORDS = st.sampled_from(
    [
        *(
            "n",
            "rate",
            "ok",
            "code",
            "open_for",
            "x",
            "true",
            "null",
            "&&",
            "||",
            "!",
            "==",
            "<=",
            ">",
            "+",
            "-",
            "*",
        ),
        *(
            "/",
            "%",
            "?",
            ":",
            ".",
            ",",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "in",
            "has(n)",
            "0",
            "1.0",
            "1u",
            "9e999",
            "0x",
        ),
        *(
            "'a'",
            '"',
            "b'a'",
            "r'\\d'",
            "'\\'",
            "size(",
            "double(",
            "code.matches('",
            ".map(x, x)",
            "n.exists(",
            "\x00",
        ),
        *(
            "duration('1h')",
            "duration(",
            "timestamp('x')",
            "dyn(",
            "type(n)",
            "\n",
            "//",
            "é",
            "9" * 30,
            "@",
            ";",
        ),
    ]
)


@tried(full=20_000, usual=300)
@given(words=st.lists(WORDS, max_size=12), glue=st.sampled_from(["", " "]))
def test_any_term_is_judged_or_refused_with_a_place(words, glue):
    text = glue.join(words)
    try:
        term = TERMS.compile(text)
    except ExpressionError as error:
        assert error.message
        assert "\n" not in error.message
        assert error.line >= 1
        assert error.column >= 1
        return
    assert term.evaluate(VALUES) in (True, False, None)
    assert term.evaluate({}) in (True, False, None)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*b",
        "(a|a)*$",
        "((a{1,100}){1,100}){1,100}",
        "a{1000}{1000}",
        "(?:" * 300 + ")" * 300,
        "[" * 500,
        "(?=a)",
        "\\",
    ],
)
def test_patterns_made_to_hang_are_refused_or_judged_at_once(pattern):
    started = time.process_time()
    try:
        term = TERMS.compile(f"code.matches('{pattern}')")
    except ExpressionError:
        pass
    else:
        assert term.evaluate({"code": "a" * 10_000 + "!"}) in (True, False, None)
    assert time.process_time() - started < 2.0


def attempt(path) -> RuleSet | RuleFileErrors:
    started = time.process_time()
    try:
        return load([path])
    except RuleFileErrors as errors:
        assert all(error.message and "\n" not in str(error) for error in errors.errors)
        return errors
    finally:
        assert time.process_time() - started < 3.0


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"#" + b"x" * 10_000_000, "at most 65536 are read"),
        (b"a: b\x00c", "control character"),
        (b"\xff\xfea\x00:\x00", "not UTF-8"),
        (b"a:\n\t- b", "spaces, not tabs"),
        (b"a: !!python/object/apply:os.system ['true']", "the tag"),
        (b"a: !!binary aGk=", "the tag"),
        (b"<<: {a: 1}", "unknown key"),
        (b"a: &x 1\nb: *x", "the anchor"),
        (b"a: 1\n---\na: 1", "a second document"),
        (b"%YAML 9.9\n---\na: 1", "YAML"),
        (b"a: 0x" + b"f" * 400, "too large"),
        (b"a: -.inf", "not finite"),
        (b"a: .nan", "not finite"),
        (b"a: 1\na: 2", "written twice"),
        (b'"' + b"a" * 60_000, "not valid YAML"),
        (b"a: |\n" + b" x\n" * 20_000, "unknown key"),
        ("a: \u202e1\n".encode(), "unknown key"),
        (b"- " * 5_000, "nested more than 16 deep"),
        (b"!" * 60_000, "the tag"),
        (b"&" * 60_000, "YAML"),
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else "",
)
def test_hostile_files_are_refused_in_words(write, raw, says):
    found = attempt(write(raw))
    assert isinstance(found, RuleFileErrors)
    assert says in str(found)


def test_file_of_ten_megabytes_is_never_read_whole(write):
    path = write(b"id: " + b"x" * 10_000_000)
    tracemalloc.start()
    attempt(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000_000


def test_byte_order_mark_is_no_mistake(rule_text, write):
    assert isinstance(attempt(write(b"\xef\xbb\xbf" + rule_text.encode())), RuleSet)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for: 1m", "for: 99999999999d"),
        ("max_changes: 4", "max_changes: 99999999999999999999"),
        ("attempts: 2", "attempts: 1e3"),
        ('"0x2 7x5 0x10"', '"7x999999"'),
        ('"0x2 7x5 0x10"', '"' + "7x5000 " * 100 + '"'),
        ("every: 1m", "every: 0s"),
        ("{at: 3m, state: open}", "{at: 400d, state: open}, {at: 401d, state: open}"),
    ],
)
def test_numbers_beyond_every_bound_are_refused(rule_text, write, old, new):
    assert old in rule_text
    assert isinstance(attempt(write(rule_text.replace(old, new, 1))), RuleFileErrors)


@tried(full=3_000, usual=60)
@given(data=st.data())
def test_rule_with_its_lines_shuffled_doubled_or_moved_loads_or_is_refused(rule_text, tmp_path_factory, data):
    lines = rule_text.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["drop", "double", "indent", "outdent", "swap"]))
        if kind == "drop" and len(lines) > 1:
            lines.pop(at)
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "indent":
            lines[at] = "  " + lines[at]
        elif kind == "outdent":
            lines[at] = lines[at].removeprefix("  ")
        else:
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    path = tmp_path_factory.getbasetemp() / "moved.yaml"
    path.write_text("\n".join(lines))
    attempt(path)
