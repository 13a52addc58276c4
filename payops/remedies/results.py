"""What a remedy can answer when the runner asks it to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from payops.config import AccountSettings, EndpointSettings
from payops.domain.incidents import FixAttempt, Incident, Outcome
from payops.domain.plans import Plan, Refusal
from payops.providers.port import Provider
from payops.store import Store

from .journal import Journal
from .probe import UrlProbe

Secrets = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a remedy may look at and act on, at one instant."""

    store: Store
    provider: Provider
    account: AccountSettings
    incident: Incident
    attempts: tuple[FixAttempt, ...]
    """All attempts of the incident so far, the current one included."""
    probe: UrlProbe
    secrets: Secrets
    now: datetime
    max_targets: int | None
    permit: Callable[[], None]
    """Called before every write; raises `Halt` when everything was stopped in the meantime."""

    tell: Callable[[str], None]
    """Add a line to the incident's timeline."""

    @property
    def endpoint(self) -> EndpointSettings | None:
        """The configured endpoint the incident speaks of; the only one where it names none."""
        return endpoint_of(self.account, self.incident)


class Halt(Exception):
    """Nothing may be written now; what was begun stays as it is. The text says who stopped it and why."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Everything the plan said was done; what proves it comes next."""

    detail: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to do before something else happens. `reads`: a fresh read of the account's feeds would help."""

    reason: str
    reads: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """A call was not answered and cannot be read back yet: nothing else may act."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over without being applied whole. `bucket` is the provider's, where it said no."""

    outcome: Outcome
    detail: str
    bucket: str | None = None
    retry_after_s: float | None = None


def endpoint_of(account: AccountSettings, incident: Incident) -> EndpointSettings | None:
    """The configured endpoint an incident speaks of; the only one where it names none."""
    name = incident.labels.get("endpoint")
    if name is None:
        return account.endpoints[0] if len(account.endpoints) == 1 else None
    return next((endpoint for endpoint in account.endpoints if endpoint.name == name), None)


Result = Applied | Waiting | Unknown | Ended


@dataclass(frozen=True, slots=True)
class Checked:
    """What the provider and our own store say about what was applied."""

    ok: bool
    detail: str = field(default="")


class Remedy(Protocol):
    """One known fix. It never decides whether it may act: the runner does."""

    id: str
    action: str

    def plan(self, context: Context) -> Plan | Refusal:
        """The exact calls it would make; reads only. May raise ProviderError."""

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        """Do the next bounded piece of the plan, resuming where the journal says."""

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        """Whether the unanswered call `step` took effect; None = cannot be told yet. Reads only."""

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        """Ask the provider whether the effect is there. May raise ProviderError."""
