"""Who is at the keyboard: a PIN by reference, five wrong ones lock, a restart does not help, each try is on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.config import OperatorSettings, parse
from payops.domain.errors import NotPossible
from payops.engine.people import note_operators
from payops.engine.pins import LOCKED_FOR, MOST_WRONG, prove

ANA = OperatorSettings(name="ana", roles=("operator",), pin="env:ANA_PIN")
BEN = OperatorSettings(name="ben", roles=("operator",))


def secrets(reference: str) -> str:
    return {"env:ANA_PIN": "4711"}[reference]


def results(store) -> list[str]:
    return [row.result for row in store.audit.rows(limit=50) if row.what == "identify"]


def test_the_right_pin_proves_it_and_the_name_where_there_is_none(store, now):
    prove(store, ANA, secrets, "4711", now)
    prove(store, BEN, secrets, "ben", now)
    with pytest.raises(NotPossible, match="wrong PIN; 4 more"):
        prove(store, ANA, secrets, "ana", now)
    with pytest.raises(NotPossible, match="wrong name"):
        prove(store, BEN, secrets, "ana", now)
    assert results(store) == ["ok", "ok", "wrong", "wrong"]
    assert "4711" not in str([row.detail for row in store.audit.rows()])


def test_five_wrong_ones_lock_out_the_right_one_too_until_time_has_passed(store, now):
    for _ in range(MOST_WRONG):
        with pytest.raises(NotPossible):
            prove(store, ANA, secrets, "0000", now)
    with pytest.raises(NotPossible, match="locked until"):
        prove(store, ANA, secrets, "4711", now + LOCKED_FOR - timedelta(seconds=1))
    prove(store, BEN, secrets, "ben", now)
    prove(store, ANA, secrets, "4711", now + LOCKED_FOR)
    assert [each for each in results(store) if each.startswith("wrong, locked")]


def test_a_right_one_begins_the_count_anew(store, now):
    for given in ("0", "0", "0", "0", "4711", "0", "0", "0", "0"):
        if given == "4711":
            prove(store, ANA, secrets, given, now)
        else:
            with pytest.raises(NotPossible, match="more tries"):
                prove(store, ANA, secrets, given, now)


def test_a_change_of_who_may_act_is_on_record_once(store, now, tmp_path):
    def settings(*operators: dict):
        return parse({"schema": "payops.config/v1", "operators": list(operators)}, base=tmp_path, source="t")

    note_operators(store, settings({"name": "ana", "roles": ["operator"]}), now)
    note_operators(store, settings({"name": "ana", "roles": ["operator"]}), now)
    note_operators(store, settings({"name": "ana", "roles": ["admin"], "pin": "env:P"}, {"name": "ben"}), now)
    rows = [row.detail for row in store.audit.rows() if row.what == "operators changed"]
    assert rows == [
        {"ana": {"before": None, "now": ["operator"]}},
        {
            "ana": {"before": ["operator"], "now": ["admin", "pin"]},
            "ben": {"before": None, "now": ["viewer"]},
        },
    ]
