"""Rules over what was recorded: a replay says what life said, and what another rule would have said."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.config import Settings
from payops.domain.errors import UsageError
from payops.engine.backtest import backtest_document, judged, replay
from payops.engine.explain import explain, explanation_document
from payops.engine.rulediff import behaved, diff_document, written
from payops.rulebook import RuleSet, apply, load, shipped_dir
from payops.signals.history import record
from payops.signals.schema import SignalRow, SignalSet
from payops.store import Store

from .conftest import NOW

CLOCKS = (shipped_dir() / "clock-skew.yaml").read_text()
LABELS = {"account": "stripe-live", "provider": "stripe", "mode": "live"}
LONG = timedelta(days=90)


def rules(tmp_path: Path, *changes: tuple[str, str]) -> RuleSet:
    text = CLOCKS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "clock.yaml"
    path.write_text(text)
    return load([path])


def skewed(now: datetime, seconds: int | None) -> SignalSet:
    return {"calls": (SignalRow(LABELS, {"n_5m": 20, "skew_s": seconds}, now),)}


def live(store: Store, known: RuleSet, skews: list[int | None]) -> None:
    """Each minute as the engine has it: recorded and judged."""
    for minute, skew in enumerate(skews):
        now = NOW + timedelta(minutes=minute)
        record(store, skewed(now, skew), now)
        apply(store, known, skewed(now, skew), now, may_act=True)


def played(store: Store, known: RuleSet):
    span, (found,) = replay(store, [known], LONG, lambda share: None)
    return span, judged(store, known, found, span)


WAVES = st.lists(
    st.tuples(st.sampled_from([0, 0, 600, 600, 40, None, -100]), st.integers(1, 9)), min_size=1, max_size=10
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(waves=WAVES)
def test_replay_of_the_rule_that_was_in_use_opens_and_closes_when_life_did(tmp_path, waves):
    known = rules(tmp_path)
    with Store.in_memory(NOW) as store:
        live(store, known, [skew for skew, minutes in waves for _ in range(minutes)])
        _, (found,) = played(store, known)
        lived = []
        for incident in reversed(store.incidents.listing()):
            entries = store.incidents.timeline(incident.id)
            lived.append(
                (
                    [entry.at for entry in entries if entry.kind in ("opened", "reopened")],
                    [entry.at for entry in entries if entry.kind == "resolved"],
                    incident.severity,
                )
            )
        assert [
            ([start for start, _ in each.spans], [end for _, end in each.spans if end], each.severity)
            for each in found.fired
        ] == lived


def test_draft_is_judged_and_an_incident_of_the_same_trouble_confirms_it(
    store: Store, tmp_path: Path
) -> None:
    live(store, rules(tmp_path), [0] * 5 + [600] * 20 + [0] * 10)
    draft = rules(tmp_path, ("id: clock-skew", "id: clock-early"), ("status: stable", "status: draft"))
    span, (found,) = played(store, draft)
    document = backtest_document(span, [found])
    (rule,) = document["rules"]
    assert (rule["fired"], rule["confirmed"], rule["false_alarms"], rule["untold"]) == (1, 1, 0, 0)
    assert rule["open_s"] == 20 * 60
    assert rule["precision"]["share"] == 1.0
    assert document["samples"] == 35


def test_false_alarm_counts_against_a_rule_and_what_nobody_judged_does_not(
    store: Store, tmp_path: Path
) -> None:
    known = rules(tmp_path)
    live(store, known, [0] * 5 + [600] * 5)
    incident = store.incidents.open_ones()[0]
    store.incidents.change(
        incident,
        NOW + timedelta(minutes=10),
        who="ana",
        entry="t",
        kind="resolved",
        state="resolved",
        resolved_at=NOW + timedelta(minutes=10),
        ended_as="false_alarm",
    )
    _, (found,) = played(store, known)
    assert (found.confirmed, found.false, found.untold) == (0, 1, 0)
    assert found.precision is not None
    assert found.precision[0] == 0.0


def test_diff_names_what_only_one_of_two_rules_would_have_opened(store: Store, tmp_path: Path) -> None:
    before = rules(tmp_path)
    live(store, before, [0] * 5 + [100] * 10 + [0] * 10 + [600] * 10 + [0] * 10)
    after = rules(tmp_path, ("skew_s >= 60", "skew_s >= 300"), ("reopen_within: 2h", "reopen_within: 0s"))
    before = rules(tmp_path, ("reopen_within: 2h", "reopen_within: 0s"))
    (diff,) = written(before, after)
    assert [(change.place, change.before) for change in diff.changes] == [
        ("fire.when", "n_5m >= 3, skew_s >= 60 || skew_s <= -60")
    ]
    span, (first, second) = replay(store, [before, after], LONG, lambda share: None)
    found = behaved(diff, first, second, span)
    assert (found.both, len(found.only_before), len(found.only_after)) == (1, 1, 0)
    assert found.only_before[0].at == NOW + timedelta(minutes=7)
    document = diff_document([found], span)
    assert (
        document["rules"][0]["behaviour"]["open_before_s"]
        == 2 * document["rules"][0]["behaviour"]["open_after_s"]
    )
    assert diff_document([diff], None)["rules"][0]["behaviour"] is None


def test_time_in_which_nothing_was_recorded_is_said(store: Store, tmp_path: Path) -> None:
    for minute in (0, 1, 2, 60, 61):
        record(store, skewed(NOW, 0), NOW + timedelta(minutes=minute))
    span, _ = played(store, rules(tmp_path))
    assert span.gaps == timedelta(minutes=58)


def test_store_that_recorded_nothing_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no signals are recorded"):
        played(store, rules(tmp_path))


def test_explanation_says_which_terms_hold_with_values_and_since_when(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    live(store, rules(tmp_path), [0] * 5 + [600] * 10 + [0] * 6)
    document = explanation_document(explain(store, settings, "inc-1", NOW + timedelta(minutes=30)))
    assert document["state"] == "resolved"
    assert document["at"] == "2026-01-15T12:17:00Z"
    by_term = {(each["part"], each["term"]): each for each in document["terms"]}
    skew = by_term["fire", "skew_s >= 60 || skew_s <= -60"]
    assert skew["then"] == {
        "result": True,
        "values": {"skew_s": 600},
        "since": "2026-01-15T12:05:00Z",
        "or_earlier": False,
    }
    assert skew["now"]["result"] is False
    assert skew["now"]["since"] == "2026-01-15T12:15:00Z"
    assert by_term["fire", "n_5m >= 3"]["now"]["or_earlier"] is True
    assert by_term["sev2", "skew_s >= 300 || skew_s <= -300"]["then"]["result"] is True
