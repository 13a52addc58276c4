"""The next incident like it shows what ended the last ones: by rule and place first, then by words."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.escalation import note, resolve
from payops.escalation.similar import similar


def closed(
    desk, key: str, fixed: str = "enabled it by hand", cause: str = "our deploy", **changes: object
) -> str:
    opened = desk.open(dedup_key=key, **changes)
    desk.now += timedelta(minutes=10)
    resolve(desk.store, opened.id, cause, fixed, "", "ana", desk.now)
    desk.now += timedelta(minutes=10)
    return opened.id


def test_the_same_rule_and_account_come_first_with_what_fixed_them_and_how_fast(desk):
    elsewhere = closed(desk, "a", account="stripe-test", title="elsewhere")
    here = closed(desk, "b")
    again = closed(desk, "c")
    like = similar(desk.store, desk.open(dedup_key="now"))
    assert [past.incident.id for past in like.past] == [again, here, elsewhere]
    (fix,) = like.fixes
    assert (fix.what, fix.times, fix.of, fix.median) == ("enabled it by hand", 3, 3, timedelta(minutes=10))


def test_another_rule_is_found_by_its_words_notes_included(desk):
    other = desk.open("clock-skew", dedup_key="a", title="the clock of host nine is wrong")
    note(desk.store, other.id, "chronyd had stopped after the kernel update", "ana", desk.now)
    resolve(desk.store, other.id, "our configuration", "restarted chronyd", "", "ana", desk.now)
    desk.now += timedelta(hours=1)
    like = similar(desk.store, desk.open(dedup_key="now", title="signatures fail after the kernel update"))
    assert [(past.incident.id, past.because) for past in like.past] == [(other.id, "the same words")]


def test_a_false_alarm_is_shown_and_fixes_nothing(desk):
    closed(desk, "a", fixed="", cause="false alarm")
    like = similar(desk.store, desk.open(dedup_key="now"))
    assert [past.fixed_by for past in like.past] == ["it was a false alarm"]
    assert like.fixes == ()


def test_a_remedy_s_record_counts_finished_attempts_and_those_verified(desk):
    desk.open(dedup_key="a")
    desk.attempt(n=1, verified=False)
    desk.now += timedelta(minutes=1)
    desk.attempt(n=2, verified=True)
    resolve(desk.store, "inc-1", "our deploy", "payops enabled it", "", "ana", desk.now)
    desk.now += timedelta(minutes=1)
    like = similar(desk.store, desk.open(dedup_key="now"))
    assert [(track.remedy, track.verified, track.tried) for track in like.remedies] == [
        ("enable-endpoint", 1, 2)
    ]
    assert like.fixes[0].what == "enable-endpoint by payops"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=80))
def test_no_words_break_the_search(make_desk, text):
    desk = make_desk()
    opened = desk.open("clock-skew", dedup_key="a", title=text)
    note(desk.store, opened.id, f"x {text}", "ana", desk.now)
    resolve(desk.store, opened.id, "issuer", "nothing", "", "ana", desk.now)
    desk.now += timedelta(minutes=1)
    assert similar(desk.store, desk.open(dedup_key="now", title=text)) is not None
