"""No double charge, no double refund, no charge on a card refused for good, nothing while observing or stopped.

Counted in the simulated world's own ledger, over calls that were applied and not answered, not applied, applied late,
refused with 409 and 429, and processes that died; with the provider's memory of idempotency keys, without it, and
where Braintree refuses keys.
"""

from __future__ import annotations

import random
import subprocess
import sys
import uuid
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from money_house import play_scenario
from money_play import OUTCOMES, WHO, Play
from proof import FULL, tell, tried

from payops.remedies import gates, journal, moving
from payops.store import Store

PLACES = [("stripe", "kept"), ("stripe", "forgotten"), ("braintree", "kept"), ("braintree", "forgotten"),
          ("braintree", "refused"), ("paypal", "kept"), ("paypal", "forgotten")]  # fmt: skip
INCIDENTS = st.integers(0, 4)
CHILD = Path(__file__).parents[1] / "helpers" / "money_child.py"
START = play_scenario("stripe").start
ran = {"sequences": 0, "writes": 0}


class Money(RuleBasedStateMachine):
    """Everything that may happen, in any order."""

    play: Play | None = None

    @initialize(place=st.sampled_from(PLACES))
    def begin(self, place: tuple[str, str]) -> None:
        self.play = Play(*place)
        self.play.step()

    @rule(seconds=st.sampled_from([10, 10, 10, 40, 100]))
    def step(self, seconds: int) -> None:
        self.play.step(seconds)

    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4))
    def bad_network(self, outcomes: list[str]) -> None:
        self.play.expect(*outcomes)

    @rule(incident=INCIDENTS, who=st.sampled_from(WHO))
    def approve(self, incident: int, who: str) -> None:
        self.play.approve(incident, who)

    @rule(incident=INCIDENTS, who=st.sampled_from(WHO))
    def fix(self, incident: int, who: str) -> None:
        self.play.fix(incident, who)

    @rule(first=st.sampled_from(WHO))
    def everybody_approves(self, first: str) -> None:
        for incident in range(5):
            for who in (first, *WHO):
                self.play.approve(incident, who)

    @rule(incident=INCIDENTS)
    def hold(self, incident: int) -> None:
        self.play.hold(incident)

    @rule()
    def crash(self) -> None:
        self.play.crash()

    @rule(what=st.sampled_from(["stop", "resume", "disarm", "arm"]))
    def switch(self, what: str) -> None:
        getattr(self.play, what)()

    @rule()
    def somebody_refunds(self) -> None:
        self.play.somebody_refunds()

    @precondition(lambda self: self.play is not None)
    @invariant()
    def nothing_is_doubled(self) -> None:
        assert self.play.violations() == []

    def teardown(self) -> None:
        if self.play is None:
            return
        self.play.resume()
        self.play.arm()
        for seconds in [10] * 6 + [60] * 8:
            self.play.step(seconds)
        found = self.play.violations()
        ran["sequences"] += 1
        ran["writes"] += len(self.play.ledger.writes)
        self.play.close()
        assert found == []


@pytest.mark.proof
def test_money_never_moves_twice():
    ran.update(sequences=0, writes=0)
    run_state_machine_as_test(
        Money, settings=settings(tried(full=2_000, usual=5), stateful_step_count=40 if FULL else 20)
    )
    tell(
        f"money: {ran['sequences']} random sequences, {ran['writes']} writes reached a provider, no violation"
    )
    assert ran["writes"] > 0


# Runners that are broken on purpose: the ledger must tell.


def new_key_on_retry(patch):
    patch.setattr(moving.Moves, "_key", lambda *_: uuid.uuid4().hex)


def no_read_back(patch):
    patch.setattr(moving.Moves, "applied", lambda *_: False)


def lock_ignored(patch):
    patch.setattr(gates, "_locked", lambda *_: None)


def stop_ignored(patch):
    patch.setattr(gates, "stopped", lambda _: None)


def written_after_the_call(patch):
    patch.setattr(journal.Journal, "begin", lambda *_: None)


def late_answer(play: Play) -> None:
    """A call takes effect after the read-back has given it up, and is made again meanwhile."""
    play.expect("late")
    play.approve(1)
    for _ in range(30):
        play.step()


def late_and_asked_again(play: Play) -> None:
    play.expect("soon")
    play.approve(1)
    for _ in range(3):
        play.step()
    play.fix(1)
    for _ in range(12):
        play.step()


def two_at_once(play: Play) -> None:
    play.expect("soon", "soon", "soon", "soon")
    play.approve(1)
    play.approve(2)
    for _ in range(12):
        play.step()


def stopped_between(play: Play) -> None:
    play.expect("rate_limited")
    play.approve(0)
    play.stop()
    for _ in range(6):
        play.step()
    play.fix(3)


def killed_and_late(play: Play) -> None:
    play.expect("killed_soon")
    play.approve(1)
    for _ in range(12):
        play.step()


BROKEN = [
    (new_key_on_retry, late_answer, "kept"),
    (no_read_back, late_and_asked_again, "forgotten"),
    (lock_ignored, two_at_once, "kept"),
    (stop_ignored, stopped_between, "kept"),
    (written_after_the_call, killed_and_late, "forgotten"),
]


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
@pytest.mark.parametrize(("broken", "life", "memory"), BROKEN, ids=[each[0].__name__ for each in BROKEN])
def test_a_broken_runner_is_caught_and_the_sound_one_is_not(monkeypatch, provider, broken, life, memory):
    def lived() -> list[str]:
        play = Play(provider, memory)
        try:
            play.step()
            life(play)
            return play.violations()
        finally:
            play.close()

    assert lived() == []
    with monkeypatch.context() as patch:
        broken(patch)
        assert lived() != []


# Really killed processes.

LIVES, STEPS = (60, 30) if FULL else (1, 12)


class Child:
    """The runner in a process of its own over a store on disk; a new one takes the place of a killed one."""

    def __init__(self, path: Path, provider: str, url: str) -> None:
        self._command = [sys.executable, str(CHILD), str(path), provider, url]
        self.killed = 0
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._said() == "ready"

    def kill(self) -> None:
        self._process.kill()

    def tell(self, line: str) -> None:
        self._process.stdin.write(f"{line}\n")
        if self._said() != "ok":
            self._process.wait()
            self.killed += 1
            self._start()

    def _said(self) -> str:
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.mark.proof
def test_killed_processes_move_money_once(tmp_path):
    drawn, killed = random.Random(7), 0
    for life in range(LIVES):
        provider, memory = drawn.choice(PLACES)
        path = tmp_path / f"{life}.db"
        play = Play(provider, memory, store=Store.open(path, now=START))
        child = Child(path, provider, play.house.server.url)
        play.api.kill = child.kill
        try:
            for step in range(STEPS):
                play.api.next = drawn.choice(["killed_before", "killed_after", "killed_soon", "ok", "soon"])
                play.arrive(10)
                now = play.house.now.isoformat()
                child.tell(f"tick {now}")
                if step % 3 == 0:
                    for who in WHO:
                        child.tell(f"approve {now} {drawn.choice(play.incidents)} {who}")
            assert play.violations() == [], (life, provider, memory)
        finally:
            killed += child.killed
            child.close()
            play.close()
    tell(f"money: {killed} processes killed at a write over {LIVES} lives, no violation")
    assert killed >= LIVES // 4
