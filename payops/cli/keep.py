"""`payops audit` and `payops store`: what is kept, and whether it still is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from payops import config
from payops.domain.errors import StoreError, UsageError
from payops.text import safe_line

from . import out
from .common import Verbs, config_option, json_option, operator_name

if TYPE_CHECKING:
    from payops.store import Store


def _existing(config_path: str | None) -> Store:
    from payops.store import Store

    return Store.open_existing(config.load(config_path).store_path)


@click.group(cls=Verbs)
def audit() -> None:
    """The append-only, hash-chained record of who did what."""


@audit.command()
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also prove that this exported report is as payops wrote it; may be given again.",
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="ROW:HASH",
    help="Also prove that the chain still holds what `audit anchor` printed; may be given again.",
)
@config_option
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    reports: tuple[Path, ...],
    anchors: tuple[str, ...],
    config_path: str | None,
    as_json: bool,
) -> None:
    """Recompute the chain; exit 1 when a row was changed, removed or moved."""
    from payops.reports import fault_of

    store = _existing(config_path)
    try:
        report = store.audit.verify()
        faults = [
            f"{path}: {fault}" for path in reports if (fault := fault_of(store, _text(path))) is not None
        ]
        faults += [fault for anchor in anchors if (fault := _moved(store, anchor)) is not None]
        _was_read(store, "audit verified", "ok" if report.ok and not faults else "broken")
    finally:
        store.close()
    if as_json:
        out.document(
            {
                "ok": report.ok and not faults,
                "rows": report.rows,
                "head": report.head,
                "first_bad": report.first_bad_seq,
                "why": report.why,
                "faults": faults,
            }
        )
    else:
        if report.ok:
            out.line(f"The chain of {report.rows:,} rows is whole; head {report.head}")
        else:
            out.line(f"The chain is broken at row {report.first_bad_seq}: {report.why}")
        for fault in faults:
            out.line(fault)
        if (reports or anchors) and not faults:
            out.line(f"{len(reports) + len(anchors)} of {len(reports) + len(anchors)} proved")
    if not report.ok or faults:
        ctx.exit(1)


@audit.command()
@config_option
@json_option
def anchor(config_path: str | None, as_json: bool) -> None:
    """Print row and hash of the chain's end: kept elsewhere, it proves later that nothing up to it was changed."""
    store = _existing(config_path)
    try:
        row, head = store.audit.head()
    finally:
        store.close()
    if as_json:
        out.document({"row": row, "head": head})
    else:
        out.line(f"{row}:{head}")


@audit.command("export")
@click.option("--since", metavar="TIME", help="Only rows from then on: a span back (90d) or a time.")
@config_option
def export_(since: str | None, config_path: str | None) -> None:
    """Every row as one JSON document a line, oldest first, with its hash and the one before it."""
    from payops.clock import iso, utc_now

    from .report import back_to

    start = back_to(since, utc_now()) if since else None
    store = _existing(config_path)
    try:
        for row in store.audit.walk(start):
            out.document(
                {
                    "seq": row.seq,
                    "at": iso(row.at),
                    "who": row.who,
                    "what": row.what,
                    "object": row.object,
                    "result": row.result,
                    "origin": row.origin,
                    "detail": dict(row.detail),
                    "hash": row.hash,
                }
            )
        _was_read(store, "audit exported", "ok")
    finally:
        store.close()


def _was_read(store: Store, what: str, result: str) -> None:
    """Who read the record is on record."""
    from payops.clock import utc_now

    with store.write() as db:
        who = operator_name(None) or "nobody named"
        store.audit.append(db, utc_now(), who, what, "audit", result, "cli", {})


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _moved(store: Store, anchor: str) -> str | None:
    row, _, head = anchor.partition(":")
    if not (row.isascii() and row.isdigit() and head):
        raise UsageError(
            f"--anchor {safe_line(anchor, limit=80)!r}: write ROW:HASH as `audit anchor` prints it"
        )
    return None if store.audit.hash_at(int(row)) == head else f"row {row} is not the one that was anchored"


@click.group(cls=Verbs)
def store() -> None:
    """Check, back up or restore the store."""


@store.command("check")
@config_option
@json_option
@click.pass_context
def check_(ctx: click.Context, config_path: str | None, as_json: bool) -> None:
    """SQLite's own check and the audit chain; exit 1 when something is wrong."""
    from payops.store import Store
    from payops.store.check import check

    settings = config.load(config_path)
    try:
        with Store.open_existing(settings.store_path) as opened:
            report = check(opened)
        problems = list(report.problems)
        if not report.audit.ok:
            problems.append(
                f"the audit chain is broken at row {report.audit.first_bad_seq}: {report.audit.why}"
            )
    except StoreError as error:
        if not _damaged(error):
            raise
        problems = [f"{settings.store_path}: {error.__cause__}"]
    if as_json:
        out.document({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            out.line(problem)
        if not problems:
            out.line("The store is whole.")
    if problems:
        out.say("Stop payops and restore the copy made by `payops store backup`.")
        ctx.exit(1)


def _damaged(error: StoreError) -> bool:
    """True when the file itself is broken, and not only out of reach."""
    cause = str(error.__cause__ or "")
    return "malformed" in cause or "not a database" in cause


@store.command()
@click.argument("target", type=click.Path(path_type=Path))
@config_option
def backup(target: Path, config_path: str | None) -> None:
    """Write a consistent copy of the store to TARGET while it is in use."""
    from payops.store.check import backup as make_backup

    opened = _existing(config_path)
    try:
        make_backup(opened, target)
    finally:
        opened.close()
    out.line(str(target))


@store.command()
@click.argument("source", type=click.Path(path_type=Path))
@config_option
def restore(source: Path, config_path: str | None) -> None:
    """Put the backup SOURCE in the store's place; what was there is kept beside it."""
    from payops.clock import utc_now
    from payops.store.check import restore as put_back

    kept = put_back(source, config.load(config_path).store_path, utc_now())
    out.line(
        f"restored from {source}; what was there before is {kept}" if kept else f"restored from {source}"
    )
