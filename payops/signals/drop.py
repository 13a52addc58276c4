"""What an alarm is made of: since when, how many more failed than expected, where, with which codes, what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.clock import from_epoch
from payops.detection import AtRisk, CodeExcess, Located, Seen, onset, ranked_codes, scan, slices_of
from payops.domain.counting import Ended, Family, entries
from payops.domain.money import Money
from payops.domain.payments import Provider
from payops.store import Store
from payops.store.streams import Notice, Slice

from .standing import MOST, Standing, standing

COLUMNS = ("card_brand", "country", "currency", "method")
FAMILIES: dict[str, Family] = {"success": "acceptance", "declines": "codes", "testing": "testing"}
"""The signals that speak of failures, and whose alarm is behind each."""
MOST_READ = 2_000
DAYS = 30.0
NEAR = timedelta(minutes=15)
A_TICK = timedelta(minutes=1)
"""An incident is opened by the tick that counted the payment; its alarm lies a little before it, or after."""
PER_HOUR = DAYS * 24


@dataclass(frozen=True, slots=True)
class Lost:
    """Money not collected in one currency, minor units, beyond what is usual and without what was paid later."""

    currency: str
    lost_minor: int
    se_minor: int
    per_hour_minor: int | None
    paid_later_minor: int

    @property
    def money(self) -> Money:
        return Money(self.lost_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Drop:
    """First attempts in [since, until] of an account, and what stands out among them.

    `years`: by chance alone this evidence comes less than once in so many, given the learned baselines; `expected`
    is how many failures were. `whole` is False where only the newest attempts were read.
    """

    since: datetime
    until: datetime
    n: int
    failed: int
    expected: float
    years: float
    customers: int
    located: Located | None
    codes: tuple[CodeExcess, ...]
    lost: tuple[Lost, ...]
    whole: bool

    @property
    def extra(self) -> int:
        """Failures beyond the expected."""
        return max(0, round(self.failed - self.expected))

    @property
    def slice(self) -> Slice:
        """The slice that explains the rise best; empty for all of them."""
        return self.located.best.slice if self.located else ()


def drop(
    store: Store,
    account: str,
    provider: Provider,
    opened_at: datetime,
    until: datetime,
    family: Family = "acceptance",
) -> Drop | None:
    """The drop that ran when an incident was opened, as it looks at `until`; None where no alarm is known."""
    alarms = [
        notice
        for notice in store.streams.notices(account, opened_at - timedelta(days=1), family)
        if notice.what == "alarm" and notice.at <= opened_at + A_TICK
    ]
    if not alarms:
        return None
    last = next((each for each in reversed(alarms) if each.part_of is None), alarms[-1])
    parts = [each for each in alarms if last.id in (each.id, each.part_of)]
    ended = store.streams.recent(account, until, MOST_READ)
    now = standing(store, account, "acceptance")
    usual = now.whole.expected if now.whole and now.whole.expected is not None else 0.0
    known = [(each, failed) for each in ended if (failed := _failed(provider, each)) is not None]
    since = _since(last, known, usual)
    counted = [(each, failed) for each, failed in known if from_epoch(each.ended_at) >= since]
    located = scan(_seen(counted, now, usual))
    return Drop(
        since=since,
        until=until,
        n=len(counted),
        failed=sum(failed for _, failed in counted),
        expected=usual * len(counted),
        years=_years(parts, standing(store, account, family)),
        customers=len({each.customer for each, failed in counted if failed and each.customer}),
        located=located,
        codes=_codes(store, account, counted, usual * len(counted)),
        lost=_lost(store, account, counted, now, located.best.slice if located else (), usual, since, until),
        whole=len(ended) < MOST_READ or len(counted) < len(known),
    )


def _since(alarm: Notice, known: Sequence[tuple[Ended, bool]], usual: float) -> datetime:
    """The most likely onset by all that was seen since: the alarm itself knew only a few payments."""
    near = [
        (each.ended_at, failed)
        for each, failed in known
        if from_epoch(each.ended_at) >= alarm.onset_at - NEAR and _inside(alarm.slice, each)
    ]
    if alarm.family != "acceptance" or not usual or not near:
        return alarm.onset_at
    index = onset([failed for _, failed in near], [usual] * len(near))
    return alarm.onset_at if index is None else from_epoch(near[index][0])


def _inside(slice_: Slice, attempt: Ended) -> bool:
    return set(slice_) <= set(_values(attempt).items())


def _failed(provider: Provider, attempt: Ended) -> bool | None:
    """Whether it failed, as acceptance counts it; None where that does not count it."""
    return next(
        (each.failed for each in entries(provider, attempt, small=False) if each.family == "acceptance"), None
    )


def _values(attempt: Ended) -> dict[str, str]:
    return {column: value for column in COLUMNS if (value := getattr(attempt, column))}


def _seen(counted: Sequence[tuple[Ended, bool]], now: Standing, usual: float) -> list[Seen]:
    """For the scan. A column in which all agree says nothing, and would only make a second name for every slice."""
    found = [_values(attempt) for attempt, _ in counted]
    telling = {column for column in COLUMNS if len({values.get(column) for values in found}) > 1}
    shares = {row.slice: row.expected for row in now.rows if row.expected is not None}
    seen = []
    for (_, failed), values in zip(counted, found, strict=True):
        slices = slices_of({column: value for column, value in values.items() if column in telling})
        seen.append(Seen(slices, failed, tuple(shares.get(each, usual) for each in slices)))
    return seen


def _years(parts: Sequence[Notice], now: Standing) -> float:
    running = now.evidence if now.alarm is not None and now.evidence else 0.0
    return min(MOST, max(running, *(each.evidence for each in parts))) * DAYS / 365.25


def _codes(
    store: Store, account: str, counted: Sequence[tuple[Ended, bool]], expected: float
) -> tuple[CodeExcess, ...]:
    observed = Counter(each.decline_code or "unknown" for each, failed in counted if failed)
    usual = {
        row.slice[0][1]: round((row.expected or 0.0) * row.n)
        for row in standing(store, account, "codes").rows
    }
    return tuple(ranked_codes(observed, usual, expected)) if observed else ()


def _lost(
    store: Store,
    account: str,
    counted: Sequence[tuple[Ended, bool]],
    now: Standing,
    slice_: Slice,
    usual: float,
    since: datetime,
    until: datetime,
) -> tuple[Lost, ...]:
    """Per currency, of the slice to blame; what is usual there is its own."""
    own = next((row for row in now.rows if row.slice == slice_), None)
    share = own.expected if own is not None and own.expected is not None else usual
    paid = store.streams.paid_later(account, since, until)
    sums: dict[str, AtRisk] = {}
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    inside = [(each, failed) for each, failed in counted if _inside(slice_, each)]
    for attempt, failed in inside:
        if attempt.amount_minor is None or not attempt.currency:
            continue
        currency = attempt.currency.upper()
        risk = sums.setdefault(currency, AtRisk())
        risk.add(attempt.amount_minor, failed, share)
        counts[currency] += 1
        failures[currency] += failed
        if attempt.id in paid:
            risk.paid_later(attempt.amount_minor)
    hourly = own.per_30_days / PER_HOUR if own is not None else 0.0
    found = []
    for currency, risk in sorted(sums.items()):
        rate = None
        if hourly:
            n = counts[currency]
            rate = risk.per_hour_minor(hourly * n / len(inside), failures[currency] / n, share)
        found.append(Lost(currency, max(0, risk.lost_minor), risk.se_minor, rate, risk.paid_later_minor))
    return tuple(each for each in found if each.lost_minor or each.paid_later_minor)
