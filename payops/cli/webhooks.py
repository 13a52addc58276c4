"""`payops webhooks`: the inbox, what is missing in it, the endpoints, and doing it once more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from payops.clock import iso, utc_now
from payops.domain.errors import UsageError
from payops.domain.gaps import amounts
from payops.text import safe_line

from . import out
from .common import (
    Verbs,
    config_option,
    json_option,
    operator_name,
    operator_option,
    settings_and_store,
)

if TYPE_CHECKING:
    from payops.config import Settings
    from payops.store import Store
    from payops.store.inbox import InboxFilter, InboxRow

F = TypeVar("F", bound=Callable[..., Any])
_FILTERS = (
    click.option("--account", metavar="NAME", help="Only this account."),
    click.option("--type", "type_", metavar="PREFIX", help="Only types that begin so: charge., PAYMENT."),
    click.option("--state", metavar="STATE", help="received, processed, failed or dead."),
    click.option(
        "--since", metavar="TIME", help="First received then or later: 2026-01-15T09:00Z, or 2h ago as 2h."
    ),
    click.option("--until", metavar="TIME", help="First received then or earlier."),
    click.option("--object", "object_id", metavar="ID", help="Only events about this object."),
    click.option(
        "--forwarding",
        metavar="STATE",
        help="Only events that are so at an application behind a relay: waiting, delivered or dead.",
    ),
    click.option(
        "--text", metavar="TEXT", help="Only with this in the redacted body (of the newest 20,000 events)."
    ),
)


def filters(command: F) -> F:
    """The options that choose events."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group(cls=Verbs)
def webhooks() -> None:
    """List, show and replay received events; see gaps and endpoints."""


@webhooks.command("list")
@filters
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Events on a page."
)
@click.option("--before", type=click.IntRange(1), metavar="N", help="The next page: what the last one says.")
@config_option
@json_option
def list_(
    limit: int, before: int | None, config_path: str | None, as_json: bool, **chosen: str | None
) -> None:
    """Received events, newest first, with how many match and what they are worth."""
    from payops.engine.webhooks import found_document, row_document

    settings, store = settings_and_store(config_path)
    with closing(store):
        wanted = _filter(settings, chosen)
        rows = store.inbox.search(wanted, limit, before)
        found = store.inbox.found(wanted)
    following = rows[-1].id if len(rows) == limit else None
    if as_json:
        out.document(
            {
                "matching": found_document(found),
                "events": [row_document(row) for row in rows],
                "before": following,
            }
        )
        return
    if rows:
        out.table(("received", "account", "event", "type", "object", "state", "amount"), map(_columns, rows))
    out.say(f"{found.count:,} events match; paid purchases among them: {amounts(found.money)}")
    if following is not None and found.count > limit:
        out.say(f"More with --before {following}")


@webhooks.command()
@click.argument("event_id")
@click.option("--account", metavar="NAME", help="Which account's, where two have the same id.")
@config_option
@json_option
def show(event_id: str, account: str | None, config_path: str | None, as_json: bool) -> None:
    """One event whole: redacted body, verdict, sha256 of the raw bytes, deliveries, tries, last error."""
    import json

    from payops.engine.webhooks import whole_row_document

    settings, store = settings_and_store(config_path)
    with closing(store):
        document = whole_row_document(store, _one(settings, store, event_id, account))
    if as_json:
        out.document(document)
        return
    body, forwards = document.pop("body"), document.pop("forwarding")
    for name, value in document.items():
        out.line(f"{name}: {'unknown' if value is None else value}")
    for each in forwards:
        out.line(f"forwarding to {each['endpoint']}: {_forwarded(each)}")
    out.block("body: not kept" if body is None else f"body: {json.dumps(body, indent=2, ensure_ascii=False)}")


@webhooks.command()
@click.argument("event_ids", nargs=-1, metavar="[EVENT_ID]...")
@filters
@click.option(
    "--to",
    "endpoint",
    metavar="ENDPOINT",
    help="An application's endpoint: its provider resends; behind a relay the event is fetched and forwarded.",
)
@click.option(
    "--resend",
    is_flag=True,
    help="--to a relay: have the provider send it to payops again, signed by itself, instead of fetching it.",
)
@click.option("--reason", default="", help="Why; kept in the audit.")
@click.option("--dry-run", is_flag=True, help="Say what would be replayed; nothing is changed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@operator_option
@config_option
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    event_ids: tuple[str, ...],
    endpoint: str | None,
    resend: bool,
    reason: str,
    dry_run: bool,
    yes: bool,
    operator: str | None,
    config_path: str | None,
    as_json: bool,
    **chosen: str | None,
) -> None:
    """Process events once more, oldest first: by id, or all that the options choose; here, or --to an application.

    One goes first as a canary. Ctrl+C stops after the batch in hand. Exit 1 when an event failed.
    """
    from .replaying import Asked, run

    if resend and endpoint is None:
        raise UsageError("replay: --resend needs --to ENDPOINT, a relay")
    settings, store = settings_and_store(config_path)
    with closing(store):
        rows = _chosen(settings, store, event_ids, chosen, listed=endpoint is not None)
        sender = "provider" if resend else ""
        asked = Asked(config_path, operator_name(operator), reason.strip(), dry_run, yes, as_json, sender)
        ctx.exit(run(settings, store, rows, endpoint, asked))


@webhooks.command()
@click.option("--account", metavar="NAME", help="Only this account.")
@config_option
@json_option
def gaps(account: str | None, config_path: str | None, as_json: bool) -> None:
    """What should have reached each configured endpoint and did not: events listed, and objects without an event."""
    from payops.engine.webhooks import gaps as gaps_of

    settings, store = settings_and_store(config_path)
    now = utc_now()
    with closing(store):
        names = [settings.account(account).name] if account else [entry.name for entry in settings.accounts]
        found = gaps_of(store, settings, names, now)
    if as_json:
        out.document({"at": iso(now), "gaps": found})
        return
    if not found:
        out.say("No endpoint is configured.")
        return
    out.table(
        (
            "account",
            "endpoint",
            "topology",
            "missing",
            "first",
            "last",
            "money",
            "provider gives up",
            "resend until",
        ),
        [
            (
                gap["account"],
                gap["endpoint"],
                gap["topology"],
                _known(gap["missing"]),
                gap["first_at"] or "",
                gap["last_at"] or "",
                _money(gap["money"]),
                gap["gives_up_at"] or "",
                gap["resend_until"] or "",
            )
            for gap in found
        ],
    )
    for gap in found:
        for event_id in gap["ids"] or ():
            out.line(f"{gap['account']}  {gap['endpoint']}  {event_id}")
        for each in gap["objects"] or ():
            sure = "no event" if each["certain"] else "perhaps no event"
            out.line(
                f"{gap['account']}  {gap['endpoint']}  {sure} {each['type']} ({_money(each['money'])}): "
                f"{', '.join(each['ids'])}"
            )
            out.say(f"{gap['account']} {gap['endpoint']}: {each['type']}: {each['why']}")
        where = f"{gap['account']} {gap['endpoint']}"
        if gap["unknown"]:
            out.say(f"{where}: unknown: {gap['unknown']}")
        if gap["objects_unknown"] and gap["objects_unknown"] != gap["unknown"]:
            out.say(f"{where}: objects without an event: unknown: {gap['objects_unknown']}")
    for source in dict.fromkeys(each for gap in found if gap["missing"] for each in gap["estimates"]):
        out.say(f"Deadlines are estimates: {source}")


@webhooks.command()
@config_option
@json_option
def endpoints(config_path: str | None, as_json: bool) -> None:
    """Every endpoint: whose it is, how the provider has it, what reached us through it."""
    from payops.engine.webhooks import endpoints as endpoints_of

    settings, store = settings_and_store(config_path)
    now = utc_now()
    with closing(store):
        found = endpoints_of(store, settings, now)
    if as_json:
        out.document({"at": iso(now), "endpoints": found})
        return
    out.table(
        ("account", "endpoint", "topology", "url", "id", "status", "mode", "version", "types missing",
         "last received", "received", "24 h success", "unprocessed", "dead", "days failing"),
        [
            (
                row["account"],
                row["endpoint"] or "not configured",
                row["topology"] or "unknown",
                row["url"],
                _known(row["provider_id"]),
                _known(row["status"]),
                _known(row["mode"]),
                _known(row["api_version"]),
                "unknown" if row["missing_types"] is None else str(len(row["missing_types"])),
                _known(row["last_received_at"]),
                _known(row["received"]),
                _share(row["success_share"], row["success_of"]),
                _known(row["unprocessed"]),
                _known(row["dead"]),
                _known(row["failing_days"]),
            )
            for row in found
        ],
    )  # fmt: skip
    for row in found:
        for name in row["missing_types"] or ():
            out.say(f"{row['account']} {row['endpoint'] or row['provider_id']}: not subscribed to {name}")
        _say_more(row)
    told = {row["account"]: row for row in found if row["account_undelivered"] is not None}
    for account, row in told.items():
        out.say(f"{account}: {row['account_undelivered']:,} {row['account_undelivered_means']}")
    for account, why in sorted({(row["account"], row["unknown"]) for row in found if row["unknown"]}):
        out.say(f"{account}: unknown: {why}")


def _say_more(row: dict[str, Any]) -> None:
    """What has no column: when it may be disabled, how its forwarding or the reading of its inbox stands."""
    where = f"{row['account']} {row['endpoint'] or row['provider_id']}"
    if row["disabled_at"]:
        out.say(
            f"{where}: fails since {row['failing_days']} days; the provider may disable it at {row['disabled_at']} "
            f"(estimate: {row['disable_rule']})"
        )
    for refused in row["refused"]:
        fix = f": {refused['fix']}" if refused["fix"] else ""
        out.say(f"{where}: {refused['count']:,} refused in 15 min, {refused['reason']}{fix}")
    if row["forwarding"]:
        to = row["forwarding"]
        waits = f", the longest since {to['oldest_waiting_at']}" if to["waiting"] else ""
        out.say(
            f"{where}: forwards to {to['to']}: {to['waiting']:,} wait, {to['failing']:,} of them failed before{waits}; "
            f"{to['dead']:,} dead letters; last taken {to['last_taken_at'] or 'never'}"
        )
    if row["import"]:
        source = row["import"]
        out.say(
            f"{where}: reads {source['source']}, last at {source['read_at'] or 'never'}, judged from "
            f"{source['judged_from'] or 'unknown'}"
        )
        if source["problem"]:
            out.say(f"{where}: {source['problem']}")


def _chosen(
    settings: Settings,
    store: Store,
    event_ids: tuple[str, ...],
    chosen: dict[str, str | None],
    *,
    listed: bool,
) -> list[InboxRow]:
    """`listed`: an event may also be one that only the provider's list has."""
    from payops.engine.replay import MOST

    if event_ids:
        others = [name for name, value in chosen.items() if value is not None and name != "account"]
        if others:
            raise UsageError("replay: name events, or choose them by options, not both")
        one = _listed if listed else _one
        rows = [one(settings, store, event_id, chosen["account"]) for event_id in dict.fromkeys(event_ids)]
    elif any(value is not None for value in chosen.values()):
        rows = store.inbox.oldest_first(_filter(settings, chosen), MOST + 1)
    else:
        raise UsageError("replay: which events? Name their ids, or choose them, for example --state dead")
    if len(rows) > MOST:
        raise UsageError(f"replay: more than {MOST:,} events: choose fewer, for example with --since")
    return rows


def _one(settings: Settings, store: Store, event_id: str, account: str | None) -> InboxRow:
    rows = store.inbox.named(event_id, settings.account(account).name if account else None)
    if not rows:
        raise UsageError(f"no event {safe_line(event_id)!r} in the inbox; see `payops webhooks list`")
    if len(rows) > 1:
        names = ", ".join(row.account for row in rows)
        raise UsageError(f"{safe_line(event_id)!r} is an event of {names}: say --account")
    return rows[0]


def _listed(settings: Settings, store: Store, event_id: str, account: str | None) -> InboxRow:
    """The event in the inbox, or as its provider lists it."""
    from payops.store.inbox import listed_row

    if not store.inbox.named(event_id, settings.account(account).name if account else None):
        for known in settings.accounts:
            event = store.facts.event(known.name, event_id) if account in (None, known.name) else None
            if event is not None:
                return listed_row(event)
    return _one(settings, store, event_id, account)


def _filter(settings: Settings, chosen: dict[str, str | None]) -> InboxFilter:
    from payops.store.inbox import InboxFilter
    from payops.store.inbox_search import forward_state_named, state_named

    account, state = chosen["account"], chosen["state"]
    return InboxFilter(
        account=settings.account(account).name if account else None,
        type=chosen["type_"],
        state=state_named(state) if state else None,
        since=_instant("--since", chosen["since"]),
        until=_instant("--until", chosen["until"]),
        object_id=chosen["object_id"],
        forwarding=forward_state_named(chosen["forwarding"]) if chosen["forwarding"] else None,
        text=chosen["text"],
    )


def _instant(option: str, text: str | None) -> datetime | None:
    """ISO 8601 (naive = UTC), or a duration before now."""
    from payops.expressions.durations import parse_duration

    if text is None:
        return None
    try:
        return utc_now() - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option}: {safe_line(text, limit=60)!r} is no time: write 2026-01-15T09:00:00Z, or 2h for two hours ago"
        ) from None


def _columns(row: InboxRow) -> tuple[str, ...]:
    event = row.event
    return (
        "imported" if row.verdict == "imported" else iso(row.received_at),
        row.account,
        event.event_id,
        event.type,
        event.object_id or "",
        row.state,
        _amount(event.amount_minor, event.currency),
    )


def _amount(minor: int | None, currency: str | None) -> str:
    from payops.domain.money import Money

    return "" if minor is None or not currency else str(Money(minor, currency.upper()))


def _money(money: list[dict[str, Any]] | None) -> str:
    if money is None:
        return "unknown"
    return ", ".join(_amount(each["amount_minor"], each["currency"]) for each in money)


def _share(share: float | None, of: int | None) -> str:
    if share is None:
        return "unknown" if of is None else "no event"
    return f"{share:.1%} of {of:,}"


def _forwarded(row: dict[str, Any]) -> str:
    """`dead after 9 tries, last 503 at …: the application answered 503`."""
    said = f"{row['state']} after {row['tries']} tries"
    if row["last_at"]:
        said += f", last at {row['last_at']} ({row['last_status'] or 'no answer'}, {row['content'] or 'nothing sent'})"
    if row["due_at"]:
        said += f", next at {row['due_at']}"
    return said + (f": {row['last_error']}" if row["last_error"] else "")


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)
