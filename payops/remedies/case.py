"""One incident in the runner's hands during one step: its rule, its attempts, and every change written at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from payops.clock import Now
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.incidents import FixAttempt, Incident
from payops.domain.policy import Policy, RemedyPolicy, parse_policy
from payops.providers.port import Provider
from payops.store import Store

from .journal import Journal
from .probe import UrlProbe
from .results import Context, Secrets, endpoint_of


class Case:
    """`incident` and `attempts` are as last stored; `change` moves both on or raises LostRace."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        provider: Provider,
        account: AccountSettings,
        probe: UrlProbe,
        secrets: Secrets,
        incident: Incident,
        now: datetime,
        clock: Now | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.provider = provider
        self.account = account
        self._probe = probe
        self._secrets = secrets
        self.incident = incident
        self.now = now
        self.clock = clock
        """Real time, which passes during a step; None where it stands still."""
        self.policy: Policy = parse_policy(incident.policy)
        self.attempts: tuple[FixAttempt, ...] = tuple(store.incidents.attempts(incident.id))

    def since_opening(self) -> list[FixAttempt]:
        """The attempts since it was opened, or last opened again: earlier ones healed what came before."""
        again = self.store.incidents.reopened_at(self.incident.id) if self.attempts else None
        since = self.incident.opened_at if again is None else again
        return [each for each in self.attempts if each.started_at >= since]

    def reload(self) -> None:
        """Read the attempts again, after one was added or ended."""
        self.attempts = tuple(self.store.incidents.attempts(self.incident.id))

    def change(self, entry: str, *, who: str = "payops", **columns: Any) -> None:
        """One compare-and-swap on the incident with its line in the timeline."""
        self.incident = self.store.incidents.change(
            self.incident, self.now, who=who, entry=entry, kind="level1", **columns
        )

    def eligible(self) -> tuple[RemedyPolicy, ...]:
        """Remedies that may still be tried without being asked for: not one that the provider said no to."""
        return tuple(remedy for remedy in self.wanted() if self._may_retry(remedy))

    def wanted(self) -> tuple[RemedyPolicy, ...]:
        """The rule's remedies without those an operator skips."""
        aside = self.store.incidents.aside(self.incident.id)
        return tuple(
            remedy
            for remedy in self.policy.remedies
            if remedy.id not in aside or aside[remedy.id].how != "skipped"
        )

    def _may_retry(self, remedy: RemedyPolicy) -> bool:
        last = next((a for a in reversed(self.attempts) if a.remedy == remedy.id), None)
        if last is None or last.outcome == "not_verified" or last.verified:
            return True
        if last.outcome in ("rejected", "rate_limited"):
            return (Journal.bucket(last) or last.outcome) in remedy.retry_on
        return False

    def context(self, policy: RemedyPolicy, permit: Callable[[], None] | None = None) -> Context:
        """What a remedy gets to see; without `permit` it may only read."""
        return Context(
            store=self.store,
            provider=self.provider,
            account=self.account,
            incident=self.incident,
            attempts=self.attempts,
            probe=self._probe,
            secrets=self._secrets,
            now=self.now,
            max_targets=policy.limits.max_targets,
            permit=permit or _read_only,
            tell=self.change,
        )

    @property
    def unfinished(self) -> FixAttempt | None:
        """The attempt that is being applied or verified."""
        return next((attempt for attempt in self.attempts if attempt.phase != "done"), None)

    @property
    def endpoint(self) -> EndpointSettings | None:
        return endpoint_of(self.account, self.incident)


def minutes(value: timedelta) -> str:
    """`5 min`, or seconds where it is not whole minutes."""
    seconds = int(value.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _read_only() -> None:
    raise RuntimeError("a plan or a read-back must not write")
