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


def test_every_signal_says_what_is_out_of_the_ordinary_and_is_silent_when_nothing_is() -> None:
    for source, values, said in (
        ("rejections", {"n_15m": 60, "rejected_15m": 24, "share_15m": 0.4, "usual": 0.01, "reason": "avs"},
         "our own rules stopped 24 of 60 first attempts in 15 min (40.0 %); 1.0 % are usual; most with avs"),
        ("permissions", {"missing": 1, "names": "rak_event_read", "refused_feeds": 2, "nameable": True},
         "the provider refuses by name: rak_event_read; 2 feeds are refused with 403"),
        ("webhook_signatures", {"since_good": 8, "last_good_s": 400, "other_mode_15m": 1, "timestamp_15m": 2},
         "8 webhooks failed the signature check: the last good one 6 min ago; also refused in 15 min: 2 for the "
         "timestamp; 1 webhook of the other mode came in 15 min"),
        ("mode", {"evidence": "1 test event is in quarantine", "unconfirmed_1h": 1, "ours_verified_15m": 9},
         "1 test event is in quarantine; 1 of the other mode is not confirmed as kept apart yet; "
         "9 events of the account's own mode came in 15 min"),
        ("calls", {"n_5m": 40, "outage_share": 0.5, "network_share": 0.0, "failing_min": 3, "p95_ms": 6000,
                   "usual_ms": 180, "skew_s": -90},
         "50.0 % of 40 calls in 5 min answered with errors of the provider; nothing could be read for 3 min; "
         "one answer in 20 takes 6000 ms or longer, 180 ms are usual; the provider's clock is 90 s behind ours"),
        ("account", {"restricted": True, "charges_enabled": False, "payouts_enabled": True, "names": "tax_id"},
         "the provider lets the account take no payments; it says: tax_id"),
        ("account", {"restricted": True}, "the provider restricts the account"),
        ("credentials", {"rejected": True, "code": "api_key_expired", "expired": True, "application_failing": True},
         "the provider rejects the monitor credential as expired; the application's own credential fails as well: "
         "the checkout may be down"),
        ("failed_refunds", {"count": 3, "count_24h": 3, "reissuable": 2},
         "3 failed refunds; 2 with a reason that may pass another time"),
        ("stuck_refunds", {"count": 1, "why": "the balance is too small", "wait_s": 518_400, "overdue": 0},
         "1 waiting refund; the balance is too small; waiting is right for 6 days more"),
        ("disputes", {"count": 2, "due_s": 86_400, "missed_7d": 1},
         "2 disputes; the first reply is due in 24 h: no reply is lost; 1 lost in 7 days because nobody replied"),
        ("failed_payouts", {"count": 1, "code": "account_closed"}, "1 failed payout; with account_closed"),
        ("past_due_subscriptions", {"count_1h": 12, "collected_1h": 1, "usual": 0.06},
         "12 subscriptions fell past due in 1 h while 1 renewal was paid; 6.0 % of renewals are refused usually"),
        ("duplicates", {"count": 1, "suspected_1h": 0}, "1 order; charged twice and not given back"),
        ("authorizations", {"count": 3, "next_s": 43_200}, "3 authorizations; not captured; the first ends in 12 h"),
        ("excess_refunds", {"count": 0, "given_back": 0}, ""),
        ("calls", {"n_5m": 40, "outage_share": 0.0, "p95_ms": 200, "skew_s": 1, "failing_min": 0}, ""),
        ("account", {"restricted": False, "charges_enabled": True, "payouts_enabled": True, "names": ""}, ""),
        ("mode", {"evidence": "", "unconfirmed_1h": 0, "ours_verified_15m": 9}, ""),
    ):  # fmt: skip
        assert "; ".join(spoken(source, values, whole=False)) == said


def test_an_application_that_does_not_take_its_events_is_said_with_its_answers() -> None:
    values = {"waiting": 12, "failing": 9, "failing_s": 840, "dead": 2, "taken_s": 900, "answers": "503 × 9"}
    assert spoken("forwarding", values, whole=False) == [
        "9 events are forwarded in vain (503 × 9), the longest for 14 min",
        "2 events are given up as dead letters",
        "the application last took one 15 min ago",
    ]
    assert spoken("forwarding", dict.fromkeys(values)) == []
