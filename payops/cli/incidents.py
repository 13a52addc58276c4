"""`payops incidents …`: every verb of the action registry, and looking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payops import config
from payops.clock import iso, iso_or_none, utc_now
from payops.domain.actions import CAUSES
from payops.domain.errors import NotPossible, UsageError
from payops.domain.protocol import ANSWERS, LESSONS, TRIGGERS

from . import out
from .ask import ask
from .common import Verbs, config_option, json_option, operator_name, operator_option, settings_and_store

if TYPE_CHECKING:
    from datetime import datetime

    from payops.domain.incidents import Incident, State
    from payops.reports import View
    from payops.store import Store
    from payops.store.silences import Silence

no_wait_option = click.option(
    "--no-wait", is_flag=True, help="Return at once; the engine does it at its next tick."
)


@click.group(cls=Verbs)
def incidents() -> None:
    """List, show, fix, hand over and close incidents."""


@incidents.command("list")
@click.option(
    "--state",
    type=click.Choice(["open", "acknowledged", "resolved", "all"]),
    default=None,
    help="Default: not resolved.",
)
@config_option
@json_option
def list_(state: str | None, config_path: str | None, as_json: bool) -> None:
    """The incidents, worst first."""
    from payops.reports import incident_json

    _, store = settings_and_store(config_path)
    try:
        wanted: dict[str | None, tuple[State, ...] | None] = {
            None: ("open", "acknowledged"),
            "open": ("open",),
            "acknowledged": ("acknowledged",),
            "resolved": ("resolved",),
            "all": None,
        }
        found = store.incidents.listing(wanted[state], limit=10_000)
        found.sort(key=lambda item: (item.severity, item.opened_at, item.id))
        if as_json:
            out.document([incident_json(store, item.id) for item in found])
        elif not found:
            out.say("No incident in that state.")
        else:
            out.table(
                ("incident", "severity", "state", "level", "account", "opened", "title", "next"),
                [_columns(item, utc_now()) for item in found],
            )
    finally:
        store.close()


def _columns(item: Incident, now: datetime) -> tuple[str, ...]:
    return (
        item.id,
        item.severity,
        item.state if item.ended_as is None else item.ended_as,
        f"Level {item.level}",
        item.account,
        iso(item.opened_at),
        item.title,
        f"{item.quiet_why}, until {iso(item.quiet_until)}"
        if item.quiet_until is not None and item.is_quiet(now)
        else item.next_action,
    )


@incidents.command()
@click.argument("incident_id")
@config_option
@json_option
def show(incident_id: str, config_path: str | None, as_json: bool) -> None:
    """One incident whole: why, attempts, handoffs, timeline."""
    from payops.reports import incident_json, incident_text

    _, store = settings_and_store(config_path)
    try:
        store.incidents.get(incident_id)
        if as_json:
            out.document(incident_json(store, incident_id))
        else:
            out.block(incident_text(store, incident_id, utc_now()))
    finally:
        store.close()


@incidents.command()
@click.argument("incident_id")
@click.option("--dry-run", is_flag=True, help="Print the plan; nothing is written to a provider.")
@no_wait_option
@operator_option
@config_option
@json_option
def fix(
    incident_id: str,
    dry_run: bool,
    no_wait: bool,
    operator: str | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Run the next Level 1 remedy now."""
    if dry_run:
        _dry_run(incident_id, config_path, as_json)
        return
    _ask(config_path, operator, "fix", incident_id, {}, no_wait, as_json)


def _dry_run(incident_id: str, config_path: str | None, as_json: bool) -> None:
    from payops.engine.local import plan_view
    from payops.engine.outside import real_world
    from payops.engine.wiring import open_providers, open_runner
    from payops.signals import read

    settings, store = settings_and_store(config_path)
    try:
        store.incidents.get(incident_id)
        outside = real_world(settings)
        providers = open_providers(settings, outside, store)
        runner = open_runner(store, settings, outside, providers)
        now = utc_now()
        view = plan_view(runner, incident_id, read(store, settings, now), now)
    finally:
        store.close()
    if as_json:
        plan = view.plan
        out.document(
            {
                "incident": incident_id,
                "remedy": plan.remedy if plan else None,
                "effect": plan.effect if plan else None,
                "steps": list(plan.steps) if plan else [],
                "targets": plan.targets if plan else 0,
                "money": [{"amount_minor": m.amount_minor, "currency": m.currency} for m in plan.money]
                if plan
                else [],
                "undo": plan.undo if plan else None,
                "plan_hash": view.plan_hash or None,
                "would_act": view.would_act,
                "why_not": view.why_not or (view.refusal.reason if view.refusal else None),
            }
        )
        return
    if view.plan is not None:
        out.line(f"{view.plan.remedy}: {view.plan.targets} targets, effect {view.plan.effect}")
        for step in view.plan.steps:
            out.line(f"  {step}")
        out.line(f"undo: {view.plan.undo or 'none'}")
        out.line(f"plan hash: {view.plan_hash}")
    if view.refusal is not None:
        out.line(f"refused: {view.refusal.reason}")
    if not view.would_act:
        out.line(f"would not act: {view.why_not}")


def _ask(
    config_path: str | None,
    operator: str | None,
    action: str,
    incident_id: str,
    fields: dict[str, str],
    no_wait: bool,
    as_json: bool,
) -> None:
    result = ask(config_path, operator, action, incident_id, fields, wait=not no_wait)
    if as_json:
        out.document({"ok": result.ok, "message": result.message})
    elif result.ok:
        out.line(result.message)
    if not result.ok:
        raise NotPossible(result.message)


def _writing(name: str, help_: str, *options: Any) -> Any:
    """A verb that is only its fields: the same shape for all of them."""

    def run(
        incident_id: str,
        no_wait: bool,
        operator: str | None,
        config_path: str | None,
        as_json: bool,
        **fields: str | None,
    ) -> None:
        _ask(
            config_path,
            operator,
            name,
            incident_id,
            {key: value or "" for key, value in fields.items()},
            no_wait,
            as_json,
        )

    command: Any = run
    for decorate in (*reversed(options), no_wait_option, operator_option, config_option, json_option):
        command = decorate(command)
    return incidents.command(name, help=help_)(click.argument("incident_id")(command))


@incidents.command()
@config_option
@json_option
def silences(config_path: str | None, as_json: bool) -> None:
    """Every silence, the newest first: of what, until when, by whom and why."""
    _, store = settings_and_store(config_path)
    try:
        found = store.silences.listing()
        now = utc_now()
        if as_json:
            out.document([_silence_document(each, now) for each in found])
        elif not found:
            out.say("Nothing was ever silenced.")
        else:
            out.table(
                ("silence", "rule", "account", "covers", "until", "by", "reason", "state"),
                [
                    (
                        str(each.id),
                        each.rule,
                        each.account,
                        each.dedup_key or "the whole account",
                        iso(each.until),
                        each.who,
                        each.reason,
                        each.state(now),
                    )
                    for each in found
                ],
            )
    finally:
        store.close()


def _silence_document(each: Silence, now: datetime) -> dict[str, Any]:
    return {
        "silence": each.id,
        "rule": each.rule,
        "account": each.account,
        "dedup_key": each.dedup_key,
        "at": iso(each.at),
        "until": iso(each.until),
        "by": each.who,
        "reason": each.reason,
        "ended_at": iso_or_none(each.ended_at),
        "ended_by": each.ended_by,
        "state": each.state(now),
    }


_writing("ack", "Say that you have it.")
_writing("assign", "Give the incident an owner.", click.argument("to"))
_writing("note", "Add a line to the timeline.", click.argument("text"))
_writing(
    "silence",
    "Neither act nor call anybody for a while; it stays in the list.",
    click.option("--for", "for", required=True, metavar="DURATION", help="At most 7d, for example 2h."),
    click.option("--reason", required=True, help="Why; everybody sees it."),
    click.option(
        "--scope",
        type=click.Choice(["group", "account"]),
        default="group",
        help="Only this group of its rule (default), or the rule on the whole account.",
    ),
)
_writing("unsilence", "End every silence of the incident.")
_writing(
    "approve",
    "Approve the plan that waits for people.",
    click.option(
        "--plan",
        "plan_hash",
        default="",
        help="The plan's hash as `show` prints it: only this plan is approved.",
    ),
)
_writing(
    "hold",
    "Keep the next remedy from acting by itself; fix lets it go.",
    click.option("--reason", default="", help="Why."),
)
_writing(
    "skip",
    "Go on without the next remedy, for this incident.",
    click.option("--reason", default="", help="Why."),
)
_writing("accept", "Accept the handoff.")
_writing("return", "Return the handoff with a question.", click.argument("question"))
_writing(
    "resolve",
    "Close with a cause and what fixed it.",
    click.option("--cause", type=click.Choice(CAUSES), required=True),
    click.option("--fixed", required=True, help="What fixed it."),
    click.option("--note", default="", help="For the next time."),
)
_owner = click.option("--owner", default="", help="Who does it; default: you.")
_due = click.option("--due", default="", metavar="YYYY-MM-DD", help="Until when.")
_writing(
    "answer",
    "Answer the handoff you accepted.",
    click.option("--answer", type=click.Choice(list(ANSWERS)), required=True),
    click.option("--text", required=True, help="The answer in words."),
    _owner,
    _due,
)
_writing(
    "hand-down",
    "Hand the incident back to the level below.",
    click.option("--reason", required=True, help="Why it need not be so high."),
)
_writing(
    "decide",
    "Level 4: record the user's decision.",
    click.option("--option", required=True, help="One of the rule's options, or the decision in words."),
    click.option("--why", required=True, help="The reason; it is kept."),
)
_writing(
    "learn",
    "Say what the incident taught.",
    click.option("--lesson", type=click.Choice(LESSONS), required=True),
    click.option(
        "--text", required=True, help="What was changed or is to be done; for `nothing`: because of what."
    ),
    _owner,
    _due,
)
_writing("done", "Mark a follow-up done.", click.argument("followup"))


@incidents.command()
@click.argument("incident_id")
@click.option("--trigger", type=click.Choice(list(TRIGGERS)), help="What makes it go straight to Level 3.")
@click.option("--problem", help="Each field is prefilled from facts; give it to say it better.")
@click.option("--attempted")
@click.option("--impact")
@click.option("--gateway")
@click.option("--request")
@click.option("--dry-run", is_flag=True, help="Print the handoff; send nothing.")
@no_wait_option
@operator_option
@config_option
@json_option
def escalate(
    incident_id: str,
    trigger: str | None,
    dry_run: bool,
    no_wait: bool,
    operator: str | None,
    config_path: str | None,
    as_json: bool,
    **edited: str | None,
) -> None:
    """Hand over to the next level: Problem, Attempted, Impact, Gateway, Request."""
    from payops.engine.local import draft
    from payops.signals import read

    settings, store = settings_and_store(config_path)
    try:
        now = utc_now()
        made = draft(store, settings, incident_id, read(store, settings, now), now)
    finally:
        store.close()
    fields = {
        name: edited[name] if edited[name] is not None else getattr(made, name)
        for name in ("problem", "attempted", "impact", "gateway", "request")
    }
    if dry_run:
        if as_json:
            out.document({"level": made.level, "to": made.to, **fields})
        else:
            out.line(f"Level {made.level} handoff to {made.to}")
            for name, text in fields.items():
                out.line(f"{name.capitalize()}: {text}")
        return
    _ask(
        config_path,
        operator,
        "escalate",
        incident_id,
        {key: value or "" for key, value in fields.items()}
        | ({"trigger": trigger} if trigger else {"level": str(made.level)}),
        no_wait,
        as_json,
    )


@incidents.command()
@click.argument("incident_id")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["md", "html", "json", "csv"]),
    help="Default: as --output, else md.",
)
@click.option(
    "--view",
    type=click.Choice(["internal", "provider", "auditor"]),
    default="internal",
    show_default=True,
    help="For whom: this business, the provider's support, an auditor.",
)
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="A file when it ends in .md, .html, .json or .csv, else a directory; default: stdout.",
)
@config_option
def export(
    incident_id: str,
    format_: str | None,
    view: View,
    as_json: bool,
    output: Path | None,
    config_path: str | None,
) -> None:
    """The incident as a report for people who were not there."""
    from payops.engine import local

    suffix = output.suffix.removeprefix(".") if output is not None else ""
    named = suffix if suffix in local.EXPORTS else None
    wanted = "json" if as_json else format_ or named or "md"
    if as_json and format_ not in (None, "json"):
        raise UsageError(f"export: --json and --format {format_} exclude each other; give one")
    if named not in (None, wanted):
        raise UsageError(f"export: {output} ends in .{named}, the format is {wanted}; give one of the two")
    settings = config.load(config_path)
    store = _open(settings)
    try:
        store.incidents.get(incident_id)
        if output is None:
            click.echo(local.rendered(store, incident_id, wanted, utc_now(), view), nl=False)
        elif named:
            _write_private(output, local.rendered(store, incident_id, wanted, utc_now(), view))
            out.line(str(output))
        else:
            out.line(str(local.export(store, incident_id, wanted, output, utc_now(), view)))
        local.note_export(store, incident_id, wanted, view, operator_name(None), utc_now())
    except OSError as error:
        raise UsageError(f"export: {output}: cannot be written: {error.strerror}") from error
    finally:
        store.close()


@incidents.command()
@click.argument("incident_id")
@click.option("--format", "format_", type=click.Choice(["md", "html"]), default="md", show_default=True)
@config_option
def brief(incident_id: str, format_: str, config_path: str | None) -> None:
    """The Level 4 brief: the decision, its options with numbers, what was tried, what is not known."""
    from payops.reports import brief_report

    store = _open(config.load(config_path))
    try:
        click.echo(brief_report(store, incident_id, format_, utc_now()), nl=False)
    finally:
        store.close()


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and only for its owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text, "utf-8")
    partial.chmod(0o600)
    partial.replace(path)


def _open(settings: config.Settings) -> Store:
    from payops.store import Store

    return Store.open(settings.store_path, now=utc_now())
