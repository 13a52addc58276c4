"""Stripe's account: its ids, its events, its retries."""

from __future__ import annotations

from typing import ClassVar

from payops.domain.payments import Mode, Provider
from payops.simulator.account import Account
from payops.simulator.objects import Charge, Dispute, Endpoint, Payout, Refund, Subscription

from .declines import BY_CODE, Decline, ordinary
from .keys import StripeKeyring, webhook_secret

_MINUTE_MS = 60_000
# Stripe says "up to three days with exponential back-off" (live) and "three times over a few hours" (test), and
# publishes no schedule: these are the waits after each failed try.
_WAITS_MS: dict[Mode, tuple[int, ...]] = {
    "live": tuple(minutes * _MINUTE_MS for minutes in (5, 30, 120, 300, 600, 600, 720, 720, 720)),
    "test": tuple(minutes * _MINUTE_MS for minutes in (30, 120)),
}
_REFERENCE_MS = 90_000
"""How long the card network takes to give a refund its reference."""
_PREFIXES = {
    "payment": "pi",
    "charge": "ch",
    "refund": "re",
    "event": "evt",
    "subscription": "sub",
    "invoice": "in",
    "dispute": "dp",
    "payout": "po",
}


class StripeAccount(Account):
    provider: ClassVar[Provider] = "stripe"

    def own_id(self) -> str:
        return self.ids.long("acct", "account").replace("acct_3", "acct_1")

    def make_keyring(self) -> StripeKeyring:
        return StripeKeyring(self.seed, self.name, self.mode)

    def endpoint_id(self, endpoint: str) -> str:
        return self.ids.long("we", endpoint)

    def endpoint_secret(self, endpoint: str) -> str:
        return webhook_secret(self.seed, self.name, endpoint)

    @property
    def busiest_event(self) -> str:
        return "charge.succeeded"

    @property
    def usual_permission(self) -> tuple[str, ...]:
        return ("rak_event_read",)

    def rotate(self, endpoint: Endpoint, *, back: bool = False) -> None:
        name = endpoint.name if back else f"{endpoint.name}/next"
        endpoint.secret = webhook_secret(self.seed, self.name, name)

    def strayed(self, at_ms: int) -> None:
        charge = next((c for c in reversed(self.charges.rows) if c.decline is None and not c.test), None)
        if charge is not None:
            self.happened(at_ms, "charge.succeeded", charge, 0, test=True)

    def retry_waits_ms(self) -> tuple[int, ...]:
        return _WAITS_MS[self.mode]

    def object_id(self, kind: str, number: int) -> str:
        return self.ids.long(_PREFIXES[kind], number)

    def decline(self, word: str) -> Decline:
        return BY_CODE[word]

    def ordinary_decline(self, share: float) -> Decline:
        return ordinary(share)

    def charged(self, at_ms: int, charge: Charge) -> None:
        payment = charge.payment
        if charge.decline is None:
            self.happened(at_ms, "charge.succeeded", charge, 0)
            self.happened(at_ms, "payment_intent.succeeded", payment, len(payment.charges))
        else:
            self.happened(at_ms, "charge.failed", charge, 0)
            self.happened(at_ms, "payment_intent.payment_failed", payment, len(payment.charges))

    def refunded(self, at_ms: int, refund: Refund, key: str | None) -> None:
        self.happened(at_ms, "charge.refunded", refund.charge, len(refund.charge.refunds), key)
        self.happened(at_ms, "refund.created", refund, 0, key)
        self.agenda.plan(at_ms + _REFERENCE_MS, self._reference, refund)

    def _reference(self, at_ms: int, refund: Refund) -> None:
        refund.referenced = True
        self.happened(at_ms, "refund.updated", refund, 1)

    def captured(self, at_ms: int, charge: Charge) -> None:
        return

    def refund_changed(self, at_ms: int, refund: Refund) -> None:
        return

    def stick_invoice(self, at_ms: int, subscription: Subscription) -> None:
        return

    def subscription_changed(self, at_ms: int, subscription: Subscription, why: str) -> None:
        return

    def dispute_changed(self, at_ms: int, dispute: Dispute) -> None:
        return

    def payout_changed(self, at_ms: int, payout: Payout) -> None:
        return
