"""Import: an application's own inbox, read and never written, from a JSONL file that grows or a view of its SQLite file.

Fields: `event_id` and `received_at` always; `type` and `processed_at` where the application has them (`processed_at`
null = not processed yet). Times are ISO 8601 (naive = UTC) or epoch seconds. Any other field is refused by name. A
later line of the same event says what has become of it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from payops.clock import from_epoch
from payops.config import EndpointSettings, JsonLines, Settings, SqlView
from payops.domain.errors import UsageError
from payops.domain.imports import ImportedEvent, ImportedPage
from payops.store import Store
from payops.store.foreign import PAGE, read_view
from payops.store.redaction import redact_text
from payops.text import did_you_mean, safe_line

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
REQUIRED = ("event_id", "received_at")
FIELDS = (*REQUIRED, "type", "processed_at")
SHOWN = 5
"""So many wrong lines of one reading are named; all are counted."""
_PAGE_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
_HEAD = 1024
_PAGES = 25
_WAITING = 1000
_OVERLAP = timedelta(minutes=10)
"""A row may be committed later than its time says."""
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[\x21-\x7e]{1,255}")


class Wrong(ValueError):
    """What is wrong with one line or row, as a phrase."""


def import_inboxes(store: Store, settings: Settings, now: datetime) -> None:
    """Read every application's inbox of the configuration that is due. Cheap to call on every tick; never raises for
    what is wrong with a source: that is kept with its state."""
    for account in settings.accounts:
        for endpoint in account.endpoints:
            if endpoint.topology == "import":
                _import_due(store, settings, account.name, endpoint, now)


def problem_of(settings: Settings, endpoint: EndpointSettings, now: datetime) -> str | None:
    """What is wrong with the source of an import, looked at from its beginning; None when it can be read."""
    try:
        page = _page(settings, endpoint, "", [], now)
    except UsageError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return page.wrong[0] if page.wrong else None


def _import_due(
    store: Store, settings: Settings, account: str, endpoint: EndpointSettings, now: datetime
) -> None:
    source = endpoint.source or ""
    known = store.applications.state(account, endpoint.name)
    if known is not None and known.source != source:
        store.applications.forget(account, endpoint.name)
        known = None
    if known is not None and now - known.tried_at < EVERY:
        return
    try:
        for _ in range(_PAGES):
            cursor = "" if known is None else known.cursor
            page = _read(store, settings, account, endpoint, cursor, now)
            store.applications.apply(account, endpoint.name, source, page, now)
            for each in page.wrong:
                log.warning("%s %s: %s", account, endpoint.name, each)
            if not page.more:
                return
            known = store.applications.state(account, endpoint.name)
    except (UsageError, OSError) as error:
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        log.warning("%s %s: its inbox was not read: %s", account, endpoint.name, said)
        store.applications.failed(account, endpoint.name, source, said, now)


def _read(
    store: Store, settings: Settings, account: str, endpoint: EndpointSettings, cursor: str, now: datetime
) -> ImportedPage:
    view = isinstance(endpoint.inbox_source, SqlView)
    waiting = store.applications.waiting_ids(account, endpoint.name, _WAITING) if view else []
    return _page(settings, endpoint, cursor, waiting, now)


def _page(
    settings: Settings, endpoint: EndpointSettings, cursor: str, waiting: Sequence[str], now: datetime
) -> ImportedPage:
    match endpoint.inbox_source:
        case JsonLines(path):
            return read_lines(settings.base / path, cursor, now)
        case SqlView(path, view):
            return read_sql(settings.base / path, view, cursor, waiting, now)
        case None:
            raise UsageError("an import endpoint without a source")


# A JSONL file


@dataclass(slots=True)
class _Place:
    """How far a file was read. `head` tells whether it is still the same file; `told`: it tells what is processed."""

    offset: int = 0
    line: int = 0
    head: str = ""
    told: bool = False


def read_lines(path: Path, cursor: str, now: datetime) -> ImportedPage:
    """The next whole lines of a file that only grows; a file that was replaced is read from its start."""
    place = _Place(**json.loads(cursor)) if cursor else _Place()
    with path.open("rb") as file:
        start = file.read(_HEAD)
        size = file.seek(0, 2)
        anew = bool(cursor) and (size < place.offset or not _same(start, place))
        if anew:
            place = _Place()
        file.seek(place.offset)
        data = file.read(_PAGE_BYTES)
    whole = data[: data.rfind(b"\n") + 1]
    if not whole and len(data) == _PAGE_BYTES:
        raise UsageError(f"{path}:{place.line + 1}: longer than {_PAGE_BYTES >> 20} MiB: it is no JSONL file")
    events: list[ImportedEvent] = []
    wrong: list[str] = []
    told = place.told
    lines = whole.split(b"\n")[:-1]
    for number, line in enumerate(lines, start=place.line + 1):
        if not line.strip():
            continue
        try:
            entry = _entry(line)
            events.append(_event(entry, now))
            told = told or "processed_at" in entry
        except Wrong as error:
            wrong.append(f"{path}:{number}: {error}")
    end = place.offset + len(whole)
    following = _Place(end, place.line + len(lines), _digest(start[: min(end, _HEAD)]), told)
    return ImportedPage(
        tuple(events),
        json.dumps({"offset": end, "line": following.line, "head": following.head, "told": following.told}),
        more=len(data) == _PAGE_BYTES,
        tells_processed=told,
        anew=anew,
        wrong=tuple(wrong[:SHOWN]),
        wrong_count=len(wrong),
    )


def _same(start: bytes, place: _Place) -> bool:
    return _digest(start[: min(place.offset, _HEAD)]) == place.head


def _digest(start: bytes) -> str:
    return sha256(start).hexdigest()


def _entry(line: bytes) -> Mapping[str, object]:
    if len(line) > _LONGEST_LINE:
        raise Wrong(f"longer than {_LONGEST_LINE >> 10} KiB")
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise Wrong("not JSON") from None
    if not isinstance(entry, dict):
        raise Wrong("not a JSON object")
    check_fields(tuple(entry))
    return entry


# A view of a SQLite file


def read_sql(path: Path, view: str, cursor: str, waiting: Sequence[str], now: datetime) -> ImportedPage:
    """What came since, with an overlap, and what became of those that waited."""
    after = json.loads(cursor)["after"] if cursor else None
    where = f"{path}: view {view}"

    def check(columns: tuple[str, ...]) -> None:
        try:
            check_fields(columns)
        except Wrong as error:
            raise UsageError(f"{where}: {error}") from None

    rows = read_view(path, view, check, after, waiting)
    events: list[ImportedEvent] = []
    wrong: list[str] = []
    places: list[tuple[datetime, object]] = []
    for number, row in enumerate((*rows.newer, *rows.again), start=1):
        try:
            event = _event(row, now)
        except Wrong as error:
            wrong.append(f"{where}: {safe_line(row.get('event_id'), limit=60)!r}: {error}")
            continue
        events.append(event)
        if number <= len(rows.newer):
            places.append((event.received_at, row["received_at"]))
    more = len(rows.newer) == PAGE
    reached = _reached(places, after, more=more)
    if more and reached == after:
        raise UsageError(f"{where}: more than {PAGE:,} rows of one received_at: it cannot be read in parts")
    return ImportedPage(
        tuple(events),
        json.dumps({"after": reached}),
        more=more,
        tells_processed="processed_at" in rows.columns,
        # What is read again is wrong again: only the last reading counts.
        anew=True,
        wrong=tuple(wrong[:SHOWN]),
        wrong_count=len(wrong),
    )


def _reached(places: Sequence[tuple[datetime, object]], after: object, *, more: bool) -> object:
    """From where to read on: the last row while there is more, else far enough back to see what comes late."""
    if not places:
        return after
    if more:
        return places[-1][1]
    late = max(at for at, _ in places) - _OVERLAP
    return next((raw for at, raw in reversed(places) if at <= late), after)


# Both


def check_fields(names: Sequence[str]) -> None:
    """Refuse what is missing and what nobody knows."""
    for name in names:
        if name not in FIELDS:
            raise Wrong(
                f"unknown field {safe_line(name, limit=40)!r}{did_you_mean(name, FIELDS)}; known: {', '.join(FIELDS)}"
            )
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise Wrong(f"{missing[0]} is missing")


def _event(entry: Mapping[str, Any], now: datetime) -> ImportedEvent:
    event_id, type_ = entry["event_id"], entry.get("type")
    if not isinstance(event_id, str) or not _ID.fullmatch(event_id):
        raise Wrong("event_id must be 1 to 255 visible ASCII characters")
    if redact_text(event_id) != event_id:
        raise Wrong("event_id looks like card data or a secret")
    if type_ is not None and (not isinstance(type_, str) or not _ID.fullmatch(type_)):
        raise Wrong("type must be a word")
    received_at = _time("received_at", entry["received_at"], now)
    processed = entry.get("processed_at")
    return ImportedEvent(
        event_id,
        None if type_ is None else redact_text(type_),
        received_at,
        None if processed is None else _time("processed_at", processed, now),
    )


def _time(name: str, given: object, now: datetime) -> datetime:
    at: datetime | None = None
    try:
        if isinstance(given, str):
            at = datetime.fromisoformat(given)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        elif isinstance(given, int | float) and not isinstance(given, bool):
            at = from_epoch(given)
    except (ValueError, OverflowError, OSError):
        at = None
    if at is None:
        raise Wrong(f"{name} must be ISO 8601 or epoch seconds, got {safe_line(given, limit=40)!r}")
    if not _EARLIEST <= at <= now + timedelta(days=1):
        raise Wrong(f"{name} is {safe_line(given, limit=40)!r}: not a time of this inbox")
    return at
