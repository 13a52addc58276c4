"""Whatever the provider, the network, the receiver and people do, the bounds of Level 1 hold."""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.domain.errors import NotPossible

EXAMPLES = 400 if os.environ.get("PAYOPS_PROOF") == "full" else 15
ANSWERS = st.sampled_from(
    ["ok", "ok", "ok", "rejected", "rate_limited", "timeout_applied", "timeout_lost", "outage", "conflict",
     "auth", "killed_before", "killed_after"]
)  # fmt: skip
MOVES = st.lists(
    st.sampled_from(
        ["step"] * 8
        + [
            "restart",
            "stop",
            "resume",
            "down",
            "up",
            "blind",
            "sighted",
            "mute",
            "arrive",
            "fix",
            "disarm",
            "arm",
        ]
    ),
    max_size=40,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(enable=st.lists(ANSWERS, max_size=3), resend=st.lists(ANSWERS, max_size=8), moves=MOVES)
def test_level_1_keeps_its_bounds(make_world, killed, enable, resend, moves):
    world = make_world()
    world.history()
    world.miss(6)
    world.poll()
    world.open()
    world.stripe.script.update(enable=list(enable), resend=list(resend))
    allowed = [True]

    def look(target: str) -> None:
        assert allowed[0], "nothing may be written while stopped or disarmed"
        assert not world.store.inbox.has("stripe-live", target), "an event in the inbox was resent"
        running = [attempt for attempt in world.attempts if attempt.phase == "applying"]
        assert len(running) == 1, "the attempt row is on disk before its call"

    world.stripe.before_call = look
    stopped = disarmed = False
    for move in [*moves, "sighted", "up", "resume", *["step"] * 25, *["long"] * 25]:
        if move in ("step", "long"):
            try:
                world.step(10 if move == "step" else 40)
            except killed:
                world.restart()
        elif move == "restart":
            world.restart()
        elif move in ("stop", "resume"):
            stopped = move == "stop"
            getattr(world.store.switches, move)("ana", "test", world.now)
        elif move in ("disarm", "arm"):
            disarmed = move == "disarm"
            getattr(world.store.switches, move)("stripe-live", ["enable-endpoint"], "ana", "test", world.now)
        elif move in ("down", "up"):
            world.probe.up = move == "up"
        elif move in ("blind", "sighted"):
            world.stripe.reads_fail = move == "blind"
        elif move == "mute":
            world.delivers = not world.delivers
        elif move == "arrive":
            world.receive("evt_0003")
        elif move == "fix":
            with contextlib.suppress(NotPossible, killed):
                world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
        allowed[0] = not stopped and not disarmed
        _bounds(world)
    attempts = world.attempts
    assert (
        not attempts
        or attempts[-1].phase == "done"
        or attempts[-1].outcome == "unknown"
        or any(attempt.by == "ana" for attempt in attempts)
    )
    assert world.store.audit.verify().ok


def _bounds(world) -> None:
    attempts = world.attempts
    assert len(attempts) <= 2
    started = world.incident.l1_started_at
    for attempt in attempts:
        assert attempt.verified is not True or attempt.outcome == "succeeded"
        assert attempt.phase != "done" or (attempt.outcome is not None and attempt.ended_at is not None)
        if attempt.by == "payops" and attempt.applied_at is not None and attempt.verified:
            assert attempt.applied_at - started <= timedelta(minutes=5) + timedelta(seconds=40)
        if attempt.verified:
            assert world.stripe.status == "enabled"
    for key, answers in world.stripe.answers.items():
        assert key.startswith(f"payops-{world.store.identity}-inc-1-")
        for answer in answers[:-1]:
            assert answer not in ("ok", "rejected", "auth"), f"{key} was called again after {answer}"
