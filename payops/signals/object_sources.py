"""The typed signals of single objects that went wrong: refunds, disputes, payouts, subscriptions, charges.

Each counts what still stands: what a later fact made good, or a person closed, is in none of them.
"""

from __future__ import annotations

from .fields import Field, Source

_ACCOUNT = ("account",)
_OF_ACCOUNT = ("account", "provider", "mode")
_OBJECTS_S = 3_600
"""A feed of such objects may be read seldom; what it showed does not change by itself."""

_MONEY_BACK = (
    Source(
        "failed_refunds",
        "Refunds that did not reach the buyer though nothing forbade them, that no later one has made good and no "
        "person has closed.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "such refunds of the last 60 days"),
            "count_24h": Field("int", "of these, failed in the last 24 hours"),
            "usual_24h": Field(
                "double",
                "refunds made in a day that failed, made good or not: the mean of the 30 days before",
            ),
            "reissuable": Field("int", "of these, whose reason does not say that the same would fail again"),
            "oldest_s": Field("int", "how long ago the first of them failed, seconds; 0 without one"),
        },
        _OBJECTS_S,
    ),
    Source(
        "stuck_refunds",
        "Refunds that wait, for longer than is worth no word.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "such refunds of the last 60 days that no person has closed"),
            "overdue": Field("int", "of these, for longer than waiting is right (an estimate)"),
            "oldest_s": Field("int", "how long the first of them waits, seconds; 0 without one"),
            "wait_s": Field(
                "int", "seconds until waiting is no longer right for the first of them; unknown without one"
            ),
            "why": Field("string", "what the first of them waits for, empty without one"),
        },
        _OBJECTS_S,
    ),
    Source(
        "excess_refunds",
        "Refunds that asked for more than was left of the payment, or came too late for the provider.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field(
                "int", "such refunds of the last 60 days, not made good and not closed by a person"
            ),
            "given_back": Field("int", "of these, that went through: more went back than came in"),
            "oldest_s": Field("int", "how long ago the first of them was made, seconds; 0 without one"),
        },
        _OBJECTS_S,
    ),
    Source(
        "disputes",
        "Disputes that wait for the merchant's reply: without one in time each is lost.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "disputes without a reply that no person has closed"),
            "due_s": Field("int", "seconds until the first reply is due; unknown where no deadline is told"),
            "due_24h": Field("int", "how many are due within 24 hours"),
            "without_deadline": Field("int", "how many tell no deadline"),
            "missed_7d": Field("int", "lost in the last 7 days right after their deadline: nobody replied"),
            "new_24h": Field("int", "of those without a reply, opened in the last 24 hours"),
            "usual_24h": Field("double", "disputes opened in a day, the mean of the 30 days before"),
        },
        _OBJECTS_S,
    ),
    Source(
        "failed_payouts",
        "Payouts that did not reach the bank; unknown where the provider's payouts are not seen.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field(
                "int", "those of the last 30 days after which none in their currency went out, not closed"
            ),
            "oldest_s": Field("int", "how long ago the first of them failed, seconds; 0 without one"),
            "code": Field("string", "why the last one failed, empty without one"),
        },
        _OBJECTS_S,
    ),
)

_SUBSCRIPTIONS = (
    Source(
        "past_due_subscriptions",
        "Subscriptions whose last bill is unpaid, those known to have no payment method aside.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "all that owe now and that no person has closed"),
            "count_1h": Field("int", "of these, since the last hour"),
            "collected_1h": Field("int", "scheduled renewals paid in the last hour"),
            "share_1h": Field("double", "those that owe, of them and the paid ones together, 0..1"),
            "count_24h": Field("int", "the same in the last 24 hours"),
            "collected_24h": Field("int", "the same in the last 24 hours"),
            "share_24h": Field("double", "the same in the last 24 hours"),
            "usual": Field(
                "double", "share of renewals refused in the 6 days before; unknown where declines are hidden"
            ),
            "usual_n": Field("int", "renewals those are a share of, 0 where declines are hidden"),
        },
        _OBJECTS_S,
    ),
    Source(
        "unpayable_subscriptions",
        "Subscriptions that owe and have no method to be charged; unknown where the provider does not tell.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "those that came to owe in the last 7 days and that no person has closed"),
            "count_1h": Field("int", "of these, since the last hour"),
            "oldest_s": Field("int", "how long the first of them owes, seconds; 0 without one"),
        },
        _OBJECTS_S,
    ),
    Source(
        "stuck_invoices",
        "Subscription bills that could not be finalized: nobody will collect them. Unknown without invoices.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "drafts with a finalization error that no person has closed"),
            "oldest_s": Field("int", "age of the oldest of them, seconds; 0 without one"),
            "code": Field("string", "the error of the last one, empty without one"),
        },
        _OBJECTS_S,
    ),
)

_CHARGES = (
    Source(
        "duplicates",
        "Purchases paid twice: two successes within 30 minutes for the same customer and amount, both kept.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "proven ones of the last 30 days, of one order, not closed by a person"),
            "count_1h": Field("int", "of these, whose second success is of the last hour"),
            "oldest_s": Field("int", "age of the first of them, seconds; 0 without one"),
            "suspected_1h": Field("int", "pairs of the last hour whose payments name no order"),
            "suspected_usual": Field("double", "such pairs in an hour, the mean of the 23 hours before"),
        },
        _OBJECTS_S,
    ),
    Source(
        "authorizations",
        "Money that is reserved, not captured, and let go when its time is over.",
        _ACCOUNT,
        _OF_ACCOUNT,
        {
            "count": Field("int", "authorizations that end within 24 hours and that no person has closed"),
            "next_s": Field("int", "seconds until the first of them ends; unknown without one"),
            "lapsed_7d": Field("int", "those that ended so in the last 7 days, as far as known"),
            "unguaranteed": Field(
                "int", "valid ones past the 3 days PayPal guarantees; unknown at other providers"
            ),
        },
        _OBJECTS_S,
    ),
)

OBJECT_SOURCES: tuple[Source, ...] = (*_MONEY_BACK, *_SUBSCRIPTIONS, *_CHARGES)
