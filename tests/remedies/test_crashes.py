"""The process dies before or after any call; the next one reads back first and doubles nothing."""

from __future__ import annotations

import json

import pytest

from payops.remedies import journal as journal_module


@pytest.mark.parametrize("moment", ["killed_before", "killed_after"])
@pytest.mark.parametrize("call", ["enable", "canary", "batch"])
def test_crash_at_a_call_is_read_back_and_never_doubled(world, killed, moment, call):
    kind, ahead = {"enable": ("enable", 0), "canary": ("resend", 0), "batch": ("resend", 4)}[call]
    world.stripe.script[kind] = ["ok"] * ahead + [moment]
    world.open()
    with pytest.raises(killed):
        world.run(world.ended)
    assert world.attempts[0].phase == "applying"
    begun = json.loads(world.attempts[0].progress)["doing"]
    made = len(world.stripe.calls)
    world.restart()
    world.tick()
    if moment == "killed_after" and call == "enable":
        assert [c[0] for c in world.stripe.calls].count("enable") == 1
    world.run(world.ended)
    (attempt,) = world.attempts
    assert attempt.verified
    assert len(world.stripe.sent) == len(set(world.stripe.sent)) == 12
    again = [key for _, _, key in world.stripe.calls[made:] if key.endswith(begun)]
    assert len(again) == (1 if moment == "killed_before" else 0)


def test_key_is_on_disk_before_the_call(world):
    seen = []

    def look(_target: str) -> None:
        (attempt,) = world.attempts
        seen.append((attempt.phase, attempt.idempotency_key, json.loads(attempt.progress)["doing"]))

    world.stripe.before_call = look
    world.open()
    world.run(world.ended)
    key = f"payops-{world.store.identity}-inc-1-1"
    assert seen[0] == ("applying", key, "enable")
    assert [key for _, _, key in world.stripe.calls] == [f"{key}-{doing}" for _, key, doing in seen]


@pytest.mark.parametrize("write", range(12))
def test_crash_at_any_write_of_the_journal_reaches_the_same_end(world, killed, monkeypatch, write):
    saves = []
    original = journal_module.Journal._save

    def save(self) -> None:
        saves.append(1)
        if len(saves) == write + 1:
            raise killed
        original(self)

    monkeypatch.setattr(journal_module.Journal, "_save", save)
    world.open()
    with pytest.raises(killed):
        world.run(world.ended)
    world.restart()
    world.run(world.ended)
    assert world.attempts[0].verified
    assert len(world.attempts) == 1
    assert len(world.stripe.sent) == len(set(world.stripe.sent)) == 12


def test_crash_between_attempt_row_and_first_call_goes_on_with_that_attempt(world, killed, monkeypatch):
    world.open()
    monkeypatch.setattr("payops.remedies.driving.go_on", _dies(killed))
    with pytest.raises(killed):
        world.tick()
    assert len(world.attempts) == 1
    assert not world.stripe.calls
    monkeypatch.undo()
    world.restart()
    world.run(world.ended)
    assert len(world.attempts) == 1
    assert world.attempts[0].verified


def _dies(killed):
    def die(*_: object) -> None:
        raise killed

    return die
