"""Webhook events that reached us: durable before they are answered, each once, processed afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from payops.clock import from_epoch, to_epoch
from payops.domain.events import Delivery, Facts, InboxState, Refusal, WebhookEvent

from .changes import change_of, told_before
from .events import insert_events, mark_in_inbox
from .forwards import owe
from .inbox_replay import InboxReplay
from .inbox_rows import InboxRow, listed_row, row_from
from .inbox_search import InboxFilter, InboxFound, InboxSearch
from .quick_look import mask_body
from .redaction import Finding, card_data, redact_text
from .rows import EVENT_COLUMNS, at, event_values
from .shown import mark_told

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Inbox", "InboxCounts", "InboxFilter", "InboxFound", "InboxRow", "listed_row"]

MAX_TRIES = 6
"""Tries to process an event; after the last it is a dead letter."""
_BACKOFF_S = 10
_BATCH = 10_000
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'received', ?, ?, ?)"
_RECEIVE = (
    f"INSERT INTO inbox ({EVENT_COLUMNS}, body, sha256, verdict, state, received_at, last_received_at, delivery_count)"  # noqa: S608
    " VALUES {} ON CONFLICT (account, event_id) DO UPDATE SET"
    " delivery_count = delivery_count + excluded.delivery_count,"
    " last_received_at = MAX(last_received_at, excluded.last_received_at)"
)
_MOST_ROWS = 256
"""In one statement: each statement lets another thread of this process go first, and waits for its turn again."""
_APART = (
    "EXISTS (SELECT 1 FROM quarantine AS apart WHERE apart.account = inbox.account"
    " AND apart.event_id = inbox.event_id)"
)
_OWN = f"(inbox.livemode = :live OR (inbox.livemode IS NULL AND inbox.state = 'processed' AND NOT {_APART}))"
_OTHER = f"(inbox.livemode = 1 - :live OR (inbox.livemode IS NULL AND {_APART}))"


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """`received` are distinct events, imported history included; `unprocessed` waits here, `dead` was given up."""

    received: int
    unprocessed: int
    dead: int
    oldest_unprocessed_at: datetime | None
    """When the longest waiting one was received."""
    last_received_at: datetime | None


class Inbox(InboxSearch, InboxReplay):
    def __init__(self, store: Store) -> None:
        self._store = store

    def receive(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Make a batch durable; for each, True = new, False = a duplicate (counted on the first).

        On return the whole batch survives a kill and a power cut: answer 2xx only then.
        """
        with self._store.read() as db:
            hunts = {
                account: self._store.findings.hunt(db, account) for account in {d.account for d in deliveries}
            }
        rows: dict[tuple[str, str], list[Any]] = {}
        found: dict[tuple[str, str], tuple[Finding, ...]] = {}
        firsts = []
        for delivery in deliveries:
            key, received = (delivery.account, delivery.event.event_id), to_epoch(delivery.received_at)
            row = rows.get(key)
            firsts.append(row is None)
            if row is not None:
                row[-2:] = max(row[-2], received), row[-1] + 1
                continue
            body, masked = mask_body(delivery.body, hunts[delivery.account].anew())
            if masked:
                found[key] = card_data(masked)
            rows[key] = [
                *event_values(delivery.account, delivery.event),
                body,
                delivery.sha256,
                _verdict(delivery.verdict),
                received,
                received,
                1,
            ]
        with self._store.write_durably() as db:
            new = _receive(db, list(rows.values()))
            told = [
                first and (delivery.account, delivery.event.event_id) in new
                for first, delivery in zip(firsts, deliveries, strict=True)
            ]
            for first, delivery in zip(told, deliveries, strict=True):
                self._follow_up(db, delivery, found if first else {}, new=first)
        return told

    def _follow_up(
        self,
        db: sqlite3.Connection,
        delivery: Delivery,
        found: Mapping[tuple[str, str], tuple[Finding, ...]],
        *,
        new: bool,
    ) -> None:
        """What a stored delivery leads to: it is owed to applications, or card data was in it."""
        account, event_id = delivery.account, delivery.event.event_id
        if delivery.owed is not None:
            owe(db, account, event_id, delivery.owed, to_epoch(delivery.received_at), new=new)
        cards = found.get((account, event_id))
        if cards:
            place = f"webhook {delivery.event.type}"
            self._store.findings.record(db, account, place, event_id, cards, delivery.received_at)

    def import_seen(self, account: str, events: Iterable[WebhookEvent], received_at: datetime) -> int:
        """Events that count as delivered and processed before payops looked; returns how many were new."""
        return self._enter(account, list(events), received_at, "imported")

    def _enter(self, account: str, events: Sequence[WebhookEvent], at: datetime, verdict: str) -> int:
        """Events without a delivery, as processed as their facts are."""
        received = to_epoch(at)
        rows = [(*event_values(account, event), verdict, received) for event in events]
        new = 0
        with self._store.write() as db:
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                new += db.executemany(
                    f"INSERT INTO inbox ({EVENT_COLUMNS}, body, sha256, verdict, state, received_at,"  # noqa: S608
                    " last_received_at, processed_at)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, '', '', ?10, 'processed', ?11, ?11, ?11)"
                    " ON CONFLICT (account, event_id) DO NOTHING",
                    batch,
                ).rowcount
                mark_in_inbox(db, account, [row[1] for row in batch])
                mark_told(db, account, events[start : start + _BATCH])
            if rows:
                _count(db, account, new, min(row[3] for row in rows), None)
        return new

    def pending(self, limit: int, now: datetime) -> list[InboxRow]:
        """What is to be processed and due, oldest object time first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM inbox WHERE state IN ('received', 'failed')"
                " AND (next_try_at IS NULL OR next_try_at <= ?) ORDER BY created_at, id LIMIT ?",
                (to_epoch(now), limit),
            ).fetchall()
        return [row_from(row) for row in rows]

    def process(self, row: InboxRow, facts: Facts, now: datetime) -> bool:
        """Apply what the event says and mark it processed, both or neither; False when it was done already."""
        return self.process_batch([(row, facts)], now) == 1

    def process_batch(self, batch: Sequence[tuple[InboxRow, Facts]], now: datetime) -> int:
        """`process` for many in one transaction; returns how many were not done before.

        A change that another event has told already is not applied a second time; the event says of which it is the
        same. Only where it was made later is its time taken over: what it says was true then, too.
        """
        done = 0
        changes = [change_of(row.body) for row, _ in batch]
        with self._store.write() as db:
            for (row, facts), change in zip(batch, changes, strict=True):
                told = told_before(db, row, change)
                changed = db.execute(
                    "UPDATE inbox SET state = 'processed', processed_at = ?, next_try_at = NULL, error = NULL,"
                    " change = ?, same_as = ? WHERE id = ? AND state <> 'processed'",
                    (to_epoch(now), change, told and told.event_id, row.id),
                ).rowcount
                if not changed:
                    continue
                done += 1
                if told is None or row.event.created_at > told.created_at or facts.wrong_mode:
                    self._store.facts.apply_facts(row.account, facts, now)
                insert_events(db, [event_values(row.account, row.event)])
                mark_in_inbox(db, row.account, [row.event.event_id])
                mark_told(db, row.account, [row.event])
        return done

    def reconcile(self, account: str, events: Sequence[WebhookEvent], now: datetime) -> int:
        """Events that never came, rebuilt of what their objects show: received and processed; how many were new."""
        return self._enter(account, events, now, "reconciled")

    def reconciled(self, account: str) -> frozenset[tuple[str, str]]:
        """(type, object id) of every rebuilt event: for closing the books of a run, not for a tick."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT type, object_id FROM inbox WHERE account = ? AND verdict = 'reconciled'", (account,)
            ).fetchall()
        return frozenset((row["type"], row["object_id"]) for row in rows)

    def fail(self, row: InboxRow, message: str, now: datetime) -> InboxState:
        """Count a failed try: again after 10 s, 40 s, … ; dead after the sixth. Returns the new state."""
        with self._store.write() as db:
            found = db.execute("SELECT state, tries FROM inbox WHERE id = ?", (row.id,)).fetchone()
            if found is None or found["state"] == "processed":
                return "processed"
            tries = found["tries"] + 1
            state: InboxState = "dead" if tries >= MAX_TRIES else "failed"
            next_try = to_epoch(now) + _BACKOFF_S * 4 ** (tries - 1) if state == "failed" else None
            db.execute(
                "UPDATE inbox SET state = ?, tries = ?, next_try_at = ?, error = ? WHERE id = ?",
                (state, tries, next_try, redact_text(message), row.id),
            )
        return state

    def counts(self, account: str, now: datetime) -> InboxCounts:
        """How the account's inbox stands. Cheap: only what is not processed is counted."""
        with self._store.read() as db:
            totals = db.execute(
                "SELECT received, last_received_at FROM inbox_totals WHERE account = ?", (account,)
            ).fetchone()
            waiting = db.execute(
                "SELECT COALESCE(SUM(state <> 'dead'), 0) AS unprocessed,"
                " COALESCE(SUM(state = 'dead'), 0) AS dead,"
                " MIN(CASE WHEN state <> 'dead' THEN received_at END) AS oldest"
                # The + keeps the planner on the index of what is not processed.
                " FROM inbox WHERE account = ? AND state <> 'processed' AND +received_at <= ?",
                (account, to_epoch(now)),
            ).fetchone()
        return InboxCounts(
            0 if totals is None else totals["received"],
            waiting["unprocessed"],
            waiting["dead"],
            at(waiting["oldest"]),
            None if totals is None else at(totals["last_received_at"]),
        )

    def first_verified_at(self, account: str) -> datetime | None:
        """Creation time of the oldest event that reached us (imports count): gaps are judged from there."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT first_created_at FROM inbox_totals WHERE account = ?", (account,)
            ).fetchone()
        return None if row is None else at(row["first_created_at"])

    def received_since(self, account: str, since: datetime) -> int:
        """Distinct events first received at or after `since`; imported history is not among them."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n FROM inbox WHERE account = ? AND received_at >= ?"
                " AND verdict <> 'imported' AND verdict <> 'reconciled'",
                (account, to_epoch(since)),
            ).fetchone()
        return int(row["n"])

    def rhythm(self, account: str, events: int = 20) -> tuple[datetime, float] | None:
        """When the last event reached us and the mean gap in seconds between the last few; None with fewer."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT received_at FROM inbox WHERE account = ? AND verdict <> 'imported' AND verdict <> 'reconciled'"
                " ORDER BY received_at DESC LIMIT ?",
                (account, events),
            ).fetchall()
        if len(rows) < events:
            return None
        last, first = rows[0]["received_at"], rows[-1]["received_at"]
        return from_epoch(last), (last - first) / (events - 1)

    def verified_since(self, account: str, since: datetime, *, live: bool) -> tuple[int, int]:
        """`received_since` of the account's own mode, and of the other: what says so, or is in quarantine.

        What does not say its mode is neither before it is processed.
        """
        with self._store.read() as db:
            row = db.execute(
                f"SELECT COALESCE(SUM({_OWN}), 0) AS own, COALESCE(SUM({_OTHER}), 0) AS other FROM inbox"  # noqa: S608
                " WHERE account = :account AND received_at >= :since AND verdict <> 'imported' AND verdict <> 'reconciled'",
                {"account": account, "since": to_epoch(since), "live": int(live)},
            ).fetchone()
        return row["own"], row["other"]

    def last_verified_at(self, account: str, *, live: bool) -> datetime | None:
        """When the newest event of the account's own mode was first received; imports do not count."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT received_at FROM inbox WHERE account = :account"  # noqa: S608
                " AND verdict <> 'imported' AND verdict <> 'reconciled'"
                f" AND {_OWN} ORDER BY received_at DESC LIMIT 1",
                {"account": account, "live": int(live)},
            ).fetchone()
        return None if row is None else at(row["received_at"])

    def has(self, account: str, event_id: str) -> bool:
        with self._store.read() as db:
            return (
                db.execute(
                    "SELECT 1 FROM inbox WHERE account = ? AND event_id = ?", (account, event_id)
                ).fetchone()
                is not None
            )

    def which(self, account: str, event_ids: Sequence[str]) -> frozenset[str]:
        """Those of the given events that are in the inbox."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT event_id FROM inbox WHERE account = ? AND event_id IN (SELECT value FROM json_each(?))",
                (account, json.dumps(list(event_ids))),
            ).fetchall()
        return frozenset(row["event_id"] for row in rows)

    def received_ids(self, account: str) -> frozenset[str]:
        """Every event id in the inbox: for closing the books of a run, not for a tick."""
        with self._store.read() as db:
            rows = db.execute("SELECT event_id FROM inbox WHERE account = ?", (account,)).fetchall()
        return frozenset(row["event_id"] for row in rows)

    def processed_ids(self, account: str) -> frozenset[str]:
        """Those of `received_ids` that are processed."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT event_id FROM inbox WHERE account = ? AND state = 'processed'", (account,)
            ).fetchall()
        return frozenset(row["event_id"] for row in rows)

    def row(self, account: str, event_id: str) -> InboxRow | None:
        with self._store.read() as db:
            row = db.execute(
                "SELECT * FROM inbox WHERE account = ? AND event_id = ?", (account, event_id)
            ).fetchone()
        return None if row is None else row_from(row)

    def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        """Count deliveries that were not accepted, per minute; their content is not kept."""
        counted: Counter[tuple[str, int, str, str]] = Counter()
        for each in refusals:
            seconds = to_epoch(each.at)
            reason = redact_text(each.reason)[:200]
            counted[each.account, seconds - seconds % 60, each.kind, reason] += 1
        with self._store.write() as db:
            db.executemany(
                "INSERT INTO refused (account, minute, kind, reason, count) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (account, minute, kind, reason) DO UPDATE SET"
                " count = refused.count + excluded.count",
                [(*key, count) for key, count in counted.items()],
            )

    def refuse(self, account: str, received_at: datetime, kind: str, reason: str) -> None:
        """Count one delivery that was not accepted."""
        self.refuse_all([Refusal(account, received_at, kind, reason)])

    def refused_since(self, account: str, since: datetime) -> list[tuple[str, str, int]]:
        """(kind, reason, count) of the deliveries refused in the minute of `since` and after, most first."""
        seconds = to_epoch(since)
        with self._store.read() as db:
            rows = db.execute(
                "SELECT kind, reason, SUM(count) AS n FROM refused WHERE account = ? AND minute >= ?"
                " GROUP BY kind, reason ORDER BY n DESC, kind, reason",
                (account, seconds - seconds % 60),
            ).fetchall()
        return [(row["kind"], row["reason"], row["n"]) for row in rows]

    def last_refused_at(self, account: str, kind: str) -> datetime | None:
        """The minute of the newest refusal of this kind; None = there never was one."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MAX(minute) AS at FROM refused WHERE account = ? AND kind = ?", (account, kind)
            ).fetchone()
        return at(row["at"])

    def refusals(self, account: str, since: datetime) -> dict[str, int]:
        """Deliveries refused in the minute of `since` and after, by kind (`signature`, `mode`, …)."""
        counted: dict[str, int] = {}
        for kind, _, count in self.refused_since(account, since):
            counted[kind] = counted.get(kind, 0) + count
        return counted


@lru_cache(maxsize=64)
def _verdict(text: str) -> str:
    return redact_text(text)


def _receive(db: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> Collection[tuple[str, str]]:
    """Insert or count again rows of different events; returns (account, event id) of the new ones."""
    newest = db.execute("SELECT COALESCE(MAX(id), 0) FROM inbox").fetchone()[0]
    for start in range(0, len(rows), _MOST_ROWS):
        part = rows[start : start + _MOST_ROWS]
        db.execute(_RECEIVE.format(", ".join([_ROW] * len(part))), list(chain.from_iterable(part)))
    new: Collection[tuple[str, str]] = {(row[0], row[1]) for row in rows}
    if db.execute("SELECT COUNT(*) FROM inbox WHERE id > ?", (newest,)).fetchone()[0] < len(rows):
        new = {
            (row["account"], row["event_id"])
            for row in db.execute("SELECT account, event_id FROM inbox WHERE id > ?", (newest,))
        }
    by_account: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        by_account[row[0]].append(row)
    for account, received in by_account.items():
        _count(
            db,
            account,
            sum((account, row[1]) in new for row in received),
            min(row[3] for row in received),
            max(row[-2] for row in received),
        )
    return new


def _count(
    db: sqlite3.Connection, account: str, new: int, first_created: int, last_received: int | None
) -> None:
    db.execute(
        "INSERT INTO inbox_totals (account, received, first_created_at, last_received_at)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET received = received + excluded.received,"
        " first_created_at = MIN(COALESCE(first_created_at, excluded.first_created_at),"
        " excluded.first_created_at),"
        " last_received_at = MAX(COALESCE(last_received_at, excluded.last_received_at),"
        " COALESCE(excluded.last_received_at, last_received_at))",
        (account, new, first_created, last_received),
    )
