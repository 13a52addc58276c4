"""At least once, to every target of a person, in bounded time, whatever the targets do; no address in any reason."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from payops.clock import iso
from payops.config import parse
from payops.notify import Post, collect, deliver, health, sending
from payops.notify.transport import by_apprise
from payops.store import Store


def send(desk, settings, secrets, notifier=by_apprise) -> int:
    return deliver(desk.store, settings, secrets, notifier, desk.store.outbox.due(desk.now), desk.now)


def paged(desk, settings) -> None:
    desk.open()
    desk.hand_over()
    collect(desk.store, settings, desk.now)


def test_one_target_of_several_that_takes_it_is_enough(desk, contact, targets):
    urls = {"env:A": targets.url("bad"), "env:B": targets.url("ok"), "env:C": "nonsense"}
    settings = desk.settings(contact("ana", targets=tuple(urls)))
    paged(desk, settings)
    assert send(desk, settings, urls.__getitem__) == 1
    (page,) = desk.store.outbox.of("inc-1")
    assert (page.state, page.tries) == ("sent", 1)
    assert {path for path, _ in targets.got} == {"/bad", "/ok"}
    (said,) = [body for path, body in targets.got if path == "/ok"]
    assert said["title"].startswith("sev3 inc-1 Level 2")
    assert "Problem: it is off" in said["message"]
    assert "told ana" in desk.timeline
    assert send(desk, settings, urls.__getitem__) == 0


def test_when_no_target_takes_it_the_next_person_is_asked_within_two_minutes(desk, contact, targets):
    urls = {"env:A": targets.url("bad/hush-secret-token"), "env:B": targets.url("ok")}
    settings = desk.settings(contact("ana", targets=("env:A",)), contact("ben", targets=("env:B",)))
    began = desk.now
    paged(desk, settings)
    while not any(each.state == "sent" for each in desk.store.outbox.newest(10)):
        send(desk, settings, urls.__getitem__)
        desk.now += timedelta(seconds=2)
        collect(desk.store, settings, desk.now)
        assert desk.now - began < timedelta(minutes=2)
    ana, ben = desk.store.outbox.of("inc-1")
    assert (ana.state, ana.tries, ben.state) == ("failed", 2, "sent")
    assert "hush-secret-token" not in ana.error + desk.timeline


def test_a_target_that_hangs_holds_up_nobody_for_long(desk, contact, monkeypatch):
    monkeypatch.setattr(sending, "PATIENCE_S", 0.2)
    hang = threading.Event()

    def notifier(url: str, title: str, body: str) -> str:
        if url == "hang":
            hang.wait(20)
        return ""

    settings = desk.settings(
        contact("ana", targets=("env:A",)), contact("ben", "backend-coordinator", targets=("env:B",))
    )
    desk.open()
    desk.hand_over()
    desk.open(dedup_key="other")
    desk.hand_over("inc-2", to="backend-coordinator")
    collect(desk.store, settings, desk.now)
    began = time.monotonic()
    assert send(desk, settings, {"env:A": "hang", "env:B": "fine"}.__getitem__, notifier) == 1
    assert time.monotonic() - began < 10
    hang.set()
    ana = desk.store.outbox.of("inc-1")[0]
    assert (ana.state, ana.error) == ("waiting", "no answer")


def test_a_crash_between_try_and_record_sends_again_and_loses_nothing(desk, contact):
    settings = desk.settings(contact("ana"))
    paged(desk, settings)

    class Killed(BaseException):
        pass

    def killed(message, now):
        raise Killed

    real, desk.store.outbox.sent = desk.store.outbox.sent, killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        send(desk, settings, str, lambda *_: "")
    desk.store.outbox.sent = real  # type: ignore[method-assign]
    assert send(desk, settings, str, lambda *_: "") == 0
    desk.now += sending.AGAIN
    assert send(desk, settings, str, lambda *_: "") == 1


def test_a_missing_secret_is_a_failed_target_and_not_the_end(desk, contact):
    from payops.domain.errors import UsageError

    def secrets(reference: str) -> str:
        raise UsageError(f"{reference}: the environment variable T is not set")

    settings = desk.settings(contact("ana"))
    paged(desk, settings)
    assert send(desk, settings, secrets) == 0
    assert "is not set" in desk.store.outbox.of("inc-1")[0].error


@pytest.mark.parametrize("url", ["nonsense", "", "json://", "bogus://x"])
def test_what_apprise_does_not_know_is_said_without_the_address(url):
    assert by_apprise(url, "t", "b") != ""


def test_the_heart_beats_only_while_tick_audit_and_outbox_are_well(desk, contact, targets):
    beat = targets.url("beat").replace("json", "http")
    settings = parse(
        {"schema": "payops.config/v1", "contacts": [contact("ana")], "heartbeat": {"url": "env:H"}},
        base=Path(), source="test",
    )  # fmt: skip
    post = Post(
        desk.store,
        settings,
        {"env:H": beat, "env:T": "x"}.__getitem__,
        lambda: desk.now,
        lambda: True,
        lambda *_: "no",
    )

    def beats() -> int:
        desk.now += timedelta(seconds=61)
        before = len(targets.got)
        post.once()
        return len(targets.got) - before

    assert beats() == 0, "no tick yet"
    desk.store.switches.meta_set("last_tick_at", iso(desk.now + timedelta(seconds=61)))
    assert beats() == 1
    assert beats() == 0, "the tick is late"
    desk.store.switches.meta_set("last_tick_at", iso(desk.now + timedelta(seconds=61)))
    with desk.store.write() as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE audit_head SET head = 'x'")
    assert beats() == 0, "the audit does not end as written"


def test_a_message_that_waits_too_long_is_not_well(desk, contact):
    paged(desk, desk.settings(contact("ana")))
    desk.store.switches.meta_set("last_tick_at", iso(desk.now + timedelta(minutes=10)))
    assert health(desk.store, desk.now + timedelta(minutes=10))[0].startswith("a message to a person")


def test_a_follower_sends_nothing(desk, contact, tmp_path):
    with Store.open(tmp_path / "p.db", now=desk.now) as store:
        desk.store = store
        settings = desk.settings(contact("ana"))
        paged(desk, settings)
        post = Post(store, settings, str, lambda: desk.now, lambda: False, lambda *_: "")
        post.start()
        time.sleep(0)
        post.stop()
        assert [each.state for each in store.outbox.newest(5)] == ["waiting"]
