"""One random life of a runner that may move money: calls that are lost, late or refused, crashes, stops, approvals."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from money_house import House, play_scenario
from money_ledger import Ledger

from payops.domain.errors import PayopsError, ProviderError
from payops.simulator.server import STATED_LATENCY
from payops.simulator.wire import Request, Response
from payops.simulator.world import to_ms
from payops.store import Store

WRITES = frozenset({"refund", "capture", "collect", "use_payment_method", "finalize_invoice"})
SOON, LATE = timedelta(seconds=60), timedelta(seconds=200)
"""So late a call without an answer takes effect; the second only where the provider remembers keys."""
OUTCOMES = (
    "ok", "ok", "ok", "applied", "lost", "soon", "late", "conflict", "rate_limited", "outage", "outage_applied",
    "killed_before", "killed_after", "killed_soon",
)  # fmt: skip
MEMORIES = ("kept", "forgotten", "refused")
"""What the provider does with idempotency keys; only Braintree refuses them."""
WHO = ("demo", "demo2")


class Killed(BaseException):
    """The process dies here."""


class Unreliable:
    """The provider's API behind a bad network: the next write goes as told."""

    def __init__(self, inner: Any, house: House, memory: str) -> None:
        self._inner = inner
        self._house = house
        self._memory = memory
        self.next = "ok"
        self.waiting: list[tuple[int, Request]] = []
        self.kill: Callable[[], None] = lambda: None
        """Ends the process that asks, where it is one of its own."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def respond(self, request: Request) -> Response:
        if not self._writes(request):
            return self._inner.respond(request)
        if self._memory == "forgotten":
            self._inner._kept.clear()
        outcome, self.next = self.next, "ok"
        if outcome == "conflict":
            return self._conflict()
        if outcome == "killed_before":
            self.kill()
            return _unheard(self._inner.trouble("outage"))
        if outcome == "killed_after":
            answer = self._inner.respond(request)
            self.kill()
            return _unheard(answer)
        if outcome == "killed_soon":
            self.waiting.append((to_ms(self._house.now + SOON), request))
            self.kill()
            return _unheard(self._inner.trouble("outage"))
        if outcome in ("rate_limited", "outage"):
            return self._inner.trouble(outcome)
        if outcome in ("soon", "late"):
            delay = LATE if outcome == "late" and self._memory == "kept" else SOON
            self.waiting.append((to_ms(self._house.now + delay), request))
        if outcome in ("lost", "soon", "late"):
            return _unheard(self._inner.trouble("outage"))
        answer = self._inner.respond(request)
        if outcome == "outage_applied":
            return self._inner.trouble("outage")
        return _unheard(answer) if outcome == "applied" else answer

    def deliver(self, now_ms: int) -> None:
        """What was on its way arrives."""
        due = [each for each in self.waiting if each[0] <= now_ms]
        self.waiting = [each for each in self.waiting if each[0] > now_ms]
        for _, request in due:
            if self._memory == "forgotten":
                self._inner._kept.clear()
            self._inner.respond(request)

    def _writes(self, request: Request) -> bool:
        path = request.path
        reading = "search" in path or "client_token" in path or "oauth2" in path
        return request.method in ("POST", "PUT", "PATCH") and not reading

    def _conflict(self) -> Response:
        """Somebody else has the object now: nothing is done."""
        return replace(self._inner.trouble("outage"), status=409)


def _unheard(answer: Response) -> Response:
    """An answer that comes after nobody waits for it any more."""
    return replace(answer, headers={**answer.headers, STATED_LATENCY: "200000"})


class Dying:
    """The adapter, in a process that may die at a write."""

    def __init__(self, inner: Any, play: Play) -> None:
        self._inner = inner
        self._play = play

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in WRITES:
            return method

        def call(*args: Any, **more: Any) -> Any:
            outcome = self._play.outcomes.pop(0) if self._play.outcomes else "ok"
            if outcome == "killed_before":
                raise Killed
            if not outcome.startswith("killed"):
                self._play.api.next = outcome
                return method(*args, **more)
            self._play.api.next = "soon" if outcome == "killed_soon" else "ok"
            with contextlib.suppress(ProviderError):
                method(*args, **more)
            raise Killed

        return call


class Play:
    """`moves` are methods; `violations()` is what the world's ledger says at any time."""

    def __init__(
        self, provider: str, memory: str = "kept", seed: int = 1, store: Store | None = None
    ) -> None:
        self.house = House(play_scenario(provider), seed, store)
        self.outcomes: list[str] = []
        self.api = Unreliable(self.house.server.api, self.house, memory)
        self.house.server.api = self.api
        self.house.wrap = lambda adapter: Dying(adapter, self)
        account = next(iter(self.house.world.accounts.values()))
        if memory == "refused" and provider == "braintree":
            account.request_keys = False
        for _ in range(4):
            self.house.advance(timedelta(seconds=60))
        self._break(account)
        self.ledger = Ledger(self.house.world)
        self.house.start_engine()
        for _ in range(3):
            self.house.advance(timedelta(seconds=60))
            self.house.poll()
        self.incidents = [
            self.house.open("duplicate_charge").id,
            self.house.open("refund_failed").id,
            self.house.open("refund_failed", dedup="again").id,
            self.house.open("authorization_expiring").id,
            self.house.open("subscription_past_due").id,
        ]
        self._stopped = self._disarmed = False

    def _break(self, account: Any) -> None:
        """Refunds of a part that failed, so that a second one would not be refused; a card that is stolen."""
        now_ms = to_ms(self.house.now)
        taken = [each for each in account.charges.rows if each.decline is None and each.captured]
        whole = [each for each in taken if not each.refunds and each.payment.doubles is None][:2]

        def failed(refund: Any) -> None:
            refund.status, refund.failure = "failed", "declined"

        with self.house.world.lock:
            for charge in whole:
                account.refund(now_ms, charge, charge.payment.amount // 4, reason=None, shape=failed)
            active = [each for each in account.subscriptions.rows if each.status == "active"][-1]
            account.traffic.renew(now_ms, active, account.decline("stolen_card"))

    # What may happen.

    def step(self, seconds: int = 10) -> None:
        self.arrive(seconds)
        self._alive(lambda: (self.house.poll(), self.house.tick()))

    def arrive(self, seconds: int) -> None:
        """Time passes at the provider; what was on its way takes effect."""
        self.house.advance(timedelta(seconds=seconds))
        # What was sent before a stop may arrive after it.
        self.ledger.forbidden = ""
        self.api.deliver(to_ms(self.house.now))
        self._forbid()

    def crash(self) -> None:
        self.house.start_engine()

    def expect(self, *outcomes: str) -> None:
        """How the next writes go."""
        self.outcomes += outcomes

    def approve(self, incident: int, who: str = "demo") -> None:
        self._alive(lambda: self.house.approve(self.incidents[incident], who))

    def fix(self, incident: int, who: str = "demo") -> None:
        house = self.house
        self._alive(
            lambda: house.runner.request_fix(self.incidents[incident], who, house.signals(), house.now)
        )

    def hold(self, incident: int) -> None:
        self._alive(lambda: self.house.runner.hold(self.incidents[incident], "demo", "", self.house.now))

    def stop(self) -> None:
        self.house.store.switches.stop("demo", "test", self.house.now)
        self._stopped = True
        self._forbid()

    def resume(self) -> None:
        self.house.store.switches.resume("demo", "test", self.house.now)
        self._stopped = False
        self._forbid()

    def disarm(self) -> None:
        self._arming("disarm")

    def arm(self) -> None:
        self._arming("arm")

    def somebody_refunds(self) -> None:
        """A person makes good in the dashboard what failed; nobody could know of a call of ours on its way."""
        if self.api.waiting:
            return
        account = next(iter(self.house.world.accounts.values()))
        with self.house.world.lock:
            for charge in account.charges.rows:
                failed = [each for each in charge.refunds if each.status == "failed"]
                good = [each for each in charge.refunds if each.status != "failed"]
                if failed and not good:
                    made = account.refund(to_ms(self.house.now), charge, failed[0].amount, reason=None)
                    self.ledger.others.add(made.id)
                    return

    def violations(self) -> list[str]:
        """What must not have been, and what of the bounds of Level 1 does not hold."""
        found = self.ledger.violations()
        store = self.house.store
        for incident in self.incidents:
            attempts = store.incidents.attempts(incident)
            if len(attempts) > 2:
                found.append(f"{incident} has {len(attempts)} attempts")
            found += [f"{incident}: payops moved money alone" for each in attempts if each.by == "payops"]
        return found

    def close(self) -> None:
        self.house.close()

    def _arming(self, how: str) -> None:
        from payops.domain.catalogue import REMEDY_IDS

        getattr(self.house.store.switches, how)(
            self.house.account, REMEDY_IDS, "demo", "test", self.house.now
        )
        self._disarmed = how == "disarm"
        self._forbid()

    def _forbid(self) -> None:
        self.ledger.forbidden = (
            "everything was stopped" if self._stopped else "nothing is armed" if self._disarmed else ""
        )

    def _alive(self, act: Callable[[], object]) -> None:
        try:
            with contextlib.suppress(PayopsError):
                act()
        except Killed:
            self.crash()
