"""Looking into the inbox: filters, pages, what the found is worth, and letting go of old bodies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, get_args

from payops.clock import to_epoch
from payops.domain.errors import UsageError
from payops.domain.event_types import PURCHASE_EVENTS
from payops.domain.events import InboxState
from payops.domain.forwarding import ForwardState
from payops.domain.gaps import worth
from payops.domain.money import Money, totals
from payops.text import did_you_mean, safe_line

from .inbox_rows import InboxRow, row_from
from .rows import EVENT_COLUMNS, at, event_from

if TYPE_CHECKING:
    from .store import Store

STATES: tuple[InboxState, ...] = get_args(InboxState)
FORWARD_STATES: tuple[ForwardState, ...] = get_args(ForwardState)
SEARCHED = 20_000
"""Text is looked for in the bodies of so many of the newest events: there is no index of words."""
RETAIN_BODIES = timedelta(days=30)
"""How long a redacted body is kept: as long as Stripe lists the event itself."""
PURGED_AT_ONCE = 10_000
"""Bodies one call lets go of: the rest waits for the next tick, the screen does not."""
_PURGED_TOGETHER = 500
_TIDIED = "bodies_purged_on"
_KINDS = tuple(kind for kinds in PURCHASE_EVENTS.values() for kind in kinds)


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What to find; None = whatever it is. `type` is a prefix, `since` and `until` bound the first receipt.

    `text` is looked for in the redacted bodies of the newest `SEARCHED` events, without regard to ASCII case.
    """

    account: str | None = None
    type: str | None = None
    state: InboxState | None = None
    since: datetime | None = None
    until: datetime | None = None
    object_id: str | None = None
    event_id: str | None = None
    forwarding: ForwardState | None = None
    """Only events that are so at an application behind a relay."""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class InboxFound:
    """All that a filter finds. The times are when the oldest and the newest event were created."""

    count: int
    oldest_at: datetime | None
    newest_at: datetime | None
    money: tuple[Money, ...]
    """What the paid purchases among them are worth, per currency, each once."""


def state_named(name: str) -> InboxState:
    """The state of that name; `UsageError` for any other word."""
    for known in STATES:
        if known == name:
            return known
    raise UsageError(f"no state {safe_line(name)!r}{did_you_mean(name, STATES)}; known: {', '.join(STATES)}")


def forward_state_named(name: str) -> ForwardState:
    """The state of a forwarding of that name; `UsageError` for any other word."""
    for known in FORWARD_STATES:
        if known == name:
            return known
    raise UsageError(
        f"no forwarding {safe_line(name)!r}{did_you_mean(name, FORWARD_STATES)}; known: {', '.join(FORWARD_STATES)}"
    )


class InboxSearch:
    _store: Store

    def search(self, wanted: InboxFilter, limit: int, before: int | None = None) -> list[InboxRow]:
        """One page of what the filter finds, newest receipt first. `before`: the `id` the last page ended with."""
        where, values = _where(wanted)
        if before is not None:
            where, values = f"{where} AND id < ?", [*values, before]
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT * FROM inbox WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
                (*values, limit),
            ).fetchall()
        return [row_from(row) for row in rows]

    def oldest_first(self, wanted: InboxFilter, limit: int) -> list[InboxRow]:
        """What the filter finds in the order of the objects' own time."""
        where, values = _where(wanted)
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT * FROM inbox WHERE {where} ORDER BY created_at, id LIMIT ?",  # noqa: S608
                (*values, limit),
            ).fetchall()
        return [row_from(row) for row in rows]

    def found(self, wanted: InboxFilter) -> InboxFound:
        """How much the filter finds on all pages, and what it is worth."""
        where, values = _where(wanted)
        with self._store.read() as db:
            counted = db.execute(
                "SELECT COUNT(*) AS n, MIN(created_at) AS oldest, MAX(created_at) AS newest"  # noqa: S608
                f" FROM inbox WHERE {where}",
                values,
            ).fetchone()
            marks = ", ".join("?" * len(_KINDS))
            money: list[Money] = []
            # A purchase is told by one type of event in each account, whatever type tells it in another.
            for known in db.execute("SELECT account FROM inbox_totals").fetchall():
                bought = db.execute(
                    f"SELECT {EVENT_COLUMNS} FROM inbox WHERE {where} AND account = ? AND type IN ({marks})",  # noqa: S608
                    (*values, known["account"], *_KINDS),
                )
                money += worth(event_from(row) for row in bought)
        return InboxFound(counted["n"], at(counted["oldest"]), at(counted["newest"]), totals(money))

    def rows(self, ids: list[int]) -> list[InboxRow]:
        """These rows, oldest object first; an id that is not there is left out."""
        with self._store.read() as db:
            found = [db.execute("SELECT * FROM inbox WHERE id = ?", (one,)).fetchone() for one in ids]
        rows = [row_from(row) for row in found if row is not None]
        return sorted(rows, key=lambda row: (row.event.created_at, row.id))

    def named(self, event_id: str, account: str | None = None) -> list[InboxRow]:
        """The event of that id in each account it reached."""
        return self.search(InboxFilter(account=account, event_id=event_id), 100)

    def purge_bodies(self, now: datetime, keep: timedelta = RETAIN_BODIES) -> int:
        """Let go of bodies received longer ago than `keep`, at most `PURGED_AT_ONCE`; returns how many.

        The row, its verdict and the sha256 of the raw bytes stay. What is still to be processed keeps its body.
        """
        until, purged = to_epoch(now - keep), 0
        while purged < PURGED_AT_ONCE:
            # Many short transactions: while one runs, no webhook can be stored.
            with self._store.write() as db:
                count = db.execute(
                    "UPDATE inbox SET body = '' WHERE id IN (SELECT id FROM inbox WHERE body <> ''"
                    " AND state IN ('processed', 'dead') AND received_at < ? LIMIT ?)",
                    (until, _PURGED_TOGETHER),
                ).rowcount
            purged += count
            if count < _PURGED_TOGETHER:
                break
        return purged

    def tidy(self, now: datetime) -> None:
        """`purge_bodies` once a day: cheap to call on every tick."""
        today = str(to_epoch(now) // 86400)
        if self._store.switches.meta_get(_TIDIED) == today:
            return
        if self.purge_bodies(now) < PURGED_AT_ONCE:
            self._store.switches.meta_set(_TIDIED, today)


def _where(wanted: InboxFilter) -> tuple[str, list[object]]:
    terms: list[str] = ["TRUE"]
    values: list[object] = []

    def add(term: str, *given: object) -> None:
        terms.append(term)
        values.extend(given)

    if wanted.account is not None:
        add("account = ?", wanted.account)
    if wanted.event_id is not None:
        # The account leads the only index of event ids.
        add("account IN (SELECT account FROM inbox_totals) AND event_id = ?", wanted.event_id)
    if wanted.type is not None:
        add("substr(type, 1, ?) = ?", len(wanted.type), wanted.type)
    if wanted.state == "processed":
        terms.append("state = 'processed'")
    elif wanted.state is not None:
        # What is not processed is little and has an index; in the order of ids all of the inbox would be read.
        add("id IN (SELECT id FROM inbox WHERE state <> 'processed' AND state = ?)", wanted.state)
    if wanted.forwarding is not None:
        # Spelt out for the index of what is open; what was taken is read in the order of its receipt.
        still = " AND state <> 'delivered'" if wanted.forwarding != "delivered" else ""
        add(
            f"(account, event_id) IN (SELECT account, event_id FROM forwards WHERE state = ?{still})",  # noqa: S608
            wanted.forwarding,
        )
    if wanted.since is not None:
        add("received_at >= ?", to_epoch(wanted.since))
    if wanted.until is not None:
        add("received_at <= ?", to_epoch(wanted.until))
    if wanted.object_id is not None:
        add(
            "id IN (SELECT id FROM inbox WHERE state = 'processed' AND object_id IS NOT NULL AND object_id = ?"
            " UNION ALL SELECT id FROM inbox WHERE state <> 'processed' AND object_id = ?)",
            wanted.object_id,
            wanted.object_id,
        )
    if wanted.text is not None:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        add(
            "id > (SELECT MAX(id) FROM inbox) - ? AND body LIKE ? ESCAPE '\\'",
            SEARCHED,
            f"%{escaped}%",
        )
    return " AND ".join(terms), values
