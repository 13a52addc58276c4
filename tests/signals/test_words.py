from __future__ import annotations

from payops.signals import SOURCES
from payops.signals.words import spoken


def test_a_drop_is_said_with_its_n_its_expectation_and_its_odds() -> None:
    values = {
        "n_5m": 53,
        "rate_5m": 0.66,
        "n_15m": 184,
        "rate_15m": 0.87,
        "expected": 0.948,
        "evidence": 720.0,
    }
    assert spoken("success", values) == [
        "accepted 66.0 % of 53 first attempts in 5 min, 87.0 % of 184 first attempts in 15 min",
        "expected 94.8 %",
        "by chance alone less than once in 59 years, given the learned baseline",
    ]


def test_a_gap_is_said_with_its_age_and_a_key_with_its_code() -> None:
    assert spoken("webhooks", {"missing": 48, "missing_oldest_s": 370}) == [
        "48 generated events are not in our inbox, the oldest 6 min old"
    ]
    assert spoken("credentials", {"rejected": True, "code": "api_key_expired"}) == [
        "the provider rejects the monitor credential with api_key_expired"
    ]


def test_nothing_known_is_lost_for_lack_of_a_phrase_and_nothing_unknown_is_said() -> None:
    assert spoken("webhooks", {"unprocessed": 3}) == ["unprocessed is 3"]
    for source, schema in SOURCES.items():
        assert spoken(source, dict.fromkeys(schema.fields)) == []
