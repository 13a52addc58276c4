"""`payops report …`: the handover of a shift and the protocol's scorecard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.text import safe_line

from . import out
from .common import Verbs, config_option, json_option, settings_and_store

if TYPE_CHECKING:
    from payops.store import Store

F = TypeVar("F", bound=Callable[..., Any])
format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "md", "html", "json"]),
    default="text",
    show_default=True,
)
json_short = click.option("--json", "as_json", is_flag=True, help="Short for --format json.")


def since_option(default: str) -> Callable[[F], F]:
    """`--since`, a span or a time."""
    return click.option(
        "--since",
        default=default,
        show_default=True,
        metavar="TIME",
        help="A span back from now (8h, 30d) or a time (2026-01-15, 2026-01-15T09:00:00Z).",
    )


@click.group(cls=Verbs)
def report() -> None:
    """Reports people keep."""


@report.command()
@since_option("8h")
@format_option
@json_short
@config_option
def shift(since: str, format_: str, as_json: bool, config_path: str | None) -> None:
    """What the next shift must know: open incidents worst first, what happened, what is owed."""
    from payops.reports import shift_report

    _print(shift_report, since, "json" if as_json else format_, config_path)


@report.command()
@since_option("30d")
@format_option
@json_short
@config_option
def protocol(since: str, format_: str, as_json: bool, config_path: str | None) -> None:
    """The scorecard against 70 / 80 / < 2 %, with intervals; every figure names its incidents in HTML and JSON."""
    from payops.reports import protocol_report

    _print(protocol_report, since, "json" if as_json else format_, config_path)


@report.command()
@since_option("7d")
@json_option
@config_option
def proposals(since: str, as_json: bool, config_path: str | None) -> None:
    """What the last days suggest to change in rules and remedies, with the numbers behind it."""
    from payops.reports.proposals import document
    from payops.reports.proposals import proposals as work_out

    _, store = settings_and_store(config_path)
    try:
        now = utc_now()
        start = back_to(since, now)
        made = work_out(store, start, now)
    finally:
        store.close()
    if as_json:
        out.document(document(start, now, made))
    elif not made:
        out.say("Nothing to propose: no rule or remedy stands out.")
    else:
        rows = [(each.what, each.because, " ".join(each.ids)) for each in made]
        out.table(("proposal", "because", "incidents"), rows)


def _print(
    make: Callable[[Store, str, datetime, datetime], str], since: str, format_: str, config_path: str | None
) -> None:
    _, store = settings_and_store(config_path)
    try:
        now = utc_now()
        text = make(store, format_, back_to(since, now), now)
    finally:
        store.close()
    if format_ == "text":
        out.block(text)
    else:
        click.echo(text, nl=False)


def back_to(text: str, now: datetime) -> datetime:
    """The moment a person named: a span back from `now`, or a time; naive times are UTC."""
    from payops.expressions import parse_duration

    said = text.strip()
    try:
        span = parse_duration(said)
    except ValueError as error:
        if "longer than" in str(error):
            raise UsageError(f"--since {error}; give a date instead") from None
    else:
        return now - span
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise UsageError(
            f"--since {safe_line(said, limit=40)!r} is neither a span (8h, 30d) nor a time (2026-01-15T09:00:00Z)"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now:
        raise UsageError(f"--since {safe_line(said, limit=40)} is in the future")
    return at
