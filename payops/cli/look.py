"""`poll` and `status`: reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from payops import config
from payops.clock import iso_or_none, utc_now

from . import out
from .common import config_option, json_option, operator_name, operator_option, settings_and_store

if TYPE_CHECKING:
    from payops.engine.board import AccountCard, Board, WindowRate


@click.command()
@click.option("--account", metavar="NAME", help="Only this account.")
@config_option
@json_option
@click.pass_context
def poll(ctx: click.Context, account: str | None, config_path: str | None, as_json: bool) -> None:
    """One pass over the feeds; exit 1 when a feed has an error."""
    from payops.engine.passes import poll_once

    settings, store = settings_and_store(config_path)
    try:
        names = [settings.account(account).name] if account else [entry.name for entry in settings.accounts]
        document = poll_once(store, settings, names, utc_now)
    finally:
        store.close()
    feeds = [(entry, feed) for entry in document["accounts"] for feed in entry["feeds"]]
    if as_json:
        out.document(document)
    else:
        out.table(
            ("account", "feed", "result", "read", "new", "requests", "data as of"),
            [
                (
                    entry["account"],
                    feed["feed"],
                    _result(feed),
                    str(feed["read"]),
                    str(feed["new"]),
                    str(feed["requests"]),
                    feed["data_as_of"] or "unknown",
                )
                for entry, feed in feeds
            ],
        )
        for entry in document["accounts"]:
            proven = entry["mode_proven"]
            out.line(f"{entry['account']}: {f'{proven} proven' if proven else 'not proven'}")
    if any(not feed["ok"] for _, feed in feeds):
        ctx.exit(1)


def _result(feed: dict[str, Any]) -> str:
    if not feed["ok"]:
        return f"{', '.join(feed['errors'])}: {feed['message']}"
    # A reading can succeed and find that the provider refuses the credential.
    return str(feed["message"] or "ok")


@click.command()
@operator_option
@config_option
@json_option
def status(operator: str | None, config_path: str | None, as_json: bool) -> None:
    """The board: accounts, backlog, incidents, what comes next."""
    from payops.engine.boards import build
    from payops.engine.documents import status_document
    from payops.signals import read
    from payops.store import Store

    settings = config.load(config_path)
    now = utc_now()
    store = Store.open(settings.store_path, now=now)
    try:
        board = build(
            store,
            settings,
            read(store, settings, now),
            now,
            operator=operator_name(operator),
            holder="",
            receiver="",
        )
        if as_json:
            out.document(status_document(store, board))
        else:
            _print(board)
    finally:
        store.close()


def _rate(card: AccountCard, rate: WindowRate) -> str:
    if card.fresh_at is None:
        return "not read yet"
    if not rate.n:
        return "no payments"
    # Where not all declines can be seen, what was completed is a count and of no known rate.
    return f"{rate.rate:.1%} of {rate.n:,}" if rate.rate is not None else f"{rate.succeeded:,} completed"


def _print_reading(card: AccountCard) -> None:
    """How the account is read: what it costs, what can be seen, how fresh it is."""
    if card.breaker == "closed":
        asks = f"next read: {card.next_feed} at {iso_or_none(card.next_read_at)}" if card.next_read_at else ""
    else:
        asks = (
            f"cannot be reached since {iso_or_none(card.breaker_since)}: only one feed at a time is asked, "
            f"next at {iso_or_none(card.next_read_at)}"
        )
    out.line(f"{card.account}: {card.budget}{f'; {asks}' if asks else ''}")
    out.line(f"  sees: {card.sees}")
    if card.feeds:
        out.table(
            ("  feed", "answered", "data as of", "may be late", "sees", "problem"),
            [
                (
                    f"  {row.feed}",
                    iso_or_none(row.ok_at) or "never",
                    iso_or_none(row.data_as_of) or "unknown",
                    "unknown" if row.delay_s is None else f"{row.delay_s} s",
                    row.sees or "unknown",
                    row.error,
                )
                for row in card.feeds
            ],
        )
    for why in dict.fromkeys(why for _, why in card.cannot):  # one reason can rule out several things
        out.line(f"  not possible: {why}")


def _print(board: Board) -> None:
    stopped = board.engine.stopped
    out.line(f"STOPPED by {stopped}. No remedy acts until `payops resume`." if stopped else board.headline)
    out.table(
        ("account", "mode", "acts", "5 min", "1 h", "24 h", "backlog", "state", "fresh at"),
        [
            (
                card.account,
                card.mode_proven or f"{card.mode} (not proven)",
                f"armed: {', '.join(card.armed)}" if card.armed else "observing",
                *(_rate(card, rate) for rate in card.success.values()),
                f"{card.backlog.missing if card.backlog.missing is not None else 'unknown'} missing, "
                f"{card.backlog.unprocessed} unprocessed",
                card.state if not card.problem else f"{card.state}: {card.problem}",
                iso_or_none(card.fresh_at) or "never",
            )
            for card in board.accounts
        ],
    )
    for card in board.accounts:
        if card.noticed:
            out.line(f"{card.account}: {card.noticed}")
    for card in board.accounts:
        _print_reading(card)
    if board.incidents:
        out.table(
            ("incident", "severity", "state", "level", "account", "title", "status"),
            [
                (
                    item.id,
                    item.severity,
                    item.state,
                    f"Level {item.level}",
                    item.account,
                    item.title,
                    item.status,
                )
                for item in board.incidents
            ],
        )
