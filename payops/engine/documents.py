"""The `status` document, shaped as the interface fixes it."""

from __future__ import annotations

from typing import Any

from payops.clock import iso, iso_or_none
from payops.reports import incident_json
from payops.store import Store

from .board import AccountCard, Board


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
        "accounts": [_account(card) for card in board.accounts],
        "incidents": [incident_json(store, row.id) for row in board.incidents],
        "next": [{"at": iso(item.at), "what": item.what} for item in board.next],
    }


def _account(card: AccountCard) -> dict[str, Any]:
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
        "backlog": {
            "undelivered": card.backlog.undelivered,
            "unprocessed": card.backlog.unprocessed,
            "dead": card.backlog.dead,
            "missing": card.backlog.missing,
            "oldest_s": card.backlog.oldest_s,
        },
        "budget": {"reads_30d": card.reads_month, "allowed_30d": card.reads_allowed},
        "fresh_at": iso_or_none(card.fresh_at),
        "state": card.state,
    }
