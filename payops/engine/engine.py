"""One tick: a function of the store, the providers' answers and `now`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from payops.config import Settings
from payops.domain.errors import LostRace, StoreError
from payops.escalation import audit as audit_next_actions
from payops.escalation import keep_quiet
from payops.escalation import tick as escalation_tick
from payops.notify import collect as collect_messages
from payops.providers.port import Provider
from payops.receiver.importing import import_inboxes
from payops.remedies import Runner
from payops.rulebook import RuleSet
from payops.rulebook import apply as apply_rules
from payops.signals import SignalSet, read
from payops.signals.history import record
from payops.signals.platform import note_audit, note_late
from payops.store import Store
from payops.streams import Watch

from .polls import Polls

log = logging.getLogger(__name__)


class Inbox(Protocol):
    """What the engine needs of the receiver."""

    def process_pending(self, now: datetime) -> int:
        """Process the inbox until nothing is due; the number of events processed."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one tick saw."""

    at: datetime
    signals: SignalSet
    full: bool
    """Every feed has answered at least once since the start."""


class Engine:
    """Owns nothing but the order of the stages; state is in the store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        rules: RuleSet,
        providers: Mapping[str, Provider],
        polls: Polls,
        runner: Runner,
        inbox: Inbox | None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.rules = rules
        self.providers = providers
        self.polls = polls
        self.runner = runner
        self._inbox = inbox
        self._watch = Watch(store, settings)
        self._full_ticks = 0
        self.late_s = 0
        """By how much this tick comes too late, as whoever calls it in real time knows."""

    def tick(self, now: datetime) -> Ticked:
        """Poll what is due, process the inbox, count what ended, judge, fix, escalate. Never acts in the first full tick."""
        full = self.polls.run(now)
        if self._inbox is not None:
            self._inbox.process_pending(now)
        import_inboxes(self.store, self.settings, now)
        self.store.inbox.tidy(now)
        self.store.forwards.tidy(now, self.settings.relays)
        self.store.applications.tidy(now)
        self._watch.advance(now)
        note_late(self.store, self.late_s, now)
        note_audit(self.store, now)
        signals = read(self.store, self.settings, now)
        record(self.store, signals, now)
        may_act = self._full_ticks > 0
        apply_rules(self.store, self.rules, signals, now, may_act=may_act)
        keep_quiet(self.store, self.settings, now)
        slots = {account: self.store.facts.active_slot(account) for account in self.providers}
        failed: Exception | None = None
        try:
            self.runner.tick(signals, now, may_act=may_act)
        except (StoreError, LostRace):
            raise
        except Exception as error:
            # What fails at Level 1 must still reach a person.
            failed = error
        switched = {
            account for account, slot in slots.items() if self.store.facts.active_slot(account) != slot
        }
        for account in sorted(switched | self.runner.wants_reads):
            self.polls.timetable.soon(account)
        escalation_tick(self.store, self.settings, signals, now)
        if may_act:
            # Only after Level 1 has had its turn: what waited while no engine ran is not forgotten.
            audit_next_actions(self.store, self.settings, signals, now)
        collect_messages(self.store, self.settings, now)
        if failed is not None:
            raise failed
        if full:
            self._full_ticks += 1
        return Ticked(now, signals, full)

    def close(self) -> None:
        self.polls.close()
        for provider in self.providers.values():
            provider.close()
