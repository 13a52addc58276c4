from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from payops.domain import deadlines
from payops.domain.payments import PROVIDERS, Mode, Provider

MADE = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("provider", "mode", "tries", "again"),
    [
        ("stripe", "live", 3 * DAY, 30 * DAY),
        ("stripe", "test", 3 * HOUR, 30 * DAY),
        ("paypal", "live", 3 * DAY, 30 * DAY),
        ("braintree", "live", DAY, None),
        ("braintree", "test", 3 * HOUR, None),
    ],
)
def test_each_provider_gives_up_and_resends_in_its_own_time(
    provider: Provider, mode: Mode, tries: timedelta, again: timedelta | None
) -> None:
    found = deadlines.of_event(provider, mode, MADE)
    assert found.gives_up_at == MADE + tries
    assert found.resend_until == (None if again is None else MADE + again)


def test_every_deadline_names_its_source_and_none_is_missing() -> None:
    for provider in PROVIDERS:
        for mode in get_args(Mode):
            found = deadlines.of_event(provider, mode, MADE)
            assert all(found.sources)
            assert len(found.sources) == (1 if found.resend_until is None else 2)
            assert found.resend_until is None or found.resend_until > found.gives_up_at


def test_only_a_known_rule_disables_an_endpoint() -> None:
    known = {provider for provider, rule in deadlines.DISABLES_AFTER.items() if rule is not None}
    assert known == {"stripe"}
