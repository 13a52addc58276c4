"""`payops rules explain|diff|backtest`: what rules said, would have said, and would say otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from payops.clock import iso, utc_now
from payops.domain.errors import UsageError
from payops.expressions import format_duration, parse_duration

from . import out
from .common import config_option, json_option, settings_and_store

if TYPE_CHECKING:
    from payops.domain.incidents import Value
    from payops.engine.backtest import Judged, Span
    from payops.engine.explain import Explanation, Held
    from payops.engine.rulediff import RuleDiff
    from payops.rulebook import RuleSet
    from payops.rulebook.replay import Fired
    from payops.store import Store

SHOWN = 20
store_option = click.option(
    "--store",
    "store_path",
    type=click.Path(path_type=Path),
    help="A store whose recorded signals are replayed; default: the configuration's.",
)


since_option = click.option(
    "--since",
    default="90d",
    show_default=True,
    metavar="DURATION",
    help="How far back from the last recorded minute.",
)


@click.command()
@click.argument("incident_id")
@config_option
@json_option
def explain(incident_id: str, config_path: str | None, as_json: bool) -> None:
    """Which terms were true when it opened and are now, with their values, and since when."""
    from payops.engine.explain import explain as explained
    from payops.engine.explain import explanation_document

    settings, store = settings_and_store(config_path)
    try:
        found = explained(store, settings, incident_id, utc_now())
    finally:
        store.close()
    if as_json:
        out.document(explanation_document(found))
    else:
        for line in _explained(found):
            out.line(line)


def _explained(found: Explanation) -> Iterator[str]:
    incident, rule = found.incident, found.rule
    yield f"{incident.id}  {incident.title}  ({rule.id}, {incident.state})"
    yield f"It opened at {iso(incident.opened_at)}; the rule as it was then:"
    closes = "It closed" if incident.resolved_at else "It closes"
    headings = {
        "fire": f"It fires when all of these hold{_lasting(rule.fire.for_)}:",
        "resolve": f"{closes} when all of these hold{_lasting(rule.resolve.for_)}:",
    }
    before = ""
    for each in found.terms:
        if each.part != before:
            yield headings.get(each.part, f"It is {each.part} when all of these hold:")
        before = each.part
        yield f"  {each.term}"
        yield f"    at its opening: {_held(each.then)}"
        yield f"    {'when it closed' if incident.resolved_at else 'now'}: {_held(each.now)}"


def _lasting(for_: timedelta) -> str:
    return f" for {format_duration(for_)}" if for_ else ""


def _held(held: Held) -> str:
    word = {True: "true", False: "false", None: "unknown"}[held.result]
    since = (
        "" if held.since is None else f" since {iso(held.since)}{' or earlier' if held.or_earlier else ''}"
    )
    values = ", ".join(f"{name} {_value(value)}" for name, value in held.values.items())
    return f"{word}{since}{f' ({values})' if values else ''}"


def _value(value: Value | None) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@store_option
@since_option
@config_option
@json_option
def backtest(
    paths: tuple[Path, ...], store_path: Path | None, since: str, config_path: str | None, as_json: bool
) -> None:
    """How often rules (default: those in use) would have fired, for how long, and how often they were right."""
    from payops.engine.backtest import backtest_document, judged, replay

    with _opened(store_path, config_path) as store:
        chosen = _rules(paths, config_path, store_path)
        with _progress() as progress:
            span, (played,) = replay(store, [chosen], _ago(since), progress)
        found = judged(store, chosen, played, span)
    if as_json:
        out.document(backtest_document(span, found))
        return
    out.say(_told(span))
    out.table(
        (
            "rule",
            "status",
            "fired",
            "open",
            "would act",
            "acted",
            "confirmed",
            "false",
            "untold",
            "precision",
        ),
        [_columns(each) for each in found],
    )


def _columns(each: Judged) -> tuple[str, ...]:
    share = each.precision
    return (
        each.rule.id,
        each.rule.status,
        str(len(each.fired)),
        format_duration(each.open_for),
        str(each.would_act),
        str(each.acted),
        str(each.confirmed),
        str(each.false),
        str(each.untold),
        "unknown" if share is None else f"{share[0]:.0%} ({share[1]:.0%}-{share[2]:.0%})",
    )


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@store_option
@since_option
@config_option
@json_option
def diff(
    before: Path, after: Path, store_path: Path | None, since: str, config_path: str | None, as_json: bool
) -> None:
    """What rules AFTER do otherwise than rules BEFORE, on paper and over what a store recorded."""
    from payops.engine.backtest import replay
    from payops.engine.rulediff import behaved, diff_document, written
    from payops.rulebook import load

    old, new = load([before]), load([after])
    diffs, span = written(old, new), None
    if diffs and (store_path is not None or config_path is not None):
        with _opened(store_path, config_path) as store, _progress() as progress:
            span, (first, second) = replay(store, [old, new], _ago(since), progress)
        diffs = [behaved(each, first, second, span) for each in diffs]
    if as_json:
        out.document(diff_document(diffs, span))
        return
    out.say(_told(span) if span else "Nothing was replayed: name a store with --store or --config.")
    for each in diffs:
        for line in _difference(each, span):
            out.line(line)
    if not diffs:
        out.line("No difference.")


def _difference(each: RuleDiff, span: Span | None) -> Iterator[str]:
    yield f"{each.rule}: {each.kind}"
    for change in each.changes:
        yield f"  {change.place}: {change.before or 'nothing'} → {change.after or 'nothing'}"
    if span is None:
        return
    yield (
        f"  opened by both {each.both}, only before {len(each.only_before)}, only after {len(each.only_after)}; "
        f"open {format_duration(each.open_before)} → {format_duration(each.open_after)}"
    )
    for name, fired in (("only before", each.only_before), ("only after", each.only_after)):
        for one in fired[:SHOWN]:
            yield f"    {name}: {_fired(one, span.end)}"
        if len(fired) > SHOWN:
            yield f"    {name}: {len(fired) - SHOWN} more"


def _fired(fired: Fired, end: datetime) -> str:
    return f"{iso(fired.at)}, {format_duration(fired.open_for(end))}: {fired.title}"


def _told(span: Span) -> str:
    gaps = f", of which {format_duration(span.gaps)} were not recorded" if span.gaps else ""
    return f"Replayed {iso(span.start)} to {iso(span.end)}, {span.samples:,} samples{gaps}."


def _ago(since: str) -> timedelta:
    try:
        return min(parse_duration(since), timedelta(days=90))
    except ValueError as error:
        raise UsageError(f"--since: {error}") from error


def _rules(paths: tuple[Path, ...], config_path: str | None, store_path: Path | None) -> RuleSet:
    from payops import config
    from payops.engine.wiring import load_rules
    from payops.rulebook import load, shipped_dir

    if paths:
        return load(list(paths))
    if store_path is not None and config_path is None:
        return load([shipped_dir()])
    return load_rules(config.load(config_path))


@contextmanager
def _opened(store_path: Path | None, config_path: str | None) -> Iterator[Store]:
    from payops.store import Store

    if store_path is None:
        _, store = settings_and_store(config_path)
    else:
        store = Store.open_existing(store_path)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, nothing elsewhere; ctrl+c ends the replay, which has changed nothing."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    with click.progressbar(length=1000, label="replaying", file=sys.stderr) as bar:
        yield lambda share: bar.update(max(0, int(share * 1000) - bar.pos))
