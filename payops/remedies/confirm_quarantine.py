"""`confirm-quarantine`: say on record what came of the other mode, and that it was kept out of every rate.

Nothing is changed at the provider: such events were set aside when they arrived. What comes after the
confirmation is unconfirmed again, so a stream that does not stop is handed to a person.
"""

from __future__ import annotations

import json

from payops.clock import to_epoch
from payops.domain.payments import OTHER_MODE
from payops.domain.plans import Plan, Refusal
from payops.signals.mode import HOUR, MOST, Apart, confirmation, short_hash, unconfirmed
from payops.signals.words import be, plural
from payops.text import safe_line

from .journal import Journal
from .results import Applied, Checked, Context, Result

CONFIRM = "confirm"
SHOWN = 3


class ConfirmQuarantine:
    """The change is in our own store: what was counted and when."""

    id = "confirm-quarantine"
    action = "objects.confirm_quarantine"

    def plan(self, context: Context) -> Plan | Refusal:
        apart = unconfirmed(context.store, context.account.name, context.now)
        if not apart.count:
            return Refusal("nothing of the other mode came since the last confirmation")
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="reversible",
            steps=(f"confirm that {told(context, apart)}",),
            targets=apart.count,
            undo="none needed: what is in quarantine stays there, unconfirmed or not",
            data={"events": sorted(apart.events)[:MOST]},
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        if journal.at("confirmed_at") is None:
            context.permit()
            if journal.doing is None:
                journal.begin(CONFIRM)
            with context.store.write():
                said = keep_apart(context)
                journal.finish(took_effect=True, confirmed_at=context.now, said=said)
        return Applied(f"confirmed that {journal.get('said')}")

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return journal.at("confirmed_at") is not None

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        left = unconfirmed(context.store, context.account.name, context.now)
        if left.count:
            return Checked(False, f"{told(context, left)} since")
        return Checked(True, "nothing of the other mode came since, and none of it is in a rate")


def keep_apart(context: Context) -> str:
    """Record everything of the other mode up to now as confirmed; the sentence that says what it was."""
    store, name = context.store, context.account.name
    said = told(context, unconfirmed(store, name, context.now))
    known = [event for event in store.facts.quarantined(name, MOST) if event.created_at >= context.now - HOUR]
    record = {"at": to_epoch(context.now), "ids": sorted(short_hash(event.event_id) for event in known)}
    store.switches.meta_set(confirmation(name), json.dumps(record))
    return said


def told(context: Context, apart: Apart) -> str:
    """`2 test events are in quarantine and in no rate (evt_1, evt_2); 1 webhook of test mode was refused`."""
    other = OTHER_MODE[context.account.mode]
    parts = []
    if apart.events:
        n = len(apart.events)
        shown = ", ".join(safe_line(each, limit=60) for each in sorted(apart.events)[:SHOWN])
        more = ", …" if n > SHOWN else ""
        parts.append(f"{plural(n, f'{other} event')} {be(n)} in quarantine and in no rate ({shown}{more})")
    if apart.refused:
        parts.append(
            f"{plural(apart.refused, 'webhook')} of {other} mode {be(apart.refused, past=True)} refused"
        )
    return "; ".join(parts) or f"nothing of {other} mode is unconfirmed"
