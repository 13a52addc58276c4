"""`diagnose` where payments are not what is wrong: everything payops knows of the account's connection, in sentences."""

from __future__ import annotations

from payops.domain.plans import Plan, Refusal
from payops.domain.policy import parse_policy
from payops.signals.credentials import application_sentence
from payops.signals.read import one_row
from payops.signals.words import spoken

from .journal import Journal
from .results import Checked, Context, Ended, Result

BESIDE = ("calls", "credentials", "permissions", "account", "mode", "card_data", "api_version")
"""What is told beside the signal of the incident's own rule, where it is known and out of the ordinary."""


class Observe:
    """Level 1 of what only a person, the provider or time can mend."""

    id = "diagnose"
    action = "account.diagnose"

    def plan(self, context: Context) -> Plan | Refusal:
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="read",
            steps=(
                f"read what payops knows of {context.account.name}: its calls, credentials, webhooks and the state "
                "of the account",
            ),
            targets=0,
            undo="nothing to undo: it only reads",
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        return Ended("succeeded", diagnosis(context))

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return True

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        return Checked(False, "a diagnosis fixes nothing")


def diagnosis(context: Context) -> str:
    """The incident's own signal first, then what else is out of the ordinary, then the application's credential."""
    own = parse_policy(context.incident.policy).source
    told = []
    for source in (own, *(each for each in BESIDE if each != own)):
        row = one_row(context.store, source, context.account, context.endpoint, context.now)
        phrases = spoken(source, row.values, whole=source == own) if row is not None else []
        if phrases:
            told.append("; ".join(phrases))
    told.append(application_sentence(context.store, context.account.name))
    return ". ".join(f"{each[0].upper()}{each[1:]}" for each in told) + "."
