from __future__ import annotations

import dataclasses
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.rulebook import apply
from payops.store import Store

SAMPLES = st.lists(st.sampled_from([0, 0, 3, 9, 9, 60, None, "stale", "absent"]), min_size=1, max_size=40)
LAW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def play(rig, samples, *, restart: bool, path=None):
    """Everything every tick did, with the store closed and opened between ticks when `restart`."""
    store = Store.open(path, now=rig.at(0), seed="law") if path else rig.store
    story = []
    for minute, sample in enumerate(samples):
        now = rig.at(minute)
        rows = {
            "stale": (rig.row(minute, {"missing": 9}, age_s=2_000),),
            "absent": (),
        }.get(sample, (rig.row(minute, {"missing": sample}),))
        applied = apply(store, rig.rules, {"webhooks": rows}, now, may_act=True)
        story.append((minute, sample, applied.opened, applied.resolved, applied.changed))
        if restart:
            store.close()
            store = Store.open(path, now=now, seed="law")
    incidents = [dataclasses.replace(each, policy="") for each in store.incidents.listing()]
    if path:
        store.close()
    return story, incidents


@LAW
@given(samples=SAMPLES)
def test_incidents_change_only_on_what_is_known(rig, samples):
    for minute, sample, opened, resolved, changed in play(rig(), samples, restart=False)[0]:
        if opened:
            assert sample in (9, 60), minute
        if resolved:
            assert sample == 0, minute
        if changed:
            assert sample == 60, minute


@LAW
@given(samples=SAMPLES)
def test_at_most_one_incident_is_open_and_times_are_in_order(rig, samples):
    story, incidents = play(rig(), samples, restart=False)
    balance = 0
    for _, _, opened, resolved, _ in story:
        balance += len(opened) - len(resolved)
        assert balance in (0, 1)
    for incident in incidents:
        if incident.resolved_at is not None:
            assert incident.resolved_at - incident.opened_at >= timedelta(minutes=2)


@settings(LAW, max_examples=6)
@given(samples=st.lists(st.sampled_from([0, 9, 60, None, "absent"]), min_size=4, max_size=14))
def test_restart_between_any_two_ticks_changes_nothing(rig, samples, tmp_path_factory):
    base = tmp_path_factory.mktemp("laws")
    one = rig()
    with_restarts = play(one, samples, restart=True, path=base / "restarted.db")
    without = play(one, samples, restart=False, path=base / "steady.db")
    assert with_restarts == without
