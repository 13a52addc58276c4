"""`payops notify …`: who is told what, and a trial that ends with a person's word that it arrived."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from payops.clock import iso, iso_or_none, monotonic_s, utc_now
from payops.domain.errors import NotPossible, UsageError
from payops.text import did_you_mean, safe_line

from . import out
from .ask import ask
from .common import Verbs, config_option, json_option, operator_option, settings_and_store

if TYPE_CHECKING:
    from payops.config import Settings
    from payops.domain.messages import Message
    from payops.store import Store

OWN = timedelta(hours=1)
"""A trial is sent by this command: no engine takes it meanwhile."""


@click.group(cls=Verbs)
def notify() -> None:
    """Whom payops tells: try it, see it, confirm it."""


@notify.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@config_option
@json_option
def list_(limit: int, config_path: str | None, as_json: bool) -> None:
    """The newest messages to people, and what became of them."""
    _, store = settings_and_store(config_path)
    try:
        found = store.outbox.newest(limit)
    finally:
        store.close()
    if as_json:
        out.document([_document(each) for each in found])
    elif not found:
        out.say("Nobody was told anything yet.")
    else:
        out.table(
            ("message", "to", "as", "kind", "state", "tries", "about", "why not"),
            [
                (
                    str(each.id),
                    each.contact,
                    each.role,
                    each.kind,
                    "confirmed" if each.confirmed_at else each.state,
                    str(each.tries),
                    each.title,
                    each.error,
                )
                for each in found
            ],
        )


@notify.command()
@click.argument("name")
@click.option(
    "--wait",
    type=click.IntRange(0, 3600),
    default=0,
    metavar="SECONDS",
    help="Wait so long for the person to confirm.",
)
@config_option
@json_option
def test(name: str, wait: int, config_path: str | None, as_json: bool) -> None:
    """Send NAME a message over each of their targets; exit 1 when none took it, or nobody confirmed in time."""
    from payops.engine.outside import real_world
    from payops.notify.sending import deliver
    from payops.notify.transport import by_apprise

    settings, store = settings_and_store(config_path)
    try:
        message = _put_trial(store, settings, name)
        deliver(store, settings, real_world(settings).secrets, by_apprise, [message], utc_now())
        found = store.outbox.get(message.id) or message
        deadline = monotonic_s() + wait
        while found.state == "sent" and found.confirmed_at is None and monotonic_s() < deadline:
            time.sleep(0.5)
            found = store.outbox.get(message.id) or found
    finally:
        store.close()
    if as_json:
        out.document(_document(found))
    elif found.confirmed_at is not None:
        out.line(f"message {found.id}: confirmed by {found.confirmed_by} at {iso(found.confirmed_at)}")
    elif found.state == "sent":
        out.line(
            f"message {found.id}: taken by a target of {name}; they confirm it with `payops notify confirm {found.id}`"
        )
    if found.state != "sent":
        raise NotPossible(f"message {found.id}: no target of {name} took it: {found.error}")
    if wait and found.confirmed_at is None:
        raise NotPossible(f"message {found.id}: taken, and not confirmed within {wait} s")


@notify.command()
@click.argument("message")
@operator_option
@config_option
@json_option
def confirm(message: str, operator: str | None, config_path: str | None, as_json: bool) -> None:
    """Say that MESSAGE reached you."""
    result = ask(config_path, operator, "confirm", None, {"message": message}, wait=True)
    if as_json:
        out.document({"ok": result.ok, "message": result.message})
    elif result.ok:
        out.line(result.message)
    if not result.ok:
        raise NotPossible(result.message)


def _put_trial(store: Store, settings: Settings, name: str) -> Message:
    from payops.domain.messages import Message

    contact = next((each for each in settings.contacts if each.name == name), None)
    if contact is None:
        known = [each.name for each in settings.contacts]
        raise UsageError(
            f"no contact {safe_line(name, limit=60)!r}{did_you_mean(name, known)}; "
            f"known: {', '.join(known) or 'none: add [[contacts]] to the configuration'}"
        )
    now = utc_now()
    key = f"test:{contact.name}:{now.timestamp()}"
    made = Message(key, None, "test", contact.roles[0], contact.name, "payops: a trial", "", now, now + OWN)
    store.outbox.put(made)
    found = next(each for each in store.outbox.newest(50) if each.key == key)
    return store.outbox.reword(
        found, f"payops asks whether this arrived. If so: payops notify confirm {found.id}"
    )


def _document(message: Message) -> dict[str, object]:
    return {
        "message": message.id,
        "incident": message.incident_id,
        "kind": message.kind,
        "to": message.contact,
        "role": message.role,
        "title": message.title,
        "state": message.state,
        "tries": message.tries,
        "error": message.error or None,
        "created_at": iso(message.created_at),
        "ended_at": iso_or_none(message.ended_at),
        "confirmed_at": iso_or_none(message.confirmed_at),
        "confirmed_by": message.confirmed_by,
    }
