"""The typed signals a rule may speak of: known when a rule file is loaded, and nothing else exists."""

from __future__ import annotations

from collections.abc import Mapping

from .fields import Field, FieldType, SignalRow, SignalSet, Source
from .house_sources import HOUSE_SOURCES
from .object_sources import OBJECT_SOURCES

__all__ = ["ESCALATION_FIELDS", "SOURCES", "Field", "FieldType", "SignalRow", "SignalSet", "Source"]

_ACCOUNT = ("account",)
_ENDPOINT = ("account", "endpoint")
_OF_ACCOUNT = ("account", "provider", "mode")
_OF_ENDPOINT = (*_OF_ACCOUNT, "endpoint", "topology")
_RECEIVER = ("receiver",)
_LIMIT_S = 900

_PAYMENTS = (
    Source(
        "success",
        "Acceptance: customers' first attempts that became authorized, of all of them, per account. Unknown "
        "where the provider hides declines; what a merchant's own rules stopped is in `rejections`.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "n_5m": Field(
                "int", "first attempts in the last 5 minutes; completions alone where declines are hidden"
            ),
            "rate_5m": Field("double", "their acceptance, 0..1"),
            "n_15m": Field("int", "the same in the last 15 minutes"),
            "rate_15m": Field("double", "their acceptance, 0..1"),
            "n_1h": Field("int", "the same in the last hour"),
            "rate_1h": Field("double", "their acceptance, 0..1"),
            "n_baseline": Field(
                "int", "first attempts ever counted, which what is expected was learned from"
            ),
            "expected": Field(
                "double", "acceptance expected at this hour of the week; unknown while history is short"
            ),
            "evidence": Field(
                "double",
                "of a drop, of all or of a slice: 1.0 is one false alarm in 30 days over all watched streams together, "
                "given the learned baselines; it stays there until a sequential test says the drop is over",
            ),
            "alarm": Field("bool", "a drop runs: it was noticed and is not over"),
            "watch": Field("bool", "evidence has reached a twentieth of an alarm's"),
            "slice": Field(
                "string", "the widest slice that runs an alarm, else the one on watch; empty when it is all"
            ),
            "n_since": Field("int", "first attempts in it since the onset; unknown while no alarm runs"),
            "failed_since": Field("int", "of these, failed"),
            "expected_since": Field("double", "of these, how many would have failed normally"),
            "rate_since": Field("double", "their acceptance, 0..1"),
            "since_s": Field("int", "how long ago it most likely began, seconds"),
            "lost_1h": Field("double", "payments failed in the last hour beyond those expected"),
        },
        _LIMIT_S,
    ),
    Source(
        "declines",
        "Single decline codes among customers' first attempts, per account: the one that rose most. Unknown where the "
        "provider hides declines.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "evidence": Field("double", "that the share of one code rose; 1.0 as for acceptance"),
            "alarm": Field("bool", "a rise runs: it was noticed and is not over"),
            "code": Field("string", "the code"),
            "usual": Field("double", "its usual share of first attempts, 0..1"),
            "n_since": Field("int", "first attempts since the onset; unknown while no alarm runs"),
            "failed_since": Field("int", "of these, refused with it"),
            "expected_since": Field("double", "of these, how many would have been normally"),
            "since_s": Field("int", "how long ago it most likely began, seconds"),
        },
        _LIMIT_S,
    ),
    Source(
        "testing",
        "Failed first attempts of buyers never seen before for amounts among the smallest 5 % of their currency: how "
        "stolen cards are tried. Unknown where the provider hides declines.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "evidence": Field("double", "that their share rose; 1.0 as for acceptance"),
            "alarm": Field("bool", "a rise runs: it was noticed and is not over"),
            "usual": Field("double", "their usual share of first attempts, 0..1"),
            "n_since": Field("int", "first attempts since the onset; unknown while no alarm runs"),
            "failed_since": Field("int", "of these, such failures"),
            "expected_since": Field("double", "of these, how many such failures are usual"),
            "since_s": Field("int", "how long ago it most likely began, seconds"),
        },
        _LIMIT_S,
    ),
    Source(
        "stages",
        "The streams beside acceptance, per account: evidence that their share of failures rose, 1.0 as for acceptance, "
        "and that share as usual. Unknown where the provider hides declines.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "authentication": Field("double", "of first attempts: failed at the authentication"),
            "authentication_usual": Field("double", "the usual share, 0..1"),
            "blocks": Field("double", "of first attempts: stopped by a rule of the merchant's"),
            "blocks_usual": Field("double", "the usual share, 0..1"),
            "renewals": Field("double", "of renewals: refused the first time"),
            "renewals_usual": Field("double", "the usual share, 0..1"),
            "dunning": Field("double", "of later tries to collect: refused"),
            "dunning_usual": Field("double", "the usual share, 0..1"),
            "delayed": Field(
                "double", "of payments by methods that take days, when they complete: came back"
            ),
            "delayed_usual": Field("double", "the usual share, 0..1"),
            "abandoned": Field("double", "of customers' attempts: begun and left"),
            "abandoned_usual": Field("double", "the usual share, 0..1"),
            "everywhere": Field(
                "double", "of acceptance over all accounts together; unknown with one account"
            ),
        },
        _LIMIT_S,
    ),
    Source(
        "traffic",
        "Whether payments still come, per account: first attempts, or completions where declines are hidden, against "
        "what is usual at this hour of the week.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "quiet_s": Field(
                "int", "from the last payment to where the feed is known to be complete, seconds"
            ),
            "expected_since": Field("double", "payments usual in that time; unknown while history is short"),
            "limit": Field(
                "double", "so many are one false alarm in 30 days, given how far hours stray from the usual"
            ),
            "silent": Field("bool", "more were expected than the limit, and a minute at least has passed"),
            "fewer": Field(
                "double", "evidence that half the traffic is gone; 1.0 is one false alarm in 30 days"
            ),
            "usual_per_hour": Field("double", "payments usual in this hour"),
        },
        _LIMIT_S,
    ),
    Source(
        "rejections",
        "First attempts that the merchant's own rules at the provider stopped before an issuer was asked.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "n_15m": Field("int", "first attempts in the last 15 minutes, the stopped ones included"),
            "rejected_15m": Field("int", "how many of them were stopped"),
            "share_15m": Field("double", "their share, 0..1"),
            "n_usual": Field("int", "first attempts in the baseline, as for acceptance"),
            "usual": Field("double", "the usual share, 0..1; unknown while history is short"),
            "usual_upper": Field("double", "the upper end of its 95 % interval"),
            "reason": Field("string", "why most of them were stopped, empty when none was"),
            "rejected_1h": Field("int", "how many were stopped in the last hour"),
        },
        _LIMIT_S,
    ),
)

_WEBHOOKS = (
    Source(
        "endpoints",
        "Webhook endpoints as the provider reports them, one row for each endpoint of the configuration.",
        _ENDPOINT,
        _OF_ENDPOINT,
        {
            "disabled": Field("bool", "the provider sends nothing to it"),
            "present": Field("bool", "the provider knows an endpoint with the configured URL"),
            "sent_here": Field(
                "bool", "the provider sends to the configured URL: by its list, or by where deliveries arrive"
            ),
            "ours": Field("bool", "what is sent to it reaches payops's own receiver"),
            "disabled_by_user": Field(
                "bool", "a person switched it off; unknown where the provider does not tell"
            ),
            "missing": Field(
                "int", "events generated for it and not in our inbox; unknown where it is not ours"
            ),
            "types_missing": Field(
                "int", "event types payops reads and it is not subscribed to; unknown where it is not ours"
            ),
        },
        _LIMIT_S,
        _RECEIVER,
    ),
    Source(
        "webhooks",
        "What the provider generated, what reached us, and what we did with it, per endpoint of ours.",
        _ENDPOINT,
        _OF_ENDPOINT,
        {
            "undelivered": Field(
                "int", "events not delivered to at least one endpoint of the account, by the provider"
            ),
            "unprocessed": Field("int", "received here, not processed yet"),
            "dead": Field("int", "dead letters: given up here after every retry"),
            "oldest_unprocessed_s": Field("int", "age of the oldest unprocessed event, seconds"),
            "missing": Field(
                "int", "generated for a subscribed type, not in our inbox, older than the grace"
            ),
            "missing_oldest_s": Field("int", "age of the oldest missing event, seconds"),
            "received_15m": Field("int", "events received in the last 15 minutes"),
            "growth_per_min": Field(
                "double", "by how much the unprocessed grew a minute in the last 15, 0 when none waits"
            ),
            "drain_s": Field(
                "int", "seconds until none is unprocessed at that pace; unknown where they do not get fewer"
            ),
            "give_up_s": Field(
                "int",
                "estimate: seconds until the provider stops trying for the next missing event; unknown without one",
            ),
            "quiet_s": Field("int", "seconds since the last event was received"),
            "activity": Field(
                "int",
                "events listed and not received since then; payments, where the provider lists no events",
            ),
            "silent": Field(
                "bool", "nothing comes for longer than the rhythm explains, and the provider shows activity"
            ),
        },
        _LIMIT_S,
        _RECEIVER,
    ),
    Source(
        "forwarding",
        "What an application behind a relay has not taken yet; unknown of an endpoint that is not relayed.",
        _ENDPOINT,
        _OF_ENDPOINT,
        {
            "waiting": Field("int", "events owed to it"),
            "failing": Field("int", "of these, tried already: refused, or not answered"),
            "failing_s": Field("int", "since when the longest of those is owed, seconds; 0 without one"),
            "dead": Field("int", "dead letters: given up after every try"),
            "taken_s": Field("int", "how long ago it last took one, seconds"),
            "answers": Field("string", "what it said to what it has not taken, most first; empty without"),
        },
        _LIMIT_S,
        _RECEIVER,
    ),
    Source(
        "webhook_signatures",
        "Deliveries to payops's own receiver that did not prove their origin; unknown for any other endpoint.",
        _ENDPOINT,
        _OF_ENDPOINT,
        {
            "refused_15m": Field("int", "deliveries refused in the last 15 minutes, for whatever reason"),
            "signature_15m": Field("int", "of these, signed with none of the stored secrets"),
            "timestamp_15m": Field("int", "of these, signed too long ago or in the future"),
            "header_15m": Field("int", "of these, without a well-formed signature header"),
            "body_15m": Field("int", "of these, with a body that is too large or no event"),
            "mode_15m": Field("int", "of these, with evidence that they are of the other mode"),
            "share_15m": Field("double", "the refused of all deliveries in the last 15 minutes, 0..1"),
            "since_good": Field(
                "int",
                "deliveries whose signature failed in the last 6 hours, since the last verified event of our mode",
            ),
            "last_good_s": Field("int", "age of the last verified event of our mode, seconds"),
            "other_mode_15m": Field(
                "int", "deliveries of the other mode in the last 15 minutes, verified or refused as such"
            ),
            "other_since_good": Field(
                "int",
                "verified deliveries of the other mode in the last 6 hours, since the last verified one of ours",
            ),
            "causes": Field(
                "string", "why most were refused, as far as it is known, and what to do; empty = none were"
            ),
            "listed": Field("bool", "the provider lists its events, so that what is missing can be told"),
            "missing": Field("int", "generated, not in our inbox, older than the grace"),
            "fallbacks": Field("int", "other stored credentials with what webhooks are verified with"),
        },
        _LIMIT_S,
        _RECEIVER,
    ),
)

_CREDENTIALS = (
    Source(
        "credentials",
        "What the last cheap read proved about the monitor credential in use, and about the application's own.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "accepted": Field("bool", "the provider accepted it"),
            "rejected": Field("bool", "the provider rejected it (401); an outage is neither"),
            "code": Field("string", "the provider's error code, empty when accepted"),
            "expired": Field(
                "bool", "it was rejected as expired; unknown where the provider does not tell why"
            ),
            "wrong_mode": Field("bool", "it is proven to belong to the other mode"),
            "missing_permissions": Field("int", "permissions payops needs and was refused by name"),
            "fallbacks": Field("int", "other credentials stored for this account"),
            "age_s": Field("int", "how long ago it was proved, seconds"),
            "application_known": Field(
                "bool", "the application's own credential is configured and was probed"
            ),
            "application_failing": Field(
                "bool", "the application's own credential is rejected or of the other mode"
            ),
            "application_code": Field("string", "why it fails, empty when it does not"),
        },
        _LIMIT_S,
    ),
    Source(
        "permissions",
        "What the monitor credential in use is not allowed to do; names only where the provider tells them.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "missing": Field("int", "permissions that were refused by name; unknown where none can be named"),
            "names": Field("string", "their names, joined by commas"),
            "refused_feeds": Field("int", "feeds whose last reading was answered 403"),
            "nameable": Field("bool", "the provider names what it refuses"),
        },
        _LIMIT_S,
    ),
    Source(
        "mode",
        "Objects and events whose mode is not the account's, and what proves it.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "wrong_mode_events_1h": Field("int", "events of the other mode quarantined in the last hour"),
            "unconfirmed_1h": Field(
                "int",
                "of these and of the refused ones, those nobody and nothing has confirmed as kept apart",
            ),
            "refused_mode_15m": Field("int", "webhooks refused as of the other mode in the last 15 minutes"),
            "refused_mode_1h": Field("int", "the same in the last hour"),
            "other_verified_15m": Field("int", "verified webhooks of the other mode in the last 15 minutes"),
            "ours_verified_15m": Field(
                "int", "verified webhooks of the account's mode in the last 15 minutes"
            ),
            "endpoint_mismatch": Field("bool", "the provider's endpoint with our URL is of the other mode"),
            "webhook_id_absent": Field(
                "bool", "the stored webhook id is not in the provider's list of this mode (PayPal)"
            ),
            "evidence": Field("string", "what proves the other mode, empty when nothing does"),
        },
        _LIMIT_S,
    ),
)

_PROVIDER = (
    Source(
        "calls",
        "How the provider answered payops's own calls: the nearest thing to its health that can be measured here.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "n_5m": Field("int", "calls in the last 5 minutes"),
            "outage_share": Field("double", "of these, answered 5xx or not as the API should, 0..1"),
            "network_share": Field("double", "of these, not answered at all, 0..1"),
            "rate_limited_share": Field("double", "of these, answered 429, 0..1"),
            "auth_share": Field("double", "of these, answered 401, 0..1"),
            "outage_run": Field("int", "calls that failed so since a feed was last read, in the last hour"),
            "network_run": Field("int", "calls not answered since then"),
            "rate_limited_run": Field("int", "calls answered 429 since then"),
            "failing_min": Field("int", "whole minutes since a feed was last read, 0 when the last one was"),
            "p50_ms": Field("int", "half of the answers of the last 5 minutes took at most this long"),
            "p95_ms": Field("int", "95 % of the answers of the last 5 minutes took at most this long"),
            "usual_ms": Field("int", "the median of the 24 hours before these"),
            "slow": Field(
                "double",
                "evidence that more answers than usual are slower than 95 % are at this hour of the week; 1.0 as for "
                "acceptance",
            ),
            "skew_s": Field("int", "the provider's clock minus ours, the median of 5 minutes"),
            "last_ok_s": Field("int", "how long ago a feed was last read, seconds"),
        },
        _LIMIT_S,
    ),
    Source(
        "account",
        "Whether the provider lets the account take and receive money, where it tells.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "charges_enabled": Field("bool", "it may take payments"),
            "payouts_enabled": Field("bool", "its money is paid out"),
            "restricted": Field("bool", "one of these is not so"),
            "due": Field("int", "how many things the provider wants to know"),
            "names": Field("string", "their names, joined by commas"),
        },
        _LIMIT_S,
    ),
)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (*_PAYMENTS, *_WEBHOOKS, *_CREDENTIALS, *_PROVIDER, *OBJECT_SOURCES, *HOUSE_SOURCES)
}

ESCALATION_FIELDS: Mapping[str, Field] = {
    "l1_exhausted": Field("bool", "Level 1 is over and the incident is still open"),
    "l1_waiting": Field("bool", "Level 1 waits for a target that cannot answer yet"),
    "money_lost": Field("bool", "payments are failing beyond the expected, or fulfilment is at risk"),
    "decision_requested": Field("bool", "Level 3 asked the user for a decision"),
    "attempts": Field("int", "fix attempts made"),
    "level": Field("int", "the level reached"),
}
"""Names an `escalate:` condition may use, besides `open_for` (a duration) and the rule's own signal fields."""
