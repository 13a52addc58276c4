"""What a verified attempt had put right and is wrong again is a new trouble: the next attempt, or Level 2."""

from __future__ import annotations

from datetime import timedelta


def fixed(world):
    world.open()
    world.run(world.ended)
    assert world.attempts[0].verified
    return world.now


def test_a_new_gap_after_a_verified_attempt_gets_the_second_one(world):
    fixed(world)
    for number in range(4):
        world.event(f"evt_new_{number}", world.now - timedelta(seconds=200 - number))
    world.run(lambda: len(world.attempts) == 2)
    world.run(world.ended)
    assert world.attempts[1].verified
    assert len(world.stripe.sent) == len(set(world.stripe.sent)) == 16


def test_a_moment_of_it_is_not_taken_for_a_new_trouble(world):
    fixed(world)
    world.event("evt_new", world.now - timedelta(seconds=200))
    world.step()
    world.receive("evt_new")
    for _ in range(12):
        world.step()
    assert len(world.attempts) == 1
    assert not world.over()


def test_after_the_five_minutes_it_is_handed_over(world):
    fixed(world)
    while world.now < world.incident.l1_started_at + timedelta(minutes=6):
        world.step()
    world.event("evt_new", world.now - timedelta(seconds=200))
    world.run(world.over)
    assert len(world.attempts) == 1
