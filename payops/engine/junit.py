"""Rule tests as JUnit XML, the form every CI reads: one suite for each rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as Xml

from payops.text import safe_line

from .ruletest import TestResult


def junit(results: Sequence[TestResult]) -> str:
    """The document; times are seconds."""
    root = Xml.Element("testsuites", {"name": "payops rules", **_counts(results)})
    for rule, found in groupby(results, key=lambda each: each.rule):
        tests = list(found)
        suite = Xml.SubElement(root, "testsuite", {"name": safe_line(rule), **_counts(tests)})
        for each in tests:
            case = Xml.SubElement(
                suite,
                "testcase",
                classname=safe_line(rule),
                name=safe_line(each.name),
                time=f"{each.seconds:.3f}",
            )
            if not each.ok:
                why = safe_line(each.why, limit=2_000)
                Xml.SubElement(case, "failure", message=why).text = why
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _counts(tests: Sequence[TestResult]) -> dict[str, str]:
    return {
        "tests": str(len(tests)),
        "failures": str(sum(not each.ok for each in tests)),
        "time": f"{sum(each.seconds for each in tests):.3f}",
    }
