"""Another rule set: shown, tested, swapped whole, and followed by whoever holds the lease."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from payops.config import Settings
from payops.domain.errors import NotPossible, UsageError
from payops.engine.local import reload_view
from payops.engine.reloading import follow, plan_reload, reload
from payops.engine.wiring import load_rules
from payops.rulebook import apply, shipped_dir
from payops.signals.schema import SignalRow, SignalSet
from payops.store import Store

CLOCKS = (shipped_dir() / "clock-skew.yaml").read_text()
LABELS = {"account": "stripe-live", "provider": "stripe", "mode": "live"}


@pytest.fixture
def mine(settings: Settings, tmp_path: Path) -> Settings:
    """Settings whose rule directory holds our own clock rule: it fires at an hour, not at a minute."""
    edit(tmp_path, "skew_s >= 60 ||", "skew_s >= 3600 ||", test="skew_s >= 3600")
    return settings.model_copy(update={"rules": tmp_path, "base": Path("/")})


def edit(folder: Path, old: str, new: str, *, test: str = "") -> None:
    text = CLOCKS.replace(old, new, 1)
    if test:
        # Its own tests with it: what is 600 in them is more than an hour.
        text = text.replace('skew_s: "1x2 600x20 0x18"', 'skew_s: "1x2 6000x20 0x18"').replace(
            '_x5 600x5 _x20"', '_x5 6000x5 _x20"'
        )
    (folder / "clock.yaml").write_text(text)


def skewed(now: datetime, seconds: int) -> SignalSet:
    return {"calls": (SignalRow(LABELS, {"n_5m": 20, "skew_s": seconds}, now),)}


def use(store: Store, settings: Settings, now: datetime) -> None:
    rules = load_rules(settings)
    store.rules.use(rules.hash, rules.policies(), "payops", "start", now)


def test_reload_shows_what_would_open_and_then_it_opens(
    store: Store, mine: Settings, now: datetime, tmp_path: Path
) -> None:
    use(store, mine, now)
    rules = load_rules(mine)
    for minute in range(4):
        later = now + timedelta(minutes=minute)
        assert not apply(store, rules, skewed(later, 600), later, may_act=True).opened
    edit(tmp_path, "x", "x")
    view = reload_view(store, mine, skewed(later, 600), later)
    assert view.lines[0] == "clock-skew: changed"
    assert (
        "would open at 12:05 UTC if it goes on: Our clock and Stripe's disagree at stripe-live"
        in view.lines[1]
    )
    assert "1 changed (clock-skew)" in reload(store, mine, skewed(later, 600), view.hash, "ana", later)
    new = follow(store, rules)
    assert new.hash == view.hash
    for minute in range(4, 7):
        later = now + timedelta(minutes=minute)
        apply(store, new, skewed(later, 600), later, may_act=True)
    assert [incident.rule for incident in store.incidents.open_ones()] == ["clock-skew"]
    with store.read() as db:
        row = db.execute(
            "SELECT who, origin FROM audit WHERE what = 'use rules' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    assert tuple(row) == ("ana", "command")


def test_open_incident_the_new_rules_would_not_open_is_named_and_keeps_its_rule(
    store: Store, mine: Settings, now: datetime, tmp_path: Path
) -> None:
    edit(tmp_path, "x", "x")
    use(store, mine, now)
    rules = load_rules(mine)
    for minute in range(4):
        later = now + timedelta(minutes=minute)
        apply(store, rules, skewed(later, 600), later, may_act=True)
    edit(tmp_path, "skew_s >= 60 ||", "skew_s >= 3600 ||", test="skew_s >= 3600")
    view = reload_view(store, mine, skewed(later, 600), later)
    assert any(
        line.startswith("inc-1 would not be open under the new rules, and stays") for line in view.lines
    )
    reload(store, mine, skewed(later, 600), view.hash, "ana", later)
    apply(store, follow(store, rules), skewed(later, 600), later, may_act=True)
    assert store.incidents.get("inc-1").state == "open"


def test_one_bad_file_keeps_the_old_set_and_is_named_at_its_place(
    store: Store, mine: Settings, now: datetime, tmp_path: Path
) -> None:
    use(store, mine, now)
    before = store.rules.in_use()
    edit(tmp_path, "fire:", "fier:")
    (problem, *_) = reload_view(store, mine, {}, now).problems
    assert problem.startswith(f"{tmp_path / 'clock.yaml'}:")
    assert "fier" in problem
    with pytest.raises(UsageError, match="fier"):
        reload(store, mine, {}, "", "ana", now)
    assert store.rules.in_use() == before


def test_a_change_that_fails_its_own_tests_is_refused(
    store: Store, mine: Settings, now: datetime, tmp_path: Path
) -> None:
    use(store, mine, now)
    edit(tmp_path, "for: 2m", "for: 20m")
    with pytest.raises(NotPossible, match=r"the test .* fails: at 4m"):
        reload(store, mine, {}, "", "ana", now)


def test_files_that_changed_since_they_were_shown_are_not_swapped_in(
    store: Store, mine: Settings, now: datetime, tmp_path: Path
) -> None:
    use(store, mine, now)
    edit(tmp_path, "x", "x")
    shown = plan_reload(store, mine, {}, now).hash
    edit(tmp_path, "cooldown", "cooldown")
    (tmp_path / "clock.yaml").write_text(CLOCKS.replace("within: 6h", "within: 5h"))
    with pytest.raises(NotPossible, match="look at them again"):
        reload(store, mine, {}, shown, "ana", now)


def test_reload_without_a_difference_says_so(store: Store, mine: Settings, now: datetime) -> None:
    use(store, mine, now)
    with pytest.raises(NotPossible, match="in use already"):
        reload(store, mine, {}, "", "ana", now)


def test_process_that_takes_over_judges_by_the_set_in_use_and_not_by_its_own_files(
    store: Store, settings: Settings, mine: Settings, now: datetime
) -> None:
    use(store, mine, now)
    other = load_rules(settings)
    assert follow(store, other)["clock-skew"].fire.when[1].startswith("skew_s >= 3600")
    assert follow(store, other).hash == load_rules(mine).hash
