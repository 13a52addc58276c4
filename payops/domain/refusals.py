"""Why webhooks fail their check, as far as it can be told, and what to do about each: one table for log, screen and doctor.

A reason starts with what its cause says; behind it may stand whose secret it was.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """`said` is how its reasons begin; `fix` what a person does."""

    said: str
    fix: str


STORED_SECRET = Cause(
    "signed with another stored secret of this account",
    "the secret was rolled, or an old one is in its overlap: promote the right one (webhook-signature-failing does)",
)
OTHER_MODE = Cause(
    "signed with the secret of the other mode",
    "an endpoint of the other mode has this URL: correct the URL there, or the stored secret here",
)
OTHER_ACCOUNT = Cause(
    "signed with the secret of another account",
    "its endpoint has the URL of this account: correct the URL at the provider",
)
CLI_SECRET = Cause(
    "the stored secret is that of `stripe listen`",
    "store the endpoint's own signing secret: the CLI's fits only what the CLI forwards",
)
ROLLED = Cause(
    "two signatures, and none of the stored secrets fits either",
    "a secret is being rolled: store the new one now, the old one ends within 24 h",
)
REWRITTEN = Cause(
    "the signature fits the body as it was before somebody rewrote it",
    "a proxy parses and writes the body anew: let it pass the bytes through untouched",
)
PAST = Cause(
    "the signature is older than",
    "a replay, or a clock: compare this machine's clock with a time server (timedatectl), then the proxy's delay",
)
FUTURE = Cause(
    "the signature is more than 5 minutes in the future",
    "this machine's clock is behind: set it by a time server (timedatectl)",
)
SIMULATOR = Cause(
    "it looks like an event of PayPal's webhook simulator",
    "nothing: its events can never be verified; try with a sandbox payment instead",
)
CAUSES = (
    STORED_SECRET,
    OTHER_MODE,
    OTHER_ACCOUNT,
    CLI_SECRET,
    ROLLED,
    REWRITTEN,
    PAST,
    FUTURE,
    SIMULATOR,
    Cause("the notification is older than", PAST.fix),
    Cause("the notification is more than 5 minutes in the future", FUTURE.fix),
    Cause(
        "the signature fits none of the stored webhook secrets",
        "compare the stored secret with the endpoint's own; if it is the same, somebody else sends to this URL",
    ),
    Cause(
        "signed with another key pair of what claims to be our merchant",
        "store the key pair that is now in use, as a fallback credential or in place of the old one",
    ),
    Cause(
        "the signature does not fit the stored webhook_id",
        "compare webhook_id with the webhook's id at PayPal: one that was made anew has a new id",
    ),
    Cause(
        "the certificate could not be fetched",
        "PayPal's certificate cannot be read from here: check DNS, proxy and firewall; the sender comes back",
    ),
)


def fix_of(reason: str) -> str | None:
    """What to do about a refusal with this reason; None where nothing is known of it."""
    return next((cause.fix for cause in CAUSES if reason.startswith(cause.said)), None)
