"""`diagnose`: say which slice fails, with which codes, and whose side that points to. It changes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from payops.detection import CodeExcess
from payops.domain.decline import CATEGORIES, NOT_TOLD, Tally, by_category, lookup
from payops.domain.payments import Provider
from payops.domain.plans import Plan, Refusal
from payops.domain.policy import parse_policy
from payops.signals.drop import FAMILIES, drop
from payops.signals.drop_words import sentence
from payops.signals.verdict import verdict
from payops.signals.words import per_cent, plural
from payops.text import safe_line

from .journal import Journal
from .results import Checked, Context, Ended, Result

LOOK_BACK = timedelta(hours=1)
_PLURAL = re.compile(r"\b(refusal|payment|failure)s\b")
SHOWN = 2
"""How many categories of declines are named before the rest is summed, and codes of each."""


class Diagnose:
    """Level 1 of a drop in acceptance: the cure is a human's, the reading is ours."""

    id = "diagnose"
    action = "payments.diagnose"

    def plan(self, context: Context) -> Plan | Refusal:
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="read",
            steps=(
                f"read the first attempts of {context.account.name} since the onset by card brand, country, method and "
                "currency, their decline codes, and what was changed before",
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
    """What fails since when, where, with which codes, whose side that is, and what was changed; as sentences."""
    account, provider, now = context.account.name, context.account.provider, context.now
    source = parse_policy(context.incident.policy).source
    family = FAMILIES.get(source, "acceptance")
    found = drop(context.store, account, provider, context.incident.opened_at, now, family)
    if found is None:
        return _without_alarm(context)
    told = [sentence(found)]
    codes = context.store.facts.decline_codes(account, found.since)
    told += [_kind_sentence(by_category(provider, codes)), _top_sentence(provider, found.codes)]
    told.append(verdict(context.store, account, provider, found, now).sentence)
    return " ".join(part for part in told if part)


def _without_alarm(context: Context) -> str:
    """An incident of a rule that judges something else than the detectors: the last hour as it is."""
    since, account = context.incident.opened_at - LOOK_BACK, context.account.name
    seen = context.store.facts.window(account, since, context.now)
    if not seen.n:
        return f"No first attempt since {since:%H:%M} UTC: the traffic stopped, or payops does not see it."
    failed = seen.n - seen.succeeded
    tallies = by_category(context.account.provider, context.store.facts.decline_codes(account, since))
    told = f"{failed} of {plural(seen.n, 'first attempt')} failed since {since:%H:%M} UTC ({per_cent(failed / seen.n)})."
    return " ".join(part for part in (told, _kind_sentence(tallies)) if part)


def _kind_sentence(tallies: tuple[Tally, ...]) -> str:
    """Of what kind the declines are, in words, the codes beside them; empty when there are none."""
    total = sum(tally.n for tally in tallies)
    if not total:
        return ""
    kinds = "; ".join(f"{tally.n} {_kind(tally)} ({_codes(tally)})" for tally in tallies[:SHOWN])
    rest = total - sum(tally.n for tally in tallies[:SHOWN])
    return (
        f"Of {plural(total, 'decline')}: {kinds}; {plural(rest, 'other')}."
        if rest
        else f"Of {plural(total, 'decline')}: {kinds}."
    )


def _kind(tally: Tally) -> str:
    words = CATEGORIES[tally.category]
    return words if tally.n != 1 else _PLURAL.sub(r"\1", words, count=1)


def _codes(tally: Tally) -> str:
    named = [f"{_shown(code)} {count}" for code, count in tally.codes[:SHOWN]]
    return ", ".join(named + ["…"] * (len(tally.codes) > SHOWN))


def _shown(code: str) -> str:
    return "no code" if code == NOT_TOLD else safe_line(code, limit=40)


def _top_sentence(provider: Provider, codes: Sequence[CodeExcess]) -> str:
    """What the code that rose most means; empty when none did."""
    if not codes:
        return ""
    code = codes[0].code
    return f"{_shown(code)}: {lookup(provider, code).sentence}"
