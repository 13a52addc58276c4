"""What really happened to money in a simulated world, and whether anything of it must not have.

The checker knows the world and nothing of what acts on it: it imports no remedy, no provider and no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from payops.simulator.account import Account
from payops.simulator.objects import Charge
from payops.simulator.world import World

NEVER_AGAIN = frozenset(
    {
        "lost_card",
        "stolen_card",
        "pickup_card",
        "incorrect_number",
        "expired_card",
        "2012",
        "2013",
        "2004",
        "2007",
    }
)
"""Codes of the simulated providers after which the same card must not be asked again."""


@dataclass
class Ledger:
    """Listens to every write that reaches the provider; `violations` says what must not have been."""

    world: World
    forbidden: str = ""
    """Why nothing may be written at present."""
    writes: list[dict[str, Any]] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    """Refunds that somebody else made."""
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.recorder = self
        self._charges = {each.id for account in self._accounts for each in account.charges.rows}
        self._refunds = {each.id for account in self._accounts for each in account.refunds.rows}

    @property
    def _accounts(self) -> list[Account]:
        return list(self.world.accounts.values())

    def append(self, record: dict[str, Any]) -> None:
        """A write of somebody who uses the API."""
        if record.get("input") != "api":
            return
        self.writes.append(record)
        if self.forbidden:
            self.told.append(f"{self.forbidden}, and {record.get('method')} {record.get('path')} was written")

    def violations(self) -> list[str]:
        found = list(self.told)
        for account in self._accounts:
            for charge in account.charges.rows:
                found += self._of_charge(charge)
            found += self._of_purchases(account)
        return found

    def _of_charge(self, charge: Charge) -> list[str]:
        found = []
        back = [each for each in charge.refunds if each.status != "failed"]
        given = sum(each.amount for each in back)
        if given > charge.payment.amount:
            found.append(f"{charge.id}: {given} of {charge.payment.amount} went back")
        new = [each for each in back if each.id not in self._refunds]
        ours = [each for each in new if each.id not in self.others]
        if len(ours) > 1:
            found.append(f"{charge.id} was refunded {len(ours)} times: {', '.join(each.id for each in ours)}")
        failed = [each for each in charge.refunds if each.id in self._refunds and each.status == "failed"]
        if failed and len(new) > len(failed):
            found.append(f"{charge.id}: {len(failed)} refund failed and {len(new)} were made for it")
        return found

    def _of_purchases(self, account: Account) -> list[str]:
        found = []
        for payment in account.payments.rows:
            taken = [each for each in payment.charges if each.decline is None and each.captured]
            if len(taken) > 1:
                found.append(f"{payment.id} was charged {len(taken)} times")
            found += self._after_refusal(payment.charges)
        for subscription in account.subscriptions.rows:
            paid = [
                charge
                for payment in subscription.payments
                for charge in payment.charges
                if charge.decline is None and charge.captured and charge.id not in self._charges
            ]
            if len(paid) > 1:
                found.append(f"{subscription.id} paid {len(paid)} times for one period")
            found += self._after_refusal(
                [each for payment in subscription.payments for each in payment.charges]
            )
        return found

    def _after_refusal(self, charges: Sequence[Charge]) -> list[str]:
        """New tries that follow one the issuer refused for good."""
        return [
            f"{after.id} was tried after {before.id} was refused for good"
            for before, after in pairwise(charges)
            if before.decline is not None
            and before.decline.code in NEVER_AGAIN
            and after.id not in self._charges
        ]
