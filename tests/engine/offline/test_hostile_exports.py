"""Exports as they come: what makes no row is reported with its line, and never costs another row."""

from __future__ import annotations

import pytest

from payops.domain.errors import UsageError

GOOD = "2026-01-05T12:00:00Z,succeeded,visa\n"
HEAD = "at,status,card_brand\n"


def skipped(found) -> list[int]:
    return [one["line"] for one in found["skipped"]]


@pytest.mark.parametrize(
    "line",
    [
        "yesterday,failed,visa\n",
        "2026-01-05,failed,visa\n",
        "2026-01-05T25:00:00Z,failed,visa\n",
        "1767614400000,failed,visa\n",
        "nan,failed,visa\n",
        ",failed,visa\n",
        "2026-01-05T12:00:00Z,declined,visa\n",
        "2026-01-05T12:00:00Z,,visa\n",
        "2026-01-05T12:00:00Z\n",
        "2026-01-05T12:00:00Z,failed,visa,NL\n",
        "2026-01-05T12:00:00Z,fai\0led,visa\n",
        '"2026-01-05T12:00:00Z,failed,visa\n',
        '2026-01-05T12:00:00Z,"failed"x,visa\n',
        "2026-01-05T12:00:00Z,failed," + "v" * 200_000 + "\n",
        "v" * 3_000_000 + "\n",
        "\x1b[2J,,\n",
    ],
    ids=lambda line: ascii(line[:40]),
)
def test_a_garbage_line_is_reported_and_costs_no_other(judged, line: str) -> None:
    found = judged((HEAD + GOOD + line + GOOD * 3).encode())
    assert skipped(found) == [3]
    assert found["skipped"][0]["reason"]
    assert "\x1b" not in found["skipped"][0]["reason"]
    assert (found["rows"], found["counted"]) == (5, 4)


@pytest.mark.parametrize(
    ("at", "same"),
    [
        ("2026-01-05T12:00:00", True),
        ("2026-01-05 13:00:00+01:00", True),
        ("2026-01-05T07:00:00.000-05:00", True),
        ("2026-01-05t12:00:00z", True),
        ("1767614400", True),
        ("1767614400.0", True),
        ("1767614401", False),
    ],
)
def test_every_way_to_write_a_moment_is_the_same_moment(judged, at: str, same: bool) -> None:
    head = "at,status,payment_id\n"
    found = judged(f"{head}2026-01-05T12:00:00Z,failed,a\n{at},failed,a\n".encode())
    assert found["duplicates"] == same
    assert not found["skipped"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + (HEAD + GOOD).encode(),
        ("\ufeff" + HEAD + GOOD).encode("utf-16-le"),
        (HEAD + GOOD).encode("utf-16"),
        (HEAD + GOOD).replace("\n", "\r\n").encode(),
        (HEAD + GOOD).replace("\n", "\r").encode(),
        (HEAD + GOOD).replace(",", ";").encode(),
        (HEAD + GOOD).replace(",", "\t").encode(),
        ("\n\n" + HEAD + "\n" + GOOD + "\n").encode(),
        b' "AT", Status,"card_brand"\n"2026-01-05T12:00:00Z"," Succeeded ","vi""sa"\n',
        (HEAD.strip() + ",\n" + GOOD.strip() + ",\n").encode(),
        HEAD.encode() + b'2026-01-05T12:00:00Z,succeeded,"a, brand\nof two lines"\n',
        HEAD.encode() + "2026-01-05T12:00:00Z,succeeded,Crédit\n".encode("latin-1"),
    ],
    ids=["utf-8 mark", "utf-16-le", "utf-16", "crlf", "cr", "semicolons", "tabs", "blank lines", "quotes", "trailing",
         "a line break in quotes", "latin-1"],
)  # fmt: skip
def test_marks_delimiters_and_encodings_are_read(judged, data: bytes) -> None:
    found = judged(data)
    assert (found["rows"], found["counted"], found["skipped"]) == (1, 1, [])


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (GOOD.encode(), "no column `at`"),
        (b"at,state\n", "no column `status`"),
        (b"at,status,at\n", "twice"),
        (b'"at,status\n', "names no columns"),
        (b"\0\0\0\0", "no column `at`"),
    ],
)
def test_a_file_without_columns_is_refused_by_name(judged, data: bytes, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        judged(data)


def test_a_file_of_garbage_alone_is_judged_and_says_so(judged) -> None:
    found = judged((HEAD + "x,y,z\n" * 3).encode())
    assert (found["rows"], found["counted"], skipped(found), found["alarms"]) == (3, 0, [2, 3, 4], [])


def test_an_amount_that_is_no_minor_units_is_garbage_and_an_empty_one_is_unknown(judged) -> None:
    head = "at,status,amount_minor,currency\n"
    lines = [
        f"2026-01-05T12:00:00Z,failed,{amount},EUR\n"
        for amount in ("", "0", "1999", "19.99", "-5", "1e3", "9" * 30)
    ]
    found = judged((head + "".join(lines)).encode())
    assert (found["counted"], skipped(found)) == (3, [5, 6, 7, 8])
