"""One write for each of several objects: planned from what the provider says now, made once, read back by id.

What a remedy of this kind knows of itself is a `Move`; everything that keeps money from moving twice is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from payops.domain.errors import NotPossible, ProviderError
from payops.domain.events import Facts
from payops.domain.incidents import Outcome
from payops.domain.money import Money, totals
from payops.domain.plans import Effect, Plan, Refusal
from payops.providers.port import ActionAnswer
from payops.signals.words import plural

from .journal import Done, Journal, Lost, Refused, Rejected, Unanswered, Written, write
from .results import Applied, Checked, Context, Ended, Result, Unknown, Waiting

SETTLED = timedelta(seconds=90)
"""A write without an answer may still take effect for this long: till then what is not found is not known."""
AT_ONCE = 20
"""Writes in one tick."""
JUDGED = 200
"""So many objects are read for a plan; more are beyond every limit anyway."""


@dataclass(frozen=True, slots=True)
class Target:
    """One object, what is done to it as a sentence, and how much money that moves. `more`: JSON, bound by the plan."""

    id: str
    sentence: str
    money: Money | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    people: int = 1


@dataclass(frozen=True, slots=True)
class Left:
    """An object that is left alone, and why: the checklist of whoever takes over."""

    id: str
    why: str


class Move(Protocol):
    """What one remedy knows: which objects, whether each may be touched now, the call, and how to read it back."""

    id: str
    action: str
    effect: Effect
    verb: str
    """The first word of a journal step."""
    undo: str
    done: str
    """What was done, said of a count: `refunded`."""

    def objects(self, context: Context) -> Sequence[str]:
        """Ids of what the signal counts, from the store; the provider is not asked."""

    def judge(self, context: Context, object_id: str) -> Target | Left:
        """What would be done to one object, by what the provider says of it now. May raise ProviderError."""

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        """The write."""

    def took(self, context: Context, target: Target) -> bool:
        """Whether the write shows at the provider. May raise ProviderError."""

    def proved(self, context: Context, target: Target) -> str | None:
        """Why the effect is not there; None when it is. May raise ProviderError."""

    def facts(self, context: Context, target: Target) -> Facts:
        """What the provider says of the object now, for the store: no feed need tell it again."""


class Moves:
    """The remedy around a `Move`."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self.id = move.id
        self.action = move.action

    def plan(self, context: Context) -> Plan | Refusal:
        targets: list[Target] = []
        left: list[Left] = []
        listed = self._move.objects(context)[:JUDGED]
        for object_id in listed:
            judged = self._move.judge(context, object_id)
            if isinstance(judged, Target):
                targets.append(judged)
            else:
                left.append(judged)
        if not targets:
            return Refusal(
                _told(left) or f"{context.account.name}: nothing is left for {self.id}: it is done already"
            )
        steps = [target.sentence for target in targets]
        if left:
            steps.append(f"leave alone: {_told(left)}")
        return Plan(
            remedy=self.id,
            action=self.action,
            effect=self._move.effect,
            steps=tuple(steps),
            targets=len(targets),
            money=totals(target.money for target in targets if target.money is not None),
            undo=self._move.undo,
            people=max(target.people for target in targets),
            data={"targets": [_kept(target) for target in targets], "judged": sorted(listed)},
        )

    def outdated(self, context: Context, plan: Plan) -> bool:
        """Whether the store knows of other objects by now than the plan looked at; reads no provider."""
        return sorted(self._move.objects(context)[:JUDGED]) != plan.data.get("judged")

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        resume_at = journal.at("resume_at")
        if resume_at is not None and context.now < resume_at:
            return Waiting(f"rate limited: goes on at {resume_at:%H:%M:%S} UTC")
        made = 0
        for target in _targets(plan):
            if target.id in journal.get("done", {}) or target.id in journal.get("failed", {}):
                continue
            if made >= AT_ONCE:
                return Waiting(f"{self._so_far(plan, journal)} so far")
            made += 1
            ended = self._one(context, plan, target, journal)
            if ended is not None:
                return ended
        said = self._so_far(plan, journal)
        for target in _targets(plan):
            if target.id in journal.get("done", {}):
                with suppress(ProviderError):
                    context.store.facts.apply_facts(
                        context.account.name, self._move.facts(context, target), context.now
                    )
        return Applied(said) if journal.get("done") else Ended("rejected", said, "invalid_request")

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        target = next((each for each in _targets(plan) if self._step(each) == step), None)
        if target is None:
            return None
        try:
            if self._move.took(context, target):
                return True
        except ProviderError:
            return None
        return None if context.now - journal.begun_at < SETTLED else False

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        done, failed = journal.get("done", {}), journal.get("failed", {})
        for target in _targets(plan):
            if target.id in done:
                lacking = self._move.proved(context, target)
                if lacking is not None:
                    return Checked(False, lacking)
        if failed:
            return Checked(False, self._so_far(plan, journal))
        return Checked(True, f"the provider says so of {plural(len(done), 'object')}")

    def _one(self, context: Context, plan: Plan, target: Target, journal: Journal) -> Result | None:
        """One write from its last look to its known end; None when the next may follow."""
        said: list[str] = []

        def call(key: str) -> ActionAnswer:
            # Before a repetition too: somebody may have put it right meanwhile.
            now = self._move.judge(context, target.id)
            if not isinstance(now, Target) or _kept(now) != _kept(target):
                raise NotPossible(now.why if isinstance(now, Left) else "it is no longer what the plan says")
            answer = self._move.call(context, target, key)
            said.append(answer.detail or answer.object_id or "done")
            return answer

        def facts() -> dict[str, Any]:
            return {"done": {**journal.get("done", {}), target.id: said[-1] if said else "found done"}}

        written = write(
            journal,
            self._step(target),
            permit=context.permit,
            call=call,
            applied=lambda: self.applied(context, plan, journal, self._step(target)),
            facts=facts,
            key=self._key(context, target),
        )
        return self._after(context, plan, target, journal, written)

    def _after(
        self, context: Context, plan: Plan, target: Target, journal: Journal, written: Written
    ) -> Result | None:
        match written:
            case Done():
                return None
            case Unanswered(reason):
                return Unknown(reason)
            case Lost(reason):
                return Ended("not_verified", f"{self._so_far(plan, journal)}; {reason}")
            case Refused(reason):
                _note(journal, "failed", target.id, reason)
                return None
            case Rejected(error) if error.bucket in ("invalid_request", "card"):
                _note(journal, "failed", target.id, _said(error))
                return None
            case Rejected(error) if error.bucket == "rate_limit" and journal.get("done"):
                pause = timedelta(seconds=error.retry_after_s or 10)
                journal.keep(resume_at=context.now + pause)
                return Waiting(f"rate limited, {self._so_far(plan, journal)} so far")
            case Rejected(error):
                outcome: Outcome = "rate_limited" if error.bucket == "rate_limit" else "rejected"
                return Ended(
                    outcome,
                    f"{self._so_far(plan, journal)}; refused: {_said(error)}",
                    error.bucket,
                    error.retry_after_s,
                )

    def _step(self, target: Target) -> str:
        return f"{self._move.verb}-{target.id}"

    def _key(self, context: Context, target: Target) -> str:
        """The same for every attempt at one thing, until the provider said no to it: an answer that never came may
        still be on its way when the next attempt begins."""
        refused = sum(target.id in Journal.noted(each, "failed") for each in context.attempts)
        return (
            f"payops-{context.store.identity[:12]}-{context.incident.id}-{self._step(target)}-{refused + 1}"
        )

    def _so_far(self, plan: Plan, journal: Journal) -> str:
        done, failed = journal.get("done", {}), journal.get("failed", {})
        moved = [t.money for t in _targets(plan) if t.id in done and t.money is not None]
        worth = f", {', '.join(map(str, totals(moved)))}" if moved else ""
        parts = [f"{self._move.done} {len(done)} of {plan.targets}{worth}"]
        if failed:
            shown = "; ".join(f"{object_id}: {why}" for object_id, why in list(failed.items())[:3])
            parts.append(f"{len(failed)} not: {shown}{'…' if len(failed) > 3 else ''}")
        return "; ".join(parts)


def _targets(plan: Plan) -> list[Target]:
    raw = plan.data["targets"]
    assert isinstance(raw, list)
    return [
        Target(
            id=each["id"],
            sentence="",
            money=None if each["currency"] is None else Money(each["amount_minor"], each["currency"]),
            more=each["more"],
        )
        for each in raw
    ]


def _kept(target: Target) -> dict[str, Any]:
    """What the plan binds."""
    money = target.money
    return {
        "id": target.id,
        "amount_minor": None if money is None else money.amount_minor,
        "currency": None if money is None else money.currency,
        "more": dict(target.more),
    }


def _note(journal: Journal, name: str, object_id: str, why: str) -> None:
    journal.keep(**{name: {**journal.get(name, {}), object_id: why}})


def _told(left: Sequence[Left]) -> str:
    shown = "; ".join(f"{each.id}: {each.why}" for each in left[:5])
    return f"{shown}; and {len(left) - 5} more" if len(left) > 5 else shown


def _said(error: ProviderError) -> str:
    return f"{error.message} ({', '.join(each for each in (error.code or error.bucket, error.request_id) if each)})"
