"""kill -9 of any part: recovery by itself, nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from house import House, wait_for

from payops.clock import utc_now
from payops.domain.event_types import EVENT_TYPES
from payops.store import Store

SCENARIO = """
schema: payops.scenario/v1
name: kill
seed: 3
warmup: 30m
duration: 1h
providers:
  stripe: {mode: live, payments_per_minute: 60, success_rate: 0.95}
faults:
  - {kind: webhook_endpoint_disabled, provider: stripe, at: 5s}
"""


def opened(house: House) -> Store:
    return Store.open(house.folder / "payops.db", now=utc_now())


def fixed(house: House) -> dict[str, Any] | None:
    return next((each for each in house.incidents() if each["ended_as"] == "fixed_by_payops"), None)


def test_engine_and_simulator_killed_mid_fix_recover_and_lose_nothing(house: Callable[[str], House]) -> None:
    one = house(SCENARIO)
    one.simulate()
    one.start("engine", "engine")
    wait_for(lambda: any(each["attempts"] for each in one.incidents()), f"a fix begins\n{one.log()}", 120)
    one.kill("engine")
    one.kill("simulate")
    one.simulate()
    one.start("engine", "engine")
    incident = wait_for(lambda: fixed(one), f"fixed by itself\n{one.log()}", 240)
    assert len(incident["attempts"]) <= 2
    store = opened(one)
    try:
        since = store.inbox.first_verified_at("stripe-live")
        first_try = datetime.fromisoformat(incident["attempts"][0]["started_at"])
        assert since is not None
        # Everything generated until the fix began, the endpoint being off, is in the inbox now.
        count, _ = store.facts.count_missing("stripe-live", EVENT_TYPES["stripe"], since, first_try)
        assert count == 0
        assert store.audit.verify().ok
        assert store.quick_check() == ()
    finally:
        store.close()


def test_of_three_engines_on_one_store_another_takes_over_whenever_the_holder_is_killed(
    house: Callable[[str], House],
) -> None:
    one = house(SCENARIO.replace("at: 5s", "at: 50m"))
    one.simulate()
    one.start("engine", "engine")

    def holder() -> str | None:
        return one.ask("status", "--json")["engine"]["holder"]

    def pid_in(name: str) -> bool:
        return (holder() or "").endswith(f":{one.running[name].pid}")

    wait_for(lambda: pid_in("engine"), "the first engine holds the lease")
    text = (one.folder / "payops.toml").read_text().replace(f"port = {one.receiver_port}", "port = 0")
    for name in ("second", "third"):
        config = one.folder / f"{name}.toml"
        config.write_text(text)
        config.chmod(0o600)
        one.start(name, "engine", "--config", config.name)
        wait_for(
            lambda name=name: "engine running" in (one.folder / f"{name}.out").read_text(),
            f"{name} looks on\n{one.log()}",
        )
    assert pid_in("engine")
    one.kill("engine")
    wait_for(lambda: pid_in("second") or pid_in("third"), f"one of the two takes the lease\n{one.log()}")
    heir, last = ("second", "third") if pid_in("second") else ("third", "second")
    one.kill(heir)
    wait_for(lambda: pid_in(last), f"the last takes the lease\n{one.log()}")
    store = Store.open_existing(one.folder / "payops.db")
    try:
        assert store.audit.verify().ok
        started = [row.object for row in store.audit.rows(limit=1000) if row.what == "engine started"]
        assert len(started) == 3
    finally:
        store.close()
