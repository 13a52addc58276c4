"""One rule test on stepped time: series in, the real rulebook, Level 1 and level machine, expectations out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from payops import escalation
from payops.domain.errors import PayopsError
from payops.domain.incidents import Incident
from payops.domain.payments import provider_named
from payops.domain.policy import parse_policy
from payops.escalation.conditions import due, values_of, waiting
from payops.expressions import format_duration
from payops.remedies import Runner
from payops.rulebook import Rule, RuleSet, Verdict, apply
from payops.rulebook.model import Expectation, Operator, Others, RuleTest
from payops.signals.schema import SignalSet
from payops.store import Store

from .commands import Hands, Request, carry_out
from .ruletest_time import patience, timers, waits_for_people
from .ruletest_world import START, World

STEP = timedelta(seconds=10)
"""The engine's step, kept while Level 1 is at work; otherwise only what is due is stepped to."""
MOST_STEPS = 20_000


@dataclass(slots=True)
class Seen:
    """What a test exercised, for coverage: remedies by id, escalation branches by place, and the two endings."""

    remedies: set[str] = field(default_factory=set)
    branches: set[tuple[int, int]] = field(default_factory=set)
    """(level, position among the rule's branches of that level)."""
    no_data: bool = False
    resolved: bool = False


@dataclass(slots=True)
class Outcome:
    """`why` is empty when every expectation held."""

    why: str = ""
    seen: Seen = field(default_factory=Seen)


def play(rule: Rule, test: RuleTest) -> Outcome:
    """Run one test. Anything a test author can put right is a failed test, never an exception."""
    outcome = Outcome()
    try:
        with Store.scratch(START) as store:
            outcome.why = _Run(rule, test, store, outcome).play()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        outcome.why = f"its labels make no account: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    except PayopsError as error:
        outcome.why = str(error)
    return outcome


class _Run:
    def __init__(self, rule: Rule, test: RuleTest, store: Store, outcome: Outcome) -> None:
        # A test runs the rule as if it were stable: a draft is to be tried before it acts.
        self._rule = Rule.model_validate({**_fields(rule), "status": "stable"})
        self._rules = RuleSet({rule.id: self._rule})
        self._test = test
        self._store = store
        self._seen = outcome.seen
        self._world = World(rule, test, store)
        self._runner = Runner(
            store,
            {self._world.account: self._world.provider},
            self._world.settings,
            self._world,
            self._world.secret,
        )
        self._operators = list(test.operators)
        self._others: list[tuple[Others, str | None]] = [(other, None) for other in test.others]
        self._verdict: Verdict | None = None
        self._mine: list[Incident] = []
        self._acted_at: datetime | None = None
        """When somebody last did something: the step after it is looked at whatever it was."""

    def play(self) -> str:
        """Why the first expectation in time was not met, empty when all were."""
        expected = sorted(self._test.expect, key=lambda each: each.at)
        end = START + expected[-1].at
        now, steps = START, 0
        while True:
            signals = self._tick(now)
            refused = self._operate(now, signals)
            if refused:
                return f"at {_clock(now)}: {refused}"
            while expected and START + expected[0].at <= now:
                why = self._judge(expected.pop(0), now)
                if why:
                    return f"at {_clock(now)}: {why}"
            steps += 1
            if not expected or now >= end:
                return ""
            if steps > MOST_STEPS:
                return f"more than {MOST_STEPS} steps: choose a longer `every`"
            now = self._next(now, START + expected[0].at)

    def _tick(self, now: datetime) -> SignalSet:
        troubled = self._incident is not None and self._incident.state != "resolved"
        signals = self._world.step(now, read=troubled)
        self._show_others(now)
        applied = apply(self._store, self._rules, signals, now, may_act=True)
        self._verdict = next((each for each in applied.verdicts if each.rule.id == self._rule.id), None)
        self._seen.resolved |= any(
            self._store.incidents.get(i).rule == self._rule.id for i in applied.resolved
        )
        escalation.keep_quiet(self._store, self._world.settings, now)
        self._runner.tick(signals, now, may_act=True)
        self._hand_over(signals, now)
        incident = self._incident
        if incident is not None:
            self._seen.remedies |= {a.remedy for a in self._store.incidents.attempts(incident.id)}
        return signals

    def _hand_over(self, signals: SignalSet, now: datetime) -> None:
        """Send handoffs, and remember which branch of the rule held when one went out."""
        before = self._look()
        escalation.tick(self._store, self._world.settings, signals, now)
        escalation.audit(self._store, self._world.settings, signals, now)
        after = self._look()
        if before is None or after is None or before.id != after.id or after.level == before.level:
            return
        policy = parse_policy(before.policy)
        attempts = self._store.incidents.attempts(before.id)
        handoffs = self._store.incidents.handoffs(before.id)[:-1]
        values = values_of(policy, before, attempts, handoffs, signals, now)
        for index, step in enumerate(policy.at_level(after.level)):
            if due(step, policy, values):
                self._seen.branches.add((after.level, index))
                return

    def _operate(self, now: datetime, signals: SignalSet) -> str:
        """Do what operators do by now; the refusal of an action fails the test."""
        for step in [step for step in self._operators if self._due_at(step) <= now]:
            self._operators.remove(step)
            self._acted_at = now
            incident = self._incident
            fields = {
                name: text
                for name in ("text", "question", "cause", "fixed", "reason")
                if (text := getattr(step, name))
            }
            if step.for_ is not None:
                fields["for"] = format_duration(step.for_)
            request = Request(step.do, incident.id if incident else None, fields, step.by, now, signals)
            result = carry_out(Hands(self._store, self._world.settings, self._runner), request)
            if not result.ok:
                return f"{step.by} {step.do}: {result.message}"
            self._look()
        return ""

    def _due_at(self, step: Operator) -> datetime:
        if step.at is not None:
            return START + step.at
        incident = self._incident
        if incident is None or step.after_opening is None:
            return datetime.max.replace(tzinfo=START.tzinfo)
        if step.do != "approve":
            return incident.opened_at + step.after_opening
        asked = self._store.incidents.approvals(incident.id)
        return (
            asked[-1].requested_at + step.after_opening
            if asked
            else datetime.max.replace(tzinfo=START.tzinfo)
        )

    def _show_others(self, now: datetime) -> None:
        """Open and close the inhibiting incidents the test speaks of."""
        for index, (other, incident_id) in enumerate(self._others):
            start, end = START + other.from_, START + other.until
            if incident_id is None and start <= now < end:
                self._others[index] = (other, self._open_other(other, now))
            elif incident_id is not None and now >= end:
                incident = self._store.incidents.get(incident_id)
                if incident.state != "resolved":
                    self._store.incidents.change(
                        incident,
                        now,
                        who="test",
                        entry="over",
                        kind="resolved",
                        state="resolved",
                        resolved_at=now,
                        ended_as="self_healed",
                        next_action_at=None,
                    )

    def _open_other(self, other: Others, now: datetime) -> str:
        # Without a frozen rule nothing judges it, fixes it or hands it over: it only stands there.
        labels = self._test.labels
        draft = Incident(
            id="",
            version=0,
            rule=other.rule,
            challenge="platform",
            provider=provider_named(labels["provider"]),
            account=labels["account"],
            mode=labels["mode"],
            title=other.rule,
            severity="sev2",
            state="open",
            level=1,
            dedup_key=f"test:{other.rule}:{now.isoformat()}",
            labels=dict(labels),
            opened_at=now,
            updated_at=now,
        )
        opened = self._store.incidents.open(draft, "opened by the test", now)
        return opened.id if opened else ""

    def _look(self) -> Incident | None:
        """Read the rule's incidents again; the newest one."""
        self._mine = [each for each in self._store.incidents.listing() if each.rule == self._rule.id]
        return self._incident

    @property
    def _incident(self) -> Incident | None:
        """The newest incident of the rule, as last read."""
        return self._mine[0] if self._mine else None

    def _next(self, now: datetime, expected: datetime) -> datetime:
        series = self._world.series
        states = self._store.rules.states(self._rule.id).values()
        times = [expected, *timers(self._rule, states, self._incident)]
        jumped = self._jumped(now)
        if jumped is None:
            times.append(series.next_sample(now))
        else:
            times += jumped
        times += [self._due_at(step) for step in self._operators]
        times += [START + at for each in self._test.maintenance for at in (each.from_, each.until)]
        times += [START + at for other, _ in self._others for at in (other.from_, other.until)]
        if self._at_work(now):
            times.append(now + STEP)
        return min((at for at in times if at > now), default=now + STEP)

    def _jumped(self, now: datetime) -> list[datetime] | None:
        """The samples to look at while nothing is open, or people are waited for; None where each one counts."""
        if self._acted_at == now:
            return None
        incident, verdict, series = self._incident, self._verdict, self._world.series
        change = series.next_change(now)
        times = [change] if change is not None else []
        if incident is not None and incident.state != "resolved":
            attempts = self._store.incidents.attempts(incident.id)
            if not waits_for_people(incident, attempts):
                return None
            for at in patience(self._rule, incident, attempts):
                times += series.samples_from(at)
            return times
        # A condition that holds without opening anything may open it as soon as something else ends.
        quiet = verdict is None or verdict.outcome in ("clear", "unknown", "pending")
        return times if quiet else None

    def _at_work(self, now: datetime) -> bool:
        """Level 1 has something to do at the next step."""
        incident = self._incident
        if incident is None or incident.state == "resolved":
            return False
        attempts = self._store.incidents.attempts(incident.id)
        if any(attempt.phase == "applying" for attempt in attempts):
            return True
        if incident.is_quiet(now):
            return False
        verifying = any(attempt.phase == "verifying" for attempt in attempts)
        return not verifying and not waiting(incident) and incident.l1_exhausted_at is None

    def _judge(self, expected: Expectation, now: datetime) -> str:
        if self._verdict is not None and self._verdict.no_data:
            self._seen.no_data = True
        incident = self._incident
        handoffs = self._store.incidents.handoffs(incident.id) if incident else []
        found: dict[str, object] = {
            "severity": incident.severity if incident else None,
            "level": incident.level if incident else None,
            "ended_as": incident.ended_as if incident else None,
            "attempts": len(self._store.incidents.attempts(incident.id)) if incident else 0,
            "incidents": len(self._mine),
        }
        states = self._states(incident, now)
        if expected.state is not None and expected.state not in states:
            return (
                f"state is {' and '.join(states)}, expected {expected.state}{_story(self._store, incident)}"
            )
        if expected.handoff_to is not None and expected.handoff_to not in [each.to for each in handoffs]:
            to = ", ".join(each.to for each in handoffs) or "nobody"
            return f"handed to {to}, expected {expected.handoff_to}{_story(self._store, incident)}"
        for name, value in found.items():
            wanted = getattr(expected, name)
            if wanted is not None and wanted != value:
                return f"{name} is {value}, expected {wanted}{_story(self._store, incident)}"
        return ""

    def _states(self, incident: Incident | None, now: datetime) -> list[str]:
        """Every word that is true now: `open` and `no_data` may hold together."""
        verdict = self._verdict
        words: list[str] = [] if incident is None else [incident.state]
        if verdict is not None and verdict.outcome in ("pending", "inhibited"):
            words.append(verdict.outcome)
        if incident is not None and incident.state != "resolved" and incident.is_quiet(now):
            words.append("silenced")
        if verdict is None or verdict.no_data:
            words.append("no_data")
        if not words or words == ["resolved"]:
            words.append("clear")
        return words


def _fields(rule: Rule) -> dict[str, object]:
    return {info.alias or name: getattr(rule, name) for name, info in Rule.model_fields.items()}


def _clock(now: datetime) -> str:
    return format_duration(now - START)


def _story(store: Store, incident: Incident | None) -> str:
    """The last thing that happened, so that a failed test explains itself."""
    if incident is None:
        return ""
    entries = store.incidents.timeline(incident.id)
    return f" (last: {entries[-1].text[:160]})" if entries else ""
