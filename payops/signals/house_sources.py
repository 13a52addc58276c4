"""The signals of what is payops's own to guard: account data on its way in, the versions it speaks, its own health."""

from __future__ import annotations

from .fields import Field, Source

_ACCOUNT = ("account",)
_OF_ACCOUNT = ("account", "provider", "mode")
_LIMIT_S = 900

HOUSE_SOURCES: tuple[Source, ...] = (
    Source(
        "card_data",
        "Account data (a card number, a security code, a track) that was found on its way into the store, and masked.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "confirmed": Field("int", "findings nobody has looked at yet, beyond doubt"),
            "suspected": Field(
                "int", "the same: the check digit is right, and issuer range or context speaks against it"
            ),
            "seen": Field("int", "all findings there ever were"),
            "reviewed": Field("bool", "there were findings, and a person has looked at every one"),
            "kinds": Field(
                "string", "what was found and is not looked at: cvv, pan, track, joined by commas"
            ),
            "fields": Field("string", "where in the body or object, joined by commas"),
            "places": Field("string", "the event types and feeds it came by, joined by commas"),
            "closed": Field(
                "string", "fields nothing is kept of until a person has looked, joined by commas"
            ),
            "first_s": Field("int", "how long ago the first of them was found, seconds; unknown without one"),
        },
        _LIMIT_S,
    ),
    Source(
        "orders",
        "Orders that buyers approved, and those nothing was tried of: where declined wallets leave no trace (PayPal).",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "approved_1h": Field("int", "orders approved in the hour that ended 10 minutes ago"),
            "uncaptured_1h": Field("int", "of these, no capture and no authorization is known"),
            "share_1h": Field("double", "their share, 0..1"),
            "n_usual": Field("int", "orders approved in the 6 hours before that one"),
            "usual": Field("double", "the usual share, 0..1"),
            "usual_upper": Field("double", "the upper end of its 95 % interval"),
        },
        _LIMIT_S,
    ),
    Source(
        "platform",
        "payops's own health. Its account is `payops`; provider and mode say nothing.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "free_mb": Field("int", "room on the disk of the store, megabytes; unknown where it has no disk"),
            "free_share": Field("double", "the same of the whole disk, 0..1"),
            "late_s": Field(
                "int", "seconds by which a tick of the last 5 minutes came too late, 0 when in time"
            ),
            "audit_ok": Field("bool", "the end of the audit chain is what payops wrote last"),
        },
        _LIMIT_S,
    ),
    Source(
        "api_version",
        "In which API version the provider renders the account's events, and which one is meant: the configured one, or "
        "the one it was first seen with and a person did not accept another since.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "drifted": Field("bool", "it is another release than the one meant"),
            "version": Field("string", "the version of its newest event"),
            "meant": Field("string", "the version that is meant"),
            "reads": Field("string", "the version payops reads"),
            "since_s": Field("int", "how long ago that version was first seen, seconds"),
            "endpoints": Field(
                "string", "endpoints pinned to another release than the one meant, joined by commas"
            ),
        },
        _LIMIT_S,
    ),
)
