"""The protocol's scorecard: how incidents ended, against 70 / 80 / < 2 %, with intervals since n is small.

Every figure names the incidents it counts, so that it can be traced to rows. payops's own health is in no share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from payops.clock import iso
from payops.domain.incidents import CHALLENGES, ENDINGS, FixAttempt, Handoff, Incident
from payops.domain.money import Money, totals
from payops.domain.policy import parse_policy
from payops.signals.impact import impact
from payops.signals.interval import wilson
from payops.store import Store

FIXED = frozenset({"fixed_by_payops", "fixed_by_operator"})
BY_PEOPLE = frozenset({"level_2", "level_3", "level_4"})
PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, with its 95 % Wilson interval (None when `of` is 0), and which incidents were counted."""

    name: str
    meaning: str
    count: int
    of: int
    ids: tuple[str, ...]
    target: float | None = None
    at_most: bool = False
    """The target is a ceiling, not a floor."""

    @property
    def share(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.of, self.count) if self.of else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met by the share as it is; None without a target or a case."""
        if self.target is None or self.share is None:
            return None
        return self.share < self.target if self.at_most else self.share >= self.target


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from opening: the median and the 90th percentile by nearest rank, None without a case."""

    n: int
    p50_s: int | None
    p90_s: int | None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule: how often it opened, and how often rightly (`precision`: not a false alarm, of the closed ones)."""

    rule: str
    challenge: str
    opened: int
    precision: Share
    level1: Share
    endings: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class RemedyLine:
    """One remedy: how often it was tried and how often that was verified."""

    remedy: str
    verified: Share
    median_s: int | None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The protocol over incidents opened in [since, until)."""

    since: datetime
    until: datetime
    at: datetime
    incidents: int
    unfinished: tuple[str, ...]
    false_alarms: tuple[str, ...]
    platform: int
    shares: tuple[Share, ...]
    challenges: tuple[Share, ...]
    levels: tuple[tuple[int, int], ...]
    endings: tuple[tuple[str, int], ...]
    time_to_acknowledge: Times
    time_to_resolve: Times
    rules: tuple[RuleLine, ...]
    remedies: tuple[RemedyLine, ...]
    at_risk: tuple[Money, ...]
    recovered: tuple[Money, ...]
    rows: tuple[Incident, ...]

    def share(self, name: str) -> Share:
        return next(each for each in self.shares if each.name == name)


def scorecard(store: Store, since: datetime, until: datetime, now: datetime) -> Scorecard:
    """Count it, from the store alone."""
    with store.read():
        found = store.incidents.opened_between(since, until)
        counted = [each for each in found if each.challenge != PLATFORM]
        attempts = {each.id: store.incidents.attempts(each.id) for each in counted}
        handoffs = [handoff for each in counted for handoff in store.incidents.handoffs(each.id)]
        taken = {each.id: store.incidents.first_taken_at(each.id) for each in counted}
        harm = [(each, impact(store, each, now).money) for each in counted]
    real = [each for each in counted if each.ended_as not in (None, "false_alarm")]
    return Scorecard(
        since=since,
        until=until,
        at=now,
        incidents=len(counted),
        unfinished=_ids(each for each in counted if each.ended_as is None),
        false_alarms=_ids(each for each in counted if each.ended_as == "false_alarm"),
        platform=len(found) - len(counted),
        shares=_shares(counted, real, handoffs),
        challenges=tuple(
            _level1(challenge, [each for each in real if each.challenge == challenge])
            for challenge in CHALLENGES
            if challenge != PLATFORM
        ),
        levels=tuple((level, sum(each.level == level for each in counted)) for level in (1, 2, 3, 4)),
        endings=tuple((ending, sum(each.ended_as == ending for each in counted)) for ending in ENDINGS),
        time_to_acknowledge=_times(
            at - each.opened_at for each in counted if (at := taken[each.id]) is not None
        ),
        time_to_resolve=_times(
            each.resolved_at - each.opened_at for each in real if each.resolved_at is not None
        ),
        rules=_rules(counted, real),
        remedies=_remedies(attempts.values()),
        at_risk=totals(money for _, found in harm for money in found),
        recovered=totals(money for each, found in harm if each.ended_as in FIXED for money in found),
        rows=tuple(counted),
    )


def document(card: Scorecard) -> dict[str, Any]:
    """The scorecard as plain values; shares 0..1, times in seconds, null for what is not known."""
    return {
        "at": iso(card.at),
        "since": iso(card.since),
        "until": iso(card.until),
        "incidents": card.incidents,
        "unfinished": list(card.unfinished),
        "false_alarms": list(card.false_alarms),
        "platform": card.platform,
        "shares": [_share(each) for each in card.shares],
        "challenges": [_share(each) for each in card.challenges],
        "levels": {str(level): n for level, n in card.levels},
        "outcomes": {**dict(card.endings), "unfinished": len(card.unfinished)},
        "mtta": _span(card.time_to_acknowledge),
        "mttr": _span(card.time_to_resolve),
        "rules": [
            {
                "rule": line.rule,
                "challenge": line.challenge,
                "opened": line.opened,
                "precision": _share(line.precision),
                "level1": _share(line.level1),
                "outcomes": dict(line.endings),
            }
            for line in card.rules
        ],
        "remedies": [
            {"remedy": line.remedy, "verified": _share(line.verified), "median_s": line.median_s}
            for line in card.remedies
        ],
        "at_risk": [{"currency": m.currency, "amount_minor": m.amount_minor} for m in card.at_risk],
        "recovered": [{"currency": m.currency, "amount_minor": m.amount_minor} for m in card.recovered],
    }


def _shares(
    counted: Sequence[Incident], real: Sequence[Incident], handoffs: Sequence[Handoff]
) -> tuple[Share, ...]:
    """Level 1 of all real incidents first; a self-heal is never a Level 1 success."""
    fixable = [each for each in real if _has_known_fix(each)]
    people = [each for each in real if each.ended_as in BY_PEOPLE]
    up = [each for each in handoffs if each.level >= 3 and each.cause != "down"]
    silent = [each for each in up if each.cause == "silence"]
    return (
        _of(
            "level1",
            "fixed at Level 1, of all real incidents",
            [each for each in real if each.ended_as in FIXED],
            real,
            target=0.70,
        ),
        _of(
            "level1_known_fix",
            "fixed at Level 1, of those whose rule has a fix",
            [each for each in fixable if each.ended_as in FIXED],
            fixable,
        ),
        _of(
            "self_healed",
            "healed by themselves, of all real incidents",
            [each for each in real if each.ended_as == "self_healed"],
            real,
        ),
        _of(
            "level2",
            "fixed at Level 2, of those that people ended above Level 1",
            [each for each in people if each.ended_as == "level_2"],
            people,
            target=0.80,
        ),
        _of(
            "level4",
            "reached Level 4, of all incidents",
            [each for each in counted if each.level == 4],
            counted,
            target=0.02,
            at_most=True,
        ),
        Share(
            "by_silence",
            "handoffs to Level 3 and 4 because nobody accepted, of all such handoffs",
            len(silent),
            len(up),
            tuple(dict.fromkeys(each.incident_id for each in silent)),
        ),
    )


def _of(
    name: str,
    meaning: str,
    chosen: Sequence[Incident],
    among: Sequence[Incident],
    target: float | None = None,
    *,
    at_most: bool = False,
) -> Share:
    return Share(name, meaning, len(chosen), len(among), _ids(chosen), target, at_most)


def _level1(name: str, real: Sequence[Incident]) -> Share:
    return _of(name, f"{name}: fixed at Level 1", [each for each in real if each.ended_as in FIXED], real)


def _has_known_fix(incident: Incident) -> bool:
    return any(remedy.effect != "read" for remedy in parse_policy(incident.policy).remedies)


def _ids(incidents: Iterable[Incident]) -> tuple[str, ...]:
    return tuple(each.id for each in incidents)


def _times(spans: Iterable[timedelta]) -> Times:
    found = sorted(int(span.total_seconds()) for span in spans)
    return Times(len(found), _rank(found, 0.5), _rank(found, 0.9))


def _rank(found: Sequence[int], share: float) -> int | None:
    return found[max(0, math.ceil(share * len(found)) - 1)] if found else None


def _rules(counted: Sequence[Incident], real: Sequence[Incident]) -> tuple[RuleLine, ...]:
    lines = []
    for rule in sorted({each.rule for each in counted}):
        mine = [each for each in counted if each.rule == rule]
        closed = [each for each in mine if each.ended_as is not None]
        right = [each for each in closed if each.ended_as != "false_alarm"]
        lines.append(
            RuleLine(
                rule,
                mine[0].challenge,
                len(mine),
                _of("precision", "no false alarm, of the closed ones", right, closed),
                _level1("level1", [each for each in real if each.rule == rule]),
                tuple((ending, n) for ending in ENDINGS if (n := sum(e.ended_as == ending for e in mine))),
            )
        )
    return tuple(lines)


def _remedies(attempts: Iterable[Sequence[FixAttempt]]) -> tuple[RemedyLine, ...]:
    made = [each for found in attempts for each in found if each.effect != "read" and each.phase == "done"]
    lines = []
    for remedy in sorted({each.remedy for each in made}):
        mine = [each for each in made if each.remedy == remedy]
        good = [each for each in mine if each.verified]
        spans = [each.ended_at - each.started_at for each in good if each.ended_at]
        verified = Share(
            "verified",
            "verified, of the finished attempts",
            len(good),
            len(mine),
            tuple(dict.fromkeys(each.incident_id for each in good)),
        )
        lines.append(RemedyLine(remedy, verified, _times(spans).p50_s))
    return tuple(lines)


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    return {
        "name": share.name,
        "count": share.count,
        "of": share.of,
        "share": share.share,
        "low": low,
        "high": high,
        "target": share.target,
        "at_most": share.at_most,
        "met": share.met,
        "ids": list(share.ids),
    }


def _span(times: Times) -> dict[str, Any]:
    return {"n": times.n, "p50_s": times.p50_s, "p90_s": times.p90_s}
