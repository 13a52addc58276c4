"""The shipped suite `catalogue` names every row of the fault table at every provider, with somebody there and not."""

from __future__ import annotations

from collections import defaultdict

import pytest

from payops.simulator import scenario as scenarios
from payops.simulator.scenario_model import FAULT_KINDS

FOLDER = scenarios.suite_folder("catalogue")
NOTHING_OPENS = {"events_duplicated", "events_out_of_order"}


def played() -> dict[str, set[tuple[str, str]]]:
    found = defaultdict(set)
    for path in FOLDER.glob("*.yaml"):
        for fault in scenarios.load(str(path)).faults:
            found[path.suffixes[0]].add((fault.kind, fault.provider))
    return found


def test_each_fault_is_played_with_somebody_there_and_with_nobody():
    found = played()
    alone, operator = found[".alone"], found[".operator"]
    assert {kind for kind, _ in alone} == set(FAULT_KINDS)
    assert alone - operator == {cell for cell in alone if cell[0] in NOTHING_OPENS}


@pytest.mark.parametrize("kind", ["duplicate_charge", "refund_failed", "subscription_past_due"])
def test_what_waits_for_people_is_approved_where_somebody_is_there(kind):
    name = kind.replace("_", "-")
    approved = scenarios.load(str(FOLDER / f"{name}.operator.yaml"))
    assert {each.do for each in approved.actions} == {"approve"}
    assert {line.ended_as for line in approved.expect if line.rule} == {"fixed_by_operator"}
    left = scenarios.load(str(FOLDER / f"{name}.alone.yaml"))
    assert not left.actions and {line.level for line in left.expect if line.rule} == {2}
