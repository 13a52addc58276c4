"""What breaks and when: each kind begins, and ends where it has an end, at its planned instant."""

from __future__ import annotations

from collections.abc import Callable

from .cards import Buyer
from .keys import Key, Keyring
from .objects import Endpoint
from .scenario import Fault


class Faults:
    """The faults of one account. Kinds that change the provider's state do so once: a fix stays fixed."""

    def __init__(self, endpoints: dict[str, Endpoint], keyring: Keyring) -> None:
        self._endpoints = endpoints
        self._keyring = keyring
        self._surges: list[Fault] = []
        self._closed: list[Fault] = []
        self._keys: dict[int, Key] = {}

    def begin(self, at_ms: int, fault: Fault) -> None:
        _BEGIN[fault.kind](self, fault)

    def end(self, at_ms: int, fault: Fault) -> None:
        _END[fault.kind](self, fault)

    def surge(self, buyer: Buyer) -> Fault | None:
        """The worst surge of declines that touches this buyer's card now."""
        if not self._surges:
            return None
        touching = [fault for fault in self._surges if _touches(fault, buyer)]
        return min(touching, key=lambda fault: fault.success_rate, default=None)

    def closed(self, endpoint: Endpoint) -> bool:
        """Nobody outside can reach what answers for `endpoint`."""
        return any(fault.endpoint == endpoint.name for fault in self._closed)

    def _disable(self, fault: Fault) -> None:
        self._endpoints[fault.endpoint].enabled = False

    def _enable(self, fault: Fault) -> None:
        self._endpoints[fault.endpoint].enabled = True

    def _revoke(self, fault: Fault) -> None:
        key = self._keys[id(fault)] = self._keyring.monitor()
        key.revoked = True

    def _restore(self, fault: Fault) -> None:
        self._keys.pop(id(fault)).revoked = False

    def _turn(self, fault: Fault) -> None:
        key = self._keys[id(fault)] = self._keyring.monitor()
        self._keyring.turn(key)

    def _turn_back(self, fault: Fault) -> None:
        self._keyring.turn(self._keys.pop(id(fault)))

    def _surge_begins(self, fault: Fault) -> None:
        self._surges.append(fault)

    def _surge_ends(self, fault: Fault) -> None:
        self._surges.remove(fault)

    def _close(self, fault: Fault) -> None:
        self._closed.append(fault)

    def _open(self, fault: Fault) -> None:
        self._closed.remove(fault)


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
    "decline_surge": Faults._surge_begins,
    "key_revoked": Faults._revoke,
    "key_wrong_mode": Faults._turn,
    "receiver_down": Faults._close,
}
_END: dict[str, _Change] = {
    "webhook_endpoint_disabled": Faults._enable,
    "decline_surge": Faults._surge_ends,
    "key_revoked": Faults._restore,
    "key_wrong_mode": Faults._turn_back,
    "receiver_down": Faults._open,
}
