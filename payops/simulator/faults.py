"""What breaks and when: each kind begins, and ends where it has an end, at its planned instant.

Kinds that change the provider's state do so once: a fix stays fixed. Kinds that are a condition hold until they end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from . import mishaps
from .cards import Buyer
from .ids import share
from .keys import Key
from .objects import Endpoint, Event
from .scenario_model import Fault

if TYPE_CHECKING:
    from .account import Account

T = TypeVar("T")
_MOST_LATE_MS = 90_000
_FAILING_SHARE = 0.5
"""Of the deliveries, while retries are off."""
_MOVED = "-before-the-move"


class Faults:
    """The faults of one account, as the parts of the world ask about them."""

    def __init__(self, account: Account, endpoints: dict[str, Endpoint]) -> None:
        self._account = account
        self._endpoints = endpoints
        self._on: list[Fault] = []
        self._keys: dict[int, Key] = {}
        self._touched: dict[int, list[object]] = {}

    def begin(self, at_ms: int, fault: Fault) -> None:
        self._on.append(fault)
        change = _BEGIN.get(fault.kind)
        if change is not None:
            change(self, fault)
        mishap = mishaps.OF.get(fault.kind)
        if mishap is not None:
            mishap(self._account, at_ms, fault)

    def end(self, at_ms: int, fault: Fault) -> None:
        self._on = [each for each in self._on if each is not fault]
        change = _END.get(fault.kind)
        if change is not None:
            change(self, fault)
        heal = mishaps.HEALS.get(fault.kind)
        if heal is not None:
            heal(self._account, at_ms, fault)

    def touch(self, fault: Fault, thing: object) -> None:
        """What a fault did something to: that is what its end puts right."""
        self._touched.setdefault(id(fault), []).append(thing)

    def touched(self, fault: Fault, kind: type[T]) -> list[T]:
        """The things of a kind that this very fault did something to, in that order."""
        return [each for each in self._touched.get(id(fault), ()) if isinstance(each, kind)]

    def now(self, kind: str) -> Fault | None:
        """The first fault of a kind that holds now."""
        return next((fault for fault in self._on if fault.kind == kind), None)

    def holds(self, fault: Fault) -> bool:
        """Whether this very fault has begun and not ended."""
        return any(each is fault for each in self._on)

    # What the checkout meets.

    def surge(self, buyer: Buyer) -> Fault | None:
        """The worst surge of declines that touches this buyer's card now."""
        if not self._on:
            return None
        touching = [fault for fault in self._on if fault.kind == "decline_surge" and _touches(fault, buyer)]
        return min(touching, key=lambda fault: fault.success_rate, default=None)

    @property
    def silent(self) -> bool:
        """Nobody can pay: no attempt is made, or the provider takes none and keeps no trace of it."""
        return (
            self.now("traffic_silence") is not None
            or self.now("provider_outage") is not None
            or not self._account.charges_enabled
        )

    @property
    def halted(self) -> bool:
        """The provider itself does nothing: it collects no renewal and gives nothing back."""
        return self.now("provider_outage") is not None or not self._account.charges_enabled

    # What deliveries meet.

    def closed(self, endpoint: Endpoint) -> bool:
        """Nobody outside can reach what answers for `endpoint`."""
        return any(fault.kind == "receiver_down" and fault.endpoint == endpoint.name for fault in self._on)

    def retries(self, endpoint: Endpoint) -> bool:
        """Whether a failed delivery is tried again."""
        return not self._endpoint_fault("webhook_retry_disabled", endpoint)

    def fails(self, event: Event, endpoint: Endpoint) -> bool:
        """Whether this try does not get through, by chance, while retries are off."""
        return not self.retries(endpoint) and self._luck("failed", event, endpoint) < _FAILING_SHARE

    def loses(self, event: Event, endpoint: Endpoint) -> bool:
        """Whether an event just made is never sent, and shown as if it had been."""
        fault = self._endpoint_fault("events_lost", endpoint)
        return fault is not None and self._luck("lost", event, endpoint) < fault.share

    def first_try_ms(self, event: Event, endpoint: Endpoint) -> tuple[int, ...]:
        """How much later than usual the first tries of an event go out: one number for each."""
        if not self._on:
            return (0,)
        late = 0
        if self._endpoint_fault("events_out_of_order", endpoint):
            late = int(self._luck("late", event, endpoint) * _MOST_LATE_MS)
        return (late, late + 2_000) if self._endpoint_fault("events_duplicated", endpoint) else (late,)

    def _luck(self, what: str, event: Event, endpoint: Endpoint) -> float:
        return share(self._account.seed, f"{self._account.name}/{what}/{event.id}/{endpoint.name}")

    def _endpoint_fault(self, kind: str, endpoint: Endpoint) -> Fault | None:
        return next((f for f in self._on if f.kind == kind and f.endpoint == endpoint.name), None)

    # What callers of the API meet.

    @property
    def trouble(self) -> str | None:
        """`drop`: the connection breaks; `outage`, `rate_limited`: the API says so; None: it works."""
        for kind, said in (
            ("network_drop", "drop"),
            ("provider_outage", "outage"),
            ("rate_limited", "rate_limited"),
        ):
            if self.now(kind) is not None:
                return said
        return None

    @property
    def latency_ms(self) -> int:
        """How long each answer takes."""
        slow = self.now("provider_slow")
        return 0 if slow is None else slow.latency_ms

    @property
    def skew_s(self) -> int:
        """How far the provider's clock is ahead of the world's."""
        skew = self.now("clock_skew")
        return 0 if skew is None else skew.seconds

    # Changes of the provider's state.

    def _disable(self, fault: Fault) -> None:
        endpoint = self._endpoints[fault.endpoint]
        endpoint.enabled, endpoint.disabled_by_user = False, False

    def _enable(self, fault: Fault) -> None:
        self._endpoints[fault.endpoint].enabled = True

    def _misdirect(self, fault: Fault) -> None:
        endpoint = self._endpoints[fault.endpoint]
        endpoint.url += _MOVED

    def _redirect(self, fault: Fault) -> None:
        endpoint = self._endpoints[fault.endpoint]
        endpoint.url = endpoint.url.removesuffix(_MOVED)

    def _unsubscribe(self, fault: Fault) -> None:
        endpoint = self._endpoints[fault.endpoint]
        dropped = self._account.busiest_event
        endpoint.enabled_events = tuple(name for name in endpoint.enabled_events if name != dropped)

    def _subscribe(self, fault: Fault) -> None:
        endpoint = self._endpoints[fault.endpoint]
        if not endpoint.wants(self._account.busiest_event):
            endpoint.enabled_events = (*endpoint.enabled_events, self._account.busiest_event)

    def _rotate(self, fault: Fault) -> None:
        self._account.rotate(self._endpoints[fault.endpoint])

    def _rotate_back(self, fault: Fault) -> None:
        self._account.rotate(self._endpoints[fault.endpoint], back=True)

    def _revoke(self, fault: Fault) -> None:
        self._seize(fault).revoked = True

    def _expire(self, fault: Fault) -> None:
        self._seize(fault).expired = True

    def _restore(self, fault: Fault) -> None:
        key = self._keys.pop(id(fault))
        key.revoked = key.expired = False

    def _turn(self, fault: Fault) -> None:
        self._account.keyring.turn(self._seize(fault))

    def _turn_back(self, fault: Fault) -> None:
        self._account.keyring.turn(self._keys.pop(id(fault)))

    def _deny(self, fault: Fault) -> None:
        self._seize(fault).denied.update(self._account.usual_permission)

    def _permit(self, fault: Fault) -> None:
        self._keys.pop(id(fault)).denied.clear()

    def _seize(self, fault: Fault) -> Key:
        key = self._keys[id(fault)] = self._account.keyring.monitor()
        return key

    def _restrict(self, fault: Fault) -> None:
        account = self._account
        account.charges_enabled = account.payouts_enabled = False
        account.requirements_due = ("company.verification.document", "representative.id_number")

    def _unrestrict(self, fault: Fault) -> None:
        account = self._account
        account.charges_enabled = account.payouts_enabled = True
        account.requirements_due = ()

    def _drift(self, fault: Fault) -> None:
        self._account.drifted = True

    def _undrift(self, fault: Fault) -> None:
        self._account.drifted = False


def _touches(fault: Fault, buyer: Buyer) -> bool:
    only = fault.only
    return (
        only.card_brand in (None, buyer.brand)
        and only.country in (None, buyer.country)
        and only.currency in (None, buyer.currency)
    )


_Change = Callable[[Faults, Fault], None]
_BEGIN: dict[str, _Change] = {
    "webhook_endpoint_disabled": Faults._disable,
    "webhook_url_wrong": Faults._misdirect,
    "webhook_event_type_unsubscribed": Faults._unsubscribe,
    "webhook_secret_rotated": Faults._rotate,
    "webhook_wrong_mode_secret": Faults._rotate,
    "key_revoked": Faults._revoke,
    "key_expired": Faults._expire,
    "key_wrong_mode": Faults._turn,
    "permission_missing": Faults._deny,
    "account_restricted": Faults._restrict,
    "api_version_drift": Faults._drift,
}
_END: dict[str, _Change] = {
    "webhook_endpoint_disabled": Faults._enable,
    "webhook_url_wrong": Faults._redirect,
    "webhook_event_type_unsubscribed": Faults._subscribe,
    "webhook_secret_rotated": Faults._rotate_back,
    "webhook_wrong_mode_secret": Faults._rotate_back,
    "key_revoked": Faults._restore,
    "key_expired": Faults._restore,
    "key_wrong_mode": Faults._turn_back,
    "permission_missing": Faults._permit,
    "account_restricted": Faults._unrestrict,
    "api_version_drift": Faults._undrift,
}
