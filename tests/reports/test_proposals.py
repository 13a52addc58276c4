"""Proposals come with their numbers, from enough cases only, and say what to change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.incidents import Incident
from payops.escalation import resolve
from payops.reports.proposals import LEAST, proposals


def closed(store, start, rule: str, *, false: int, real: int, false_min: int = 5, real_min: int = 60) -> None:
    for index in range(false + real):
        at = start + timedelta(hours=3 * index)
        draft = Incident(
            "", 0, rule, "webhook_miss", "stripe", "stripe-live", "live", "t", "sev3", "open", 1, f"{rule}{index}",
            {}, at, at,
        )  # fmt: skip
        made = store.incidents.open(draft, "test", at)
        wrong = index < false
        end = at + timedelta(minutes=false_min if wrong else real_min)
        resolve(
            store, made.id, "false alarm" if wrong else "issuer", "" if wrong else "nothing", "", "ana", end
        )


def made(store, start):
    return [(each.kind, each.subject) for each in proposals(store, start, start + timedelta(days=30))]


def test_a_rule_that_is_mostly_wrong_is_to_be_retired(store, story_start):
    closed(store, story_start, "noisy", false=9, real=1)
    (found,) = proposals(store, story_start, story_start + timedelta(days=30))
    assert (found.kind, found.subject) == ("retire", "noisy")
    assert "1 of 10 were real (2–40 %)" in found.because
    assert len(found.ids) == 9


def test_false_alarms_that_end_sooner_than_real_ones_ask_for_patience(store, story_start):
    closed(store, story_start, "hasty", false=3, real=5)
    (found,) = proposals(store, story_start, story_start + timedelta(days=30))
    assert found.kind == "threshold"
    assert "wait 6 min longer" in found.what


def test_false_alarms_as_long_as_real_ones_ask_for_a_threshold(store, story_start):
    closed(store, story_start, "blunt", false=3, real=5, false_min=90)
    (found,) = proposals(store, story_start, story_start + timedelta(days=30))
    assert "raise the threshold" in found.what


@pytest.mark.parametrize(("false", "real"), [(0, 20), (1, 9), (LEAST - 1, 0)])
def test_good_rules_and_few_cases_propose_nothing(store, story_start, false, real):
    closed(store, story_start, "fine", false=false, real=real)
    assert made(store, story_start) == []


def test_a_shadow_rule_that_was_right_is_to_be_promoted_and_one_that_was_not_counts_on(store, story_start):
    closed(store, story_start, "real", false=0, real=8)
    for index in range(8):
        at = story_start + timedelta(hours=3 * index, minutes=10)
        for rule, moment in (("sharp", at), ("blind", at + timedelta(hours=2))):
            store.rules.begin_firing(
                rule, f"{rule}{index}", {"account": "stripe-live"}, "sev3", "h", (), moment
            )
            for firing in store.rules.firing_now():
                store.rules.end_firing(firing.id, moment + timedelta(minutes=5))
    assert made(store, story_start) == [("promote", "sharp"), ("keep_counting", "blind")]
