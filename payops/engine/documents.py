"""The `status` document, shaped as the interface fixes it."""

from __future__ import annotations

from typing import Any

from payops.clock import iso, iso_or_none
from payops.reports import incident_json
from payops.store import Store

from .board import AccountCard, Board, FeedRow
from .stages import detection, stages


def status_document(store: Store, board: Board) -> dict[str, Any]:
    """`{at, engine, accounts, incidents, next}`; what is not known is null."""
    return {
        "at": iso(board.at),
        "engine": {
            "holder": board.engine.holder,
            "last_tick_at": iso_or_none(board.engine.last_tick_at),
            "stopped": board.engine.stopped is not None,
            "armed": board.engine.armed,
        },
        "accounts": [_account(store, card, board) for card in board.accounts],
        "incidents": [incident_json(store, row.id) for row in board.incidents],
        "next": [{"at": iso(item.at), "what": item.what} for item in board.next],
    }


def _account(store: Store, card: AccountCard, board: Board) -> dict[str, Any]:
    return {
        "account": card.account,
        "provider": card.provider,
        "mode": card.mode,
        "success": {
            # Before the first answer nothing was counted: that is not a count of 0.
            name: {
                "n": None if card.fresh_at is None else rate.n,
                "rate": rate.rate,
                "low": rate.low,
                "high": rate.high,
            }
            for name, rate in card.success.items()
        },
        "expected": card.expected,
        "detection": detection(store, card),
        "stages_24h": stages(store, card, board.at),
        "backlog": {
            "undelivered": card.backlog.undelivered,
            "unprocessed": card.backlog.unprocessed,
            "dead": card.backlog.dead,
            "missing": card.backlog.missing,
            "oldest_s": card.backlog.oldest_s,
        },
        "budget": {
            "reads_30d": card.reads_month,
            "allowed_30d": card.reads_allowed,
            "forecast_30d": card.reads_forecast,
            "breaker": card.breaker,
            "breaker_since": iso_or_none(card.breaker_since),
            "next_read": {"at": iso(card.next_read_at), "feed": card.next_feed}
            if card.next_read_at
            else None,
            "said": card.budget,
        },
        "fresh_at": iso_or_none(card.fresh_at),
        "state": card.state,
        "problem": card.problem or None,
        "sees": card.sees,
        "declines_visible": card.declines_visible,
        "feeds": [_feed(row) for row in card.feeds],
        "cannot": dict(card.cannot),
    }


def _feed(row: FeedRow) -> dict[str, Any]:
    return {
        "feed": row.feed,
        "ok_at": iso_or_none(row.ok_at),
        "data_as_of": iso_or_none(row.data_as_of),
        "delay_s": row.delay_s,
        "sees": row.sees or None,
        "failures": row.failures,
        "error": row.error or None,
        "next_at": iso_or_none(row.next_at),
    }
