"""What the detectors say of one account, and its payments stage by stage, for the `status` document."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from payops.clock import iso_or_none
from payops.domain.counting import FAMILIES
from payops.domain.payments import provider_named
from payops.signals.slices import said
from payops.signals.standing import LEAST, standing
from payops.store import Store, Window

from .board import AccountCard
from .cards import rate

DAY = timedelta(hours=24)


def detection(store: Store, card: AccountCard) -> dict[str, Any]:
    """`{said, watched, families: {name: {n, expected, evidence, standing, slice, …}}}`; unknown is null.

    `expected` is the share of failures, `evidence` 1.0 at one false alarm in 30 days over all `watched` streams.
    """
    families = {}
    for family in FAMILIES:
        known = standing(store, card.account, family)
        whole, alarm = known.whole, known.alarm
        shown = alarm or (known.strongest if known.watch else None)
        families[family] = {
            "n": whole.n if whole else None,
            "expected": whole.expected if whole else None,
            "evidence": known.evidence,
            "standing": None
            if known.evidence is None
            else "alarm"
            if alarm
            else "watch"
            if known.watch
            else "ok",
            "slice": said(shown.slice) if shown else None,
            "since": iso_or_none(alarm.onset_at) if alarm else None,
            "n_since": alarm.since_n if alarm else None,
            "failed_since": alarm.since_failed if alarm else None,
            "expected_since": alarm.since_expected if alarm else None,
        }
    return {"said": card.noticed or None, "watched": store.streams.watched(LEAST), "families": families}


def stages(store: Store, card: AccountCard, now: datetime) -> dict[str, Any] | None:
    """The last 24 hours by stage, each share with n and 95 % interval; null where declines leave no trace."""
    if not card.declines_visible or card.fresh_at is None:
        return None
    found = store.facts.stages(card.account, provider_named(card.provider), now - DAY, now)
    shares = ("attempts", "payments", "authorizations", "renewals", "dunning", "delayed")
    return {
        **{name: _share(getattr(found, name)) for name in shares},
        "abandoned": found.abandoned,
        "authentication_failed": found.authentication_failed,
    }


def _share(window: Window) -> dict[str, Any]:
    known = rate(window.n, window.succeeded)
    return {"n": known.n, "rate": known.rate, "low": known.low, "high": known.high}
