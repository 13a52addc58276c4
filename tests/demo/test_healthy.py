"""A healthy week with days and nights opens nothing. `make test` lives minutes of a morning, `make proof` all of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.demo.headless import run
from payops.simulator import scenario as scenarios
from tests.helpers.proof import FULL, tell

WEEK = scenarios.load("healthy-week")
MORNING = WEEK.model_copy(
    update={
        "start": WEEK.start + timedelta(hours=10),
        "warmup": timedelta(hours=24),
        "duration": timedelta(minutes=15),
    }
)


@pytest.mark.proof
def test_nothing_opens_while_nothing_is_wrong() -> None:
    lived = WEEK if FULL else MORNING
    document = run(lived, lived.seed, None, judged=True).document
    tell(f"{lived.duration}: {document['payments']} payments, {document['wall_seconds']:.0f} s")
    opened = [(each["rule"], each["account"], each["opened_at"]) for each in document["incidents"]]
    assert opened == []
    assert document["webhooks"]["missing"] == 0
