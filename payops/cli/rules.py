"""`payops rules check|test|schema|reload`; the past is in `replays`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from payops.clock import utc_now
from payops.domain.errors import NotPossible, UsageError

from . import out
from .ask import ask
from .common import Verbs, config_option, json_option, operator_option, settings_and_store
from .incidents import no_wait_option
from .replays import backtest, diff, explain

if TYPE_CHECKING:
    from payops.engine.coverage import Part

paths_argument = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))


@click.group(cls=Verbs)
def rules() -> None:
    """Check, test, reload, explain and replay rules (default: the shipped ones)."""


for command in (explain, backtest, diff):
    rules.add_command(command)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    from payops.rulebook import shipped_dir

    return list(paths) or [shipped_dir()]


@rules.command()
@paths_argument
@json_option
@click.pass_context
def check(ctx: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """Types, templates, actions, roles, and that every remedy and branch has a test."""
    from payops.engine.ruletest import check as check_rules

    problems = check_rules(_files(paths))
    if as_json:
        out.document({"ok": not problems, "problems": [str(problem) for problem in problems]})
    else:
        for problem in problems:
            out.line(str(problem))
        if not problems:
            out.line("All rules are well formed and covered by their tests.")
    if problems:
        ctx.exit(1)


@rules.command()
@paths_argument
@click.option("--only", metavar="TEXT", help="Only tests whose rule or name contains this.")
@click.option(
    "--junit", "junit_file", type=click.Path(path_type=Path), help="Write the results as JUnit XML."
)
@json_option
@click.pass_context
def test(
    ctx: click.Context, paths: tuple[Path, ...], only: str | None, junit_file: Path | None, as_json: bool
) -> None:
    """Run the tests inside the rule files on stepped time, and say what they cover."""
    from payops.engine.junit import junit
    from payops.engine.ruletest import covered, run

    results = run(_files(paths), only)
    failed = [result for result in results if not result.ok]
    parts = covered(results)
    if junit_file is not None:
        _write(junit_file, junit(results))
    if as_json:
        out.document(
            {
                "ok": not failed,
                "tests": [
                    {"rule": item.rule, "name": item.name, "ok": item.ok, "why": item.why or None}
                    for item in results
                ],
                "coverage": {
                    rule: [{"kind": part.kind, "what": part.what, "covered": part.covered} for part in found]
                    for rule, found in parts.items()
                },
            }
        )
    else:
        for item in results:
            out.line(
                f"{'ok  ' if item.ok else 'FAIL'} {item.rule}: {item.name}{'' if item.ok else f': {item.why}'}"
            )
        covers = "" if only else f"; {_coverage(parts)}"
        out.say(f"{len(results) - len(failed)} passed, {len(failed)} failed{covers}")
    if failed or not results:
        ctx.exit(1)


def _coverage(parts: Mapping[str, Sequence[Part]]) -> str:
    """`covered: remedies 23 of 23, ways up 40 of 41, …`, over the rules whose tests ran."""
    every = [part for found in parts.values() for part in found]
    counts = []
    for kind, plural in KINDS.items():
        those = [part for part in every if part.kind == kind]
        counts.append(f"{plural} {sum(part.covered for part in those)} of {len(those)}")
    return f"covered: {', '.join(counts)}"


KINDS = {"remedy": "remedies", "way up": "ways up", "no data": "no data", "resolve": "resolve"}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


@rules.command()
def schema() -> None:
    """The JSON Schema of a rule file, for editors: completion and checks while you write."""
    from payops.rulebook.schema import json_schema

    out.document(json_schema())


@rules.command("reload")
@click.option("--dry-run", is_flag=True, help="Show what would open or close; swap nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@no_wait_option
@operator_option
@config_option
@json_option
@click.pass_context
def reload_(
    ctx: click.Context,
    dry_run: bool,
    yes: bool,
    no_wait: bool,
    operator: str | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Read the rule files again and judge by them; what would open or close is shown first."""
    from payops.engine.local import reload_view
    from payops.signals import read

    settings, store = settings_and_store(config_path)
    try:
        now = utc_now()
        view = reload_view(store, settings, read(store, settings, now), now)
    finally:
        store.close()
    shown = {"hash": view.hash or None, "changes": list(view.lines), "problems": list(view.problems)}
    if not as_json:
        for line in (*view.lines, *view.problems):
            out.line(line)
    if view.problems or not view.lines or dry_run:
        if as_json:
            out.document({"ok": not view.problems, "reloaded": False, **shown})
        elif not view.problems and not view.lines:
            out.line("The rule files say what is in use already.")
        ctx.exit(1 if view.problems else 0)
    if not (yes or as_json):
        click.confirm("Use these rules?", abort=True, err=True)
    result = ask(config_path, operator, "reload", None, {"hash": view.hash}, wait=not no_wait)
    if as_json:
        out.document({"ok": result.ok, "reloaded": result.ok, "message": result.message, **shown})
    elif result.ok:
        out.line(result.message)
    if not result.ok:
        raise NotPossible(result.message)
