"""When failures began to run above the usual share."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.store import Store

LOOK_BACK = timedelta(hours=2)


def onset(store: Store, account: str, usual: float, seen_at: datetime) -> datetime:
    """The minute, at most two hours before `seen_at`, from which failures ran above the usual share until then.

    `usual` is the share of first attempts that fails normally, 0..1. It is the last low of the cumulative sum
    of failures beyond a margin over that share; the margin keeps quiet minutes from counting as the beginning.
    """
    minutes = store.facts.minutes(account, seen_at - LOOK_BACK, seen_at)
    margin = usual + 0.25 * (1 - usual)
    since = minutes[0][0] if minutes else seen_at
    level = lowest = 0.0
    for at, n, succeeded in minutes:
        if level <= lowest:
            lowest, since = level, at
        level += (n - succeeded) - n * margin
    return since
