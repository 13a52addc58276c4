"""PayPal's own word on a webhook's signature, for where ours is in doubt."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from payops.domain.errors import ProviderError, UsageError

from . import wire
from .session import Session

log = logging.getLogger(__name__)
PATH = "/v1/notifications/verify-webhook-signature"
_FIELDS = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}


_MOST_ASKED = 6
_WITHIN = timedelta(minutes=1)


class Opinion:
    """Asks for one webhook at a time and so often a minute: anybody may send what is in doubt."""

    def __init__(self, session: Session, slot: int) -> None:
        self._session = session
        self._slot = slot
        self._lock = threading.Lock()
        self._asked: deque[datetime] = deque(maxlen=_MOST_ASKED)

    def ask(self, body: bytes, headers: Mapping[str, str], now: datetime) -> bool | None:
        """Whether PayPal calls the signature right; None when it cannot be asked, or was asked too often."""
        with self._lock:
            if len(self._asked) == _MOST_ASKED and timedelta() <= now - self._asked[0] < _WITHIN:
                return None
            self._asked.append(now)
            try:
                return ask(self._session, self._slot, body, headers, now)
            except (ProviderError, UsageError) as error:
                log.warning("%s: PayPal was not asked about a webhook: %s", self._session.account, error)
                return None


class Verdict(msgspec.Struct, frozen=True):
    verification_status: str | None = None


def ask(session: Session, slot: int, body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Whether PayPal verifies it for the stored webhook. `ProviderError` when it cannot be asked or does not say."""
    webhook_id = session.webhook_id(slot)
    if webhook_id is None:
        raise session.error("invalid_request", "no webhook_id is stored for this credential")
    try:
        wire.parse(body)
    except wire.Unreadable:
        raise session.error(
            "invalid_request", "the webhook's body is no JSON object: PayPal cannot judge it"
        ) from None
    given = {field: headers.get(header, "") for field, header in _FIELDS.items()}
    stated = json.dumps({**given, "webhook_id": webhook_id}, separators=(",", ":")).encode()
    # The signature is over these very bytes: a body that was parsed and written again fails.
    raw = stated[:-1] + b',"webhook_event":' + body + b"}"
    answer = session.api(slot).call("POST", PATH, now, data=raw)
    verdict = session.decode(answer, Verdict).verification_status
    if verdict not in ("SUCCESS", "FAILURE"):
        raise session.unreadable(answer, "it holds no verification_status")
    return verdict == "SUCCESS"
