from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from payops.config import Settings
from payops.domain.actions import BY_NAME
from payops.domain.catalogue import REMEDY_IDS
from payops.domain.errors import UsageError
from payops.domain.incidents import Incident
from payops.engine.boards import LEASE, build
from payops.engine.commands import HANDLERS, REQUIRED, Hands, Request, authorize, carry_out
from payops.engine.local import EXPORTS
from payops.remedies import Runner, http_probe
from payops.remedies.registry import REMEDIES
from payops.rulebook import shipped_dir
from payops.signals import read
from payops.simulator import scenario
from payops.store import Store


def hands(store: Store, settings: Settings) -> Hands:
    return Hands(store, settings, Runner(store, {}, settings, http_probe({}), lambda reference: ""))


def request(action: str, store: Store, settings: Settings, now: datetime, **fields: str) -> Request:
    return Request(action, None, fields, "ana", now, read(store, settings, now))


def board(store: Store, settings: Settings, now: datetime, operator: str | None = "ana"):
    return build(
        store, settings, read(store, settings, now), now, operator=operator, holder="here", receiver=""
    )


def test_every_acting_action_of_the_registry_has_a_handler_and_no_other() -> None:
    assert set(HANDLERS) == {action.name for action in BY_NAME.values() if action.roles}
    assert EXPORTS


@pytest.mark.parametrize(
    ("operator", "said"), [(None, "--operator"), ("anna", "did you mean 'ana'"), ("vic", "needed: operator")]
)
def test_acting_needs_a_listed_operator_with_a_role(
    settings: Settings, operator: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        authorize(settings, "stop", operator)
    assert authorize(settings, "stop", "ana").name == "ana"


def test_a_refused_command_is_audited(store: Store, settings: Settings, now: datetime) -> None:
    result = carry_out(hands(store, settings), request("note", store, settings, now))
    assert not result.ok
    row = store.audit.rows()[-1]
    assert (row.who, row.result) == ("ana", "refused")


def test_arming_names_what_is_not_a_remedy_or_an_account(
    store: Store, settings: Settings, now: datetime
) -> None:
    def arm(account: str, remedies: str) -> str:
        fields = {"account": account, "remedies": remedies, "reason": "seen right"}
        return carry_out(hands(store, settings), request("arm", store, settings, now, **fields)).message

    assert "did you mean 'enable-endpoint'" in arm("stripe-live", "enable-endpoit")
    assert "did you mean 'stripe-live'" in arm("stripe-liv", "enable-endpoint")
    assert store.switches.armed("stripe-live") == frozenset()
    arm("stripe-live", "enable-endpoint, resend-missing")
    assert board(store, settings, now).accounts[0].armed == ("enable-endpoint", "resend-missing")


def test_the_remedies_that_can_be_armed_are_those_there_are() -> None:
    assert set(REMEDY_IDS) == {remedy.id for remedy in REMEDIES.values()}


def test_a_remedy_that_own_rules_name_can_be_armed(
    store: Store, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    own = (shipped_dir() / "success-rate-drop.yaml").read_text()
    (tmp_path / "own.yaml").write_text(own.replace("id: diagnose", "id: look-closer"))
    mine = settings.model_copy(update={"rules": tmp_path})
    fields = {"account": "stripe-live", "remedies": "look-closer", "reason": "ours"}
    asked = request("arm", store, settings, now, **fields)
    assert "no remedy 'look-closer'" in carry_out(hands(store, settings), asked).message
    assert carry_out(hands(store, mine), asked).ok


def test_a_scenario_asks_for_the_words_the_engine_asks_for() -> None:
    without_account = {
        action: tuple(name for name in names if name != "account") for action, names in REQUIRED.items()
    }
    assert without_account == scenario.NEEDED


def test_arming_needs_a_reason(store: Store, settings: Settings, now: datetime) -> None:
    fields = {"account": "stripe-live", "remedies": "enable-endpoint"}
    result = carry_out(hands(store, settings), request("arm", store, settings, now, **fields))
    assert not result.ok
    assert "reason is empty" in result.message


def test_stop_is_the_headline_until_resumed(store: Store, settings: Settings, now: datetime) -> None:
    store.leases.acquire(LEASE, "here", now, 60)
    carry_out(hands(store, settings), request("stop", store, settings, now, reason="night"))
    assert board(store, settings, now).headline.startswith("STOPPED by ana")
    carry_out(hands(store, settings), request("resume", store, settings, now))
    assert not board(store, settings, now).headline.startswith("STOPPED")


def test_the_headline_says_when_nobody_or_a_late_engine_watches(
    store: Store, settings: Settings, now: datetime
) -> None:
    assert "No engine is running" in board(store, settings, now).headline
    store.leases.acquire(LEASE, "here", now, 60)
    store.switches.meta_set("last_tick_at", (now - timedelta(minutes=3)).isoformat())
    shown = board(store, settings, now)
    assert "late by 180 s" in shown.headline
    assert shown.engine.late_s == 180


def test_view_only_says_why(store: Store, settings: Settings, now: datetime) -> None:
    assert board(store, settings, now).view_only == ""
    assert "PAYOPS_OPERATOR" in board(store, settings, now, None).view_only
    assert "not listed" in board(store, settings, now, "zoe").view_only
    assert "only the role viewer" in board(store, settings, now, "vic").view_only


def test_an_old_open_incident_never_leaves_the_board(store: Store, settings: Settings, now: datetime) -> None:
    def opened(key: str) -> Incident:
        draft = Incident(
            "",
            0,
            "r",
            "webhook_miss",
            "stripe",
            "stripe-live",
            "live",
            key,
            "sev3",
            "open",
            1,
            key,
            {},
            now,
            now,
        )
        made = store.incidents.open(draft, "test", now)
        assert made is not None
        return made

    with store.write():
        opened("forgotten")
        for number in range(600):
            store.incidents.change(
                opened(f"flap {number}"),
                now,
                who="payops",
                entry="",
                kind="resolved",
                state="resolved",
                resolved_at=now,
                ended_as="self_healed",
            )
    shown = board(store, settings, now)
    assert [item.id for item in shown.incidents] == ["inc-1"]
    assert (len(shown.recent), shown.recent[0].id) == (50, "inc-601")
    assert (shown.levels.incidents, shown.levels.self_healed, shown.levels.unfinished) == (601, 600, 1)
