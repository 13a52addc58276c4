"""Advancing every account's streams by what ended since, once a tick; states, place and notices in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from payops.clock import from_epoch, to_epoch
from payops.config import AccountSettings, Settings
from payops.detection import Stream, Turn, onset, threshold
from payops.domain.counting import Ended, Family, is_delayed
from payops.domain.feeds import SIGHT
from payops.store import Store
from payops.store.streams import Notice, StreamCursor, StreamRow

from .book import Book, Happened
from .tracked import Tracked

HISTORY = timedelta(days=35)
"""How far back is gone through when an account is counted for the first time."""
CHUNK = 10_000
"""So many attempts at most in one tick: a tick must not outlast the lease."""
LOOK_BACK = 2_000
NEAR_S = 900
"""Alarms of nested slices whose onsets are so close are one."""
READ_AHEAD_S = 1800
REASONS: tuple[Family, ...] = ("codes", "authentication")
"""Families that tell why acceptance fell."""
LEAST_PENDING_S = 900
RECOUNT = 500
"""How often the watched streams are counted anew while a history is gone through."""
EVERYWHERE = ""
"""The account of the stream over all accounts."""


class Watch:
    """The streams of all accounts, kept in memory between ticks; another process's work on them is noticed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._books: dict[str, Book] = {}
        self._everywhere: Tracked | None = None
        self._version: int | None = None
        self._recent: tuple[str, int, Sequence[Ended]] | None = None

    def advance(self, now: datetime) -> None:
        """Count what ended since the last time. Nothing is counted while a history is still being read."""
        try:
            with self._store.write():
                self._follow()
                for account in self._settings.accounts:
                    self._account(account, now)
                self._version = self._store.streams.version()
        except BaseException:
            # What is in memory may be ahead of what was kept.
            self._version = None
            raise

    def _follow(self) -> None:
        if self._version == self._store.streams.version():
            return
        rows: dict[str, list[StreamRow]] = {}
        for row in self._store.streams.rows():
            rows.setdefault(row.account, []).append(row)
        self._books = {}
        for account in self._settings.accounts:
            cursor = self._store.streams.cursor(account.name)
            usual = cursor.usual if cursor else "{}"
            self._books[account.name] = Book(
                account.name, account.provider, rows.get(account.name, ()), usual
            )
        everywhere = rows.get(EVERYWHERE)
        self._everywhere = Tracked.load(everywhere[0], None) if everywhere else None

    def _account(self, account: AccountSettings, now: datetime) -> None:
        streams = self._store.streams
        cursor = streams.cursor(account.name)
        if reading_history(self._store, account):
            if cursor is not None:
                streams.forget(account.name)
                self._books[account.name] = Book(account.name, account.provider)
            return
        if cursor is None:
            begin = to_epoch(now - min(HISTORY, timedelta(seconds=SIGHT[account.provider].whole_s)))
            cursor = StreamCursor(account.name, streams.newest_id(), replay_at=begin, replay_id=0)
        moved = self._replay(account, cursor) if cursor.replay_at is not None else cursor
        if moved.replay_at is None:
            moved = self._live(account, moved, now)
            moved = self._calls(account, moved)
        changed = [each for each in self._books[account.name].streams.values() if each.changed]
        if self._everywhere is not None and self._everywhere.changed:
            changed.append(self._everywhere)
        if changed or moved != cursor:
            usual = self._books[account.name].dump_usual()
            streams.save(replace(moved, usual=usual), [tracked.row() for tracked in changed])
            for tracked in changed:
                tracked.changed = False

    def _replay(self, account: AccountSettings, cursor: StreamCursor) -> StreamCursor:
        assert cursor.replay_at is not None
        assert cursor.replay_id is not None
        after = cursor.replay_at, cursor.replay_id
        found, late = self._store.streams.history(account.name, after, cursor.seen_id, CHUNK)
        for start in range(0, len(found), RECOUNT):
            cursor = self._enter(account, cursor, found[start : start + RECOUNT], live=False)
        cursor = self._enter(account, cursor, late, live=False)
        if len(found) < CHUNK:
            return replace(cursor, replay_at=None, replay_id=None)
        return replace(cursor, replay_at=found[-1].at, replay_id=found[-1].id)

    def _live(self, account: AccountSettings, cursor: StreamCursor, now: datetime) -> StreamCursor:
        streams = self._store.streams
        newest = streams.newest_id()
        ended = streams.ended_after(account.name, cursor.seen_id)
        told = streams.overdue(each.id for each in ended)
        fresh = [each for each in ended if each.id not in told]
        waiting, until = self._waiting_too_long(account, cursor, now)
        both = sorted([*fresh, *waiting], key=lambda each: (each.ended_at, each.id))
        cursor = self._enter(account, cursor, both, live=True)
        streams.mark_overdue(each.id for each in waiting)
        return replace(cursor, seen_id=newest, overdue_at=until)

    def _waiting_too_long(
        self, account: AccountSettings, cursor: StreamCursor, now: datetime
    ) -> tuple[list[Ended], int]:
        """Card-like attempts that are pending for longer than 99 % ever were: failed, as far as anybody can wait."""
        limit = self._books[account.name].longest_pending(LEAST_PENDING_S)
        until = to_epoch(now) - limit
        if cursor.overdue_at is None or not SIGHT[account.provider].all_declines:
            return [], until
        found = self._store.streams.pending(account.name, cursor.overdue_at, until)
        return [
            each._replace(
                status="failed", ended_at=each.at + limit, first=True, decline_code="pending_too_long"
            )
            for each in found
            if not is_delayed(each.method)
        ], max(until, cursor.overdue_at)

    def _enter(
        self, account: AccountSettings, cursor: StreamCursor, ended: Sequence[Ended], *, live: bool
    ) -> StreamCursor:
        """Feed these attempts, in the order of their ends."""
        book = self._books[account.name]
        self._recent = None
        watched = self._watched()
        newest = cursor.last_at or 0
        sees_all = SIGHT[account.provider].all_declines
        for attempt in ended:
            if attempt.first or not sees_all:
                book.volume.arrived(attempt.at)
            if sees_all:
                for happened in book.enter(attempt, newest, watched, self._is_known):
                    self._happened(book, happened, watched)
                self._everywhere_too(book, attempt, watched, live=live)
            newest = max(newest, attempt.ended_at)
        return replace(cursor, last_at=newest or None)

    def _is_known(self, attempt: Ended) -> bool:
        assert attempt.customer is not None
        return self._store.streams.seen_before(attempt.id, attempt.customer, attempt.at)

    def _everywhere_too(self, book: Book, attempt: Ended, watched: int, *, live: bool) -> None:
        """The stream over all accounts; what lies before the present only teaches it: histories overlap."""
        if sum(SIGHT[each.provider].all_declines for each in self._settings.accounts) < 2:
            return
        if self._everywhere is None:
            self._everywhere = Tracked(EVERYWHERE, "acceptance", (), Stream(None), attempt.ended_at)
        failed = book.in_stream(self._everywhere, attempt)
        if failed is None:
            return
        if not live:
            self._everywhere.learn(attempt.ended_at, failed)
            return
        turn = self._everywhere.feed(attempt.ended_at, failed, watched)
        if turn is Turn.ALARM:
            self._everywhere.alarm(attempt.ended_at, attempt.ended_at, 1, int(failed), 0.0)
        elif turn is Turn.RECOVERED:
            self._everywhere.over()

    def _watched(self) -> int:
        books = sum(book.watched for book in self._books.values())
        return max(1, books + (self._everywhere is not None and self._everywhere.watched))

    def _calls(self, account: AccountSettings, cursor: StreamCursor) -> StreamCursor:
        book, watched = self._books[account.name], self._watched()
        last = cursor.call_id
        for call_id, at, taken_ms in self._store.streams.answers_after(account.name, last):
            happened = book.call(at, taken_ms, watched)
            if happened is not None:
                self._happened(book, happened, watched)
            last = call_id
        return replace(cursor, call_id=last)

    def _happened(self, book: Book, happened: Happened, watched: int) -> None:
        tracked, at = happened.tracked, happened.at
        if happened.turn is Turn.RECOVERED:
            if tracked.alarmed_at is not None:  # else it ended with a wider one's, by the same payment
                self._recovered(book, tracked, at)
            return
        limit = threshold(tracked.per_day, watched)
        began, n, failed, expected, part_of = at, 0, 0, 0.0, None
        if happened.turn is Turn.ALARM:
            began, n, failed, expected = self._since_onset(book, tracked, at)
            part_of = self._root(book, tracked, began)
            tracked.alarm(at, began, n, failed, expected)
            if tracked.family != "calls":
                book.hold(began)
        self._store.streams.notice(
            Notice(
                tracked.account,
                tracked.family,
                tracked.slice,
                "alarm" if happened.turn is Turn.ALARM else "watch",
                from_epoch(at),
                from_epoch(began),
                n,
                failed,
                expected,
                tracked.stream.detector.evidence / limit if limit else 0.0,
                part_of,
            )
        )

    def _since_onset(self, book: Book, tracked: Tracked, at: int) -> tuple[int, int, int, float]:
        """When it most likely began, and the payments, failures and failures expected since then."""
        if tracked.family == "calls":
            return at, 1, 1, tracked.stream.expected or 0.0
        ended = self._recent_up_to(tracked.account, at)
        last = self._store.streams.last_notice(tracked.account, tracked.family, tracked.slice, "recovery")
        floor = to_epoch(last.at) if last else 0
        seen = [
            (each.ended_at, failed)
            for each in ended
            if each.ended_at >= floor and (failed := book.in_stream(tracked, each)) is not None
        ]
        if not seen:
            return at, 1, 1, tracked.stream.expected or 0.0
        usual = tracked.stream.expected or tracked.stream.bound or 0.0
        begins = onset([failed for _, failed in seen], [usual] * len(seen))
        since = seen[-1:] if begins is None else seen[begins:]
        return since[0][0], len(since), sum(failed for _, failed in since), usual * len(since)

    def _recent_up_to(self, account: str, at: int) -> Sequence[Ended]:
        """The last first attempts up to `at`. Alarms of nested slices come together: they are read once for all."""
        known = self._recent
        if known is None or known[0] != account or known[1] < at:
            ended = self._store.streams.recent(account, from_epoch(at + READ_AHEAD_S), LOOK_BACK + RECOUNT)
            self._recent = known = account, at + READ_AHEAD_S, ended
        return [each for each in known[2] if each.ended_at <= at][-LOOK_BACK:]

    def _root(self, book: Book, tracked: Tracked, began: int) -> int | None:
        """The alarm this one is a part of: one of a nested slice that began about as early."""
        for other in book.alarmed(tracked.family):
            nested = set(other.slice) <= set(tracked.slice) or set(tracked.slice) <= set(other.slice)
            if nested and other.onset_at is not None and abs(other.onset_at - began) <= NEAR_S:
                known = self._store.streams.last_notice(other.account, other.family, other.slice, "alarm")
                if known is not None:
                    return known.part_of or known.id
        return None

    def _recovered(self, book: Book, tracked: Tracked, at: int) -> None:
        """The alarm is over, and with it those of its parts; what was counted meanwhile teaches nobody."""
        self._note_recovery(tracked, at)
        parts = [each for each in book.alarmed(tracked.family) if set(tracked.slice) <= set(each.slice)]
        if tracked.family == "acceptance" and len(parts) == len(book.alarmed("acceptance")):
            # The codes of a drop that is over ran the same alarm; one that still surges begins its own.
            parts += [each for family in REASONS for each in book.alarmed(family)]
        for part in parts:
            part.stream.detector.reset()
            self._note_recovery(part, at)
        if tracked.family != "calls":
            book.release()

    def _note_recovery(self, tracked: Tracked, at: int) -> None:
        self._store.streams.notice(
            Notice(
                tracked.account,
                tracked.family,
                tracked.slice,
                "recovery",
                from_epoch(at),
                from_epoch(tracked.onset_at or at),
                tracked.since_n,
                tracked.since_failed,
                tracked.since_expected,
                0.0,
            )
        )
        tracked.over()


def reading_history(store: Store, account: AccountSettings) -> bool:
    """Half a history is no baseline: what is read first need not look like the rest."""
    state = store.facts.feed(account.name, SIGHT[account.provider].payments_feed)
    return state is not None and state.progress is not None and state.progress < 1.0
