"""The replay as a person sees it: preview, question, canary, progress, and what was done."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from payops.domain.errors import UsageError
from payops.domain.gaps import amounts

from . import out
from .ask import ask

if TYPE_CHECKING:
    from payops.config import Settings
    from payops.store import Store
    from payops.store.inbox import InboxRow

_SKIPPED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """How the replay was asked for."""

    config_path: str | None
    operator: str | None
    reason: str
    dry_run: bool
    yes: bool
    as_json: bool
    sender: str = ""
    """`provider`: it is asked to send to a relay."""


@dataclass(slots=True)
class _Done:
    """How far it came: `left` were not begun."""

    replayed: int = 0
    failed: int = 0
    left: int = 0
    cancelled: bool = False
    message: str = ""


def run(
    settings: Settings, store: Store, rows: Sequence[InboxRow], endpoint: str | None, asked: Asked
) -> int:
    """Preview, ask, do; the exit code."""
    from payops.engine.commands import authorize
    from payops.engine.outside import real_world
    from payops.engine.replay import BATCH, RESENT_TOGETHER, application, plan, plan_to_application
    from payops.engine.webhooks import plan_document
    from payops.engine.wiring import open_verifiers

    verifiers = open_verifiers(settings, real_world(settings), store)
    relayed = None
    if endpoint is None:
        planned = plan(store, verifiers, rows)
    else:
        accounts = sorted({row.account for row in rows})
        if len(accounts) > 1:
            raise UsageError("replay: --to needs events of one account: say --account")
        for account in accounts:
            _, chosen = application(settings, account, endpoint, rows, asked.sender)
            relayed = chosen.name if chosen.topology == "relay" and not asked.sender else None
        planned = plan_to_application(store, verifiers, rows)
    document = {"to": endpoint, **plan_document(planned)}
    if asked.dry_run:
        _show(document, planned.money, asked, preview=True)
        return 0
    authorize(settings, "replay", asked.operator)
    if not asked.reason:
        raise UsageError("replay: --reason is missing: why is it done? It is kept in the audit")
    if not planned.rows:
        done = _Done(message="nothing to replay")
    else:
        _confirm(document, planned.money, asked)
        together = BATCH if endpoint is None else RESENT_TOGETHER
        done = _do(store, planned.rows, endpoint, relayed, asked, together)
    _tell(document, done, asked)
    if done.cancelled:
        return 130
    return 1 if done.failed or done.left else 0


def _do(
    store: Store,
    rows: Sequence[InboxRow],
    endpoint: str | None,
    relayed: str | None,
    asked: Asked,
    together: int,
) -> _Done:
    from payops.engine.replay import batches, fields, resend_fields

    done = _Done(left=len(rows))
    with _stopping() as stop, _progress(len(rows)) as advance:
        for part in batches(rows, together):
            if stop:
                done.cancelled = True
                break
            if endpoint is None:
                words = fields(part, asked.reason)
            else:
                ids = [row.event.event_id for row in part]
                words = resend_fields(part[0].account, endpoint, ids, asked.reason, asked.sender)
            result = ask(asked.config_path, asked.operator, "replay", None, words, wait=True)
            if not result.ok:
                done.message = result.message
                break
            failed = _failed(store, part, endpoint, relayed)
            done.failed += failed
            done.replayed += len(part) - failed
            done.left -= len(part)
            advance(len(part))
            if failed:
                done.message = result.message
            if failed and done.replayed == 0:
                done.message = f"the canary failed, the rest was not begun: {result.message}"
                break
    return done


def _failed(store: Store, part: Sequence[InboxRow], endpoint: str | None, relayed: str | None) -> int:
    """How many were not processed: by us, or by the application behind the relay; what another takes is not seen."""
    if relayed is not None:
        rows = [store.forwards.get(row.account, relayed, row.event.event_id) for row in part]
        return sum(row is None or row.state != "delivered" for row in rows)
    if endpoint is not None:
        return 0
    return sum(row.state != "processed" for row in store.inbox.rows([row.id for row in part]))


@contextmanager
def _stopping() -> Iterator[list[bool]]:
    """A first Ctrl+C lets the batch in hand end; a second one interrupts."""
    stop: list[bool] = []

    def asked(number: int, frame: FrameType | None) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.append(True)
        out.say("Stopping after the batch in hand.")

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar on stderr where a person looks on, else a line for each batch."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("replay", total=total)
            yield lambda count: bar.advance(task, count)
        return
    so_far = [0]

    def advance(count: int) -> None:
        so_far[0] += count
        out.say(f"{so_far[0]:,} of {total:,} replayed")

    yield advance


def _confirm(document: dict[str, Any], money: Any, asked: Asked) -> None:
    _show(document, money, asked, preview=False)
    if asked.yes:
        return
    if not out.interactive():
        raise UsageError("replay: nobody to ask: say --yes, or look first with --dry-run")
    click.confirm("Replay them?", abort=True, err=True)


def _show(document: dict[str, Any], money: Any, asked: Asked, *, preview: bool) -> None:
    if preview and asked.as_json:
        out.document(document)
        return
    say = out.line if preview else out.say
    span = f", created {document['oldest_at']} to {document['newest_at']}" if document["events"] else ""
    where = (
        f" to {document['to']}, fetched from or sent by the provider" if document["to"] else " from the inbox"
    )
    say(f"{document['events']:,} events would be replayed{where}{span}; paid purchases: {amounts(money)}")
    skipped = document["skipped"]
    for each in skipped[:_SKIPPED_SHOWN]:
        say(f"skipped {each['event_id']}: {each['why']}")
    if len(skipped) > _SKIPPED_SHOWN:
        say(f"… and {len(skipped) - _SKIPPED_SHOWN:,} more skipped")


def _tell(document: dict[str, Any], done: _Done, asked: Asked) -> None:
    if asked.as_json:
        out.document(
            {
                **document,
                "replayed": done.replayed,
                "failed": done.failed,
                "left": done.left,
                "cancelled": done.cancelled,
                "message": done.message or None,
            }
        )
        return
    stopped = "; stopped by you" if done.cancelled else ""
    out.line(f"{done.replayed:,} replayed, {done.failed:,} failed, {done.left:,} not begun{stopped}")
    if done.message:
        out.say(done.message)
