"""`payops rules check|test`."""

from __future__ import annotations

from pathlib import Path

import click

from . import out
from .common import Verbs, json_option

paths_argument = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))


@click.group(cls=Verbs)
def rules() -> None:
    """Check and test rule files (default: the shipped ones)."""


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
@json_option
@click.pass_context
def test(ctx: click.Context, paths: tuple[Path, ...], only: str | None, as_json: bool) -> None:
    """Run the tests inside the rule files on stepped time."""
    from payops.engine.ruletest import run

    results = run(_files(paths), only)
    failed = [result for result in results if not result.ok]
    if as_json:
        out.document(
            {
                "ok": not failed,
                "tests": [
                    {"rule": item.rule, "name": item.name, "ok": item.ok, "why": item.why or None}
                    for item in results
                ],
            }
        )
    else:
        for item in results:
            out.line(
                f"{'ok  ' if item.ok else 'FAIL'} {item.rule}: {item.name}{'' if item.ok else f': {item.why}'}"
            )
        out.say(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if failed or not results:
        ctx.exit(1)
