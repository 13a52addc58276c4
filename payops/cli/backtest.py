"""`payops backtest FILE.csv`: detection over an export, in words or as one document."""

from __future__ import annotations

from math import floor, log10
from pathlib import Path
from typing import TYPE_CHECKING

import click

from payops.clock import from_epoch, iso
from payops.domain.errors import UsageError
from payops.domain.money import minor_digits

from . import out
from .common import json_option
from .progress import Progress

if TYPE_CHECKING:
    from payops.detection import Slice
    from payops.engine.offline import Verdict
    from payops.engine.offline.alarms import Told
    from payops.engine.offline.findings import Loss, Toll

SKIPPED_SHOWN = 10


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--expected-success",
    type=float,
    metavar="R",
    help="Success share that is normal, 0..1, for every slice and without margin; else it is learned.",
)
@json_option
def backtest(file: Path, expected_success: float | None, as_json: bool) -> None:
    """What payops would have told about an export of payments: alarms, since when, where, how much money.

    FILE needs the columns at (ISO 8601 or epoch seconds) and status (succeeded, failed, pending, canceled);
    payment_id, customer, amount_minor, currency, decline_code, provider, method, card_brand, country and any
    others make it sharper.
    """
    from payops.engine.offline import backtest as judged
    from payops.engine.offline import document

    if expected_success is not None and not 0.0 < expected_success < 1.0:
        raise UsageError(
            f"--expected-success is a share between 0 and 1, as 0.95; it was {expected_success:g}"
        )
    with Progress(file.name) as progress:
        verdict = judged(file, expected_success, progress)
    if verdict.other_encoding:
        out.say(f"{verdict.other_encoding:,} lines are not UTF-8 and were read as Latin-1")
    if as_json:
        out.document(document(verdict))
        return
    _print_counts(verdict)
    given = "the stated baseline" if expected_success is not None else "the learned baseline"
    for number, told in enumerate(verdict.judged.alarms, 1):
        out.line("")
        for sentence in _sentences(number, told, given):
            out.line(sentence)
    _print_end(verdict, given)


def _print_counts(verdict: Verdict) -> None:
    attempts = verdict.attempts
    others = [
        (attempts.retries, "retries"),
        (attempts.duplicates, "duplicates"),
        (attempts.uncounted, "pending or canceled"),
        (len(verdict.skipped), "skipped"),
    ]
    rest = "".join(f", {count:,} {what}" for count, what in others if count)
    out.line(f"{verdict.rows:,} rows: {len(attempts.counted):,} first attempts{rest}.")
    for one in verdict.skipped[:SKIPPED_SHOWN]:
        out.line(f"  line {one.line:,} skipped: {one.reason}")
    if len(verdict.skipped) > SKIPPED_SHOWN:
        out.line(f"  and {len(verdict.skipped) - SKIPPED_SHOWN:,} more lines; --json lists all of them")


def _print_end(verdict: Verdict, given: str) -> None:
    judged = verdict.judged
    out.line("")
    streams = f"{judged.streams:,} {'stream' if judged.streams == 1 else 'streams'}"
    if not judged.alarms:
        out.line(f"No alarm in {streams}: nowhere did more fail than chance explains.")
    watches = f"{judged.watches:,} {'time' if judged.watches == 1 else 'times'}"
    out.line(
        f"{streams} watched; below an alarm, worth a look: {watches}. "
        f"All of them together make at most one false alarm in 30 days, given {given}."
    )


def _sentences(number: int, told: Told, given: str) -> list[str]:
    located = told.alarm.located
    also = f" (or: {_named(located.runner_up.slice)})" if located and located.runner_up else ""
    head = f"{number}. {_named(told.alarm.slice)}{also}: payops would have alarmed at {_time(told.at_us)}."
    toll = told.toll
    first = (
        f"   Since {_time(told.onset_us)} {_failed(toll)}. "
        f"Chance alone: less than once in {_span(told.alarm.evidence_years)}, given {given}."
    )
    ended = f"Over at {_time(told.recovered_us)}" if told.recovered_us is not None else "Not over at the end"
    lines = [head, first, f"   {ended}: in all {_failed(told.in_all)}."]
    if told.in_all.codes:
        lines.append(f"   {_codes(told.in_all)}")
    lines += [f"   {_money(loss, told.in_all.seconds)}" for loss in told.in_all.money if loss.lost_minor > 0]
    if located and located.second:
        lines.append(f"   What is left of the rise is mostly {_named(located.second.slice)}: a second cause?")
    return lines


def _failed(toll: Toll) -> str:
    share = f" ({100 * toll.expected / toll.observed:.1f} %)" if toll.observed else ""
    return f"{toll.failed:,} of {toll.observed:,} payments failed, {toll.expected:,.1f} expected{share}"


def _codes(toll: Toll) -> str:
    extra = max(toll.failed - toll.expected, 0.0)
    top = toll.codes[0]
    return f"{min(top.excess, extra):,.0f} of the {extra:,.0f} extra are {top.code}."


def _money(loss: Loss, seconds: float) -> str:
    paid = (
        f", {_amount(loss.paid_later_minor, loss.currency)} of it paid later" if loss.paid_later_minor else ""
    )
    rate = loss.lost_minor / (seconds / 3600) if seconds >= 60 else None
    hourly = f", ~{_amount(rate, loss.currency)} an hour" if rate is not None else ""
    error = _amount(loss.se_minor, loss.currency)
    return f"~{_amount(loss.lost_minor, loss.currency)} not collected (standard error {error}){paid}{hourly}."


def _amount(minor: float, currency: str) -> str:
    """Two significant digits: more would claim to know the onset exactly."""
    places = minor_digits(currency)
    whole = minor / 10**places
    digits = floor(log10(abs(whole))) - 1 if whole else 0
    return f"{round(whole, -digits):,.{max(0, min(places, -digits))}f} {currency}"


def _named(slice_: Slice) -> str:
    return " · ".join(f"{column} {value}" for column, value in slice_) if slice_ else "all payments"


def _time(us: int) -> str:
    return iso(from_epoch(us / 1_000_000))


def _span(years: float) -> str:
    days = years * 365.25
    if days < 2 * 365.25:
        return f"{days:,.0f} days"
    return f"{years:,.0f} years" if years < 1e6 else "a million years"
