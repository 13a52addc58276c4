"""`payops audit` and `payops store`: what is kept, and whether it still is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from payops import config
from payops.domain.errors import StoreError

from . import out
from .common import Verbs, config_option, json_option

if TYPE_CHECKING:
    from payops.store import Store


def _existing(config_path: str | None) -> Store:
    from payops.store import Store

    return Store.open_existing(config.load(config_path).store_path)


@click.group(cls=Verbs)
def audit() -> None:
    """The append-only, hash-chained record of who did what."""


@audit.command()
@config_option
@json_option
@click.pass_context
def verify(ctx: click.Context, config_path: str | None, as_json: bool) -> None:
    """Recompute the chain; exit 1 when a row was changed, removed or moved."""
    store = _existing(config_path)
    try:
        report = store.audit.verify()
    finally:
        store.close()
    if as_json:
        out.document(
            {
                "ok": report.ok,
                "rows": report.rows,
                "head": report.head,
                "first_bad": report.first_bad_seq,
                "why": report.why,
            }
        )
    elif report.ok:
        out.line(f"The chain of {report.rows:,} rows is whole; head {report.head}")
    else:
        out.line(f"The chain is broken at row {report.first_bad_seq}: {report.why}")
    if not report.ok:
        ctx.exit(1)


@click.group(cls=Verbs)
def store() -> None:
    """Check or back up the store."""


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
