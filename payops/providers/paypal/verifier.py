"""PayPal's webhook signature: RSA over id, time, webhook id and the checksum of the raw bytes, by certificate.

The webhook id is no secret, but it is what ties a delivery to one webhook of one app in one mode. The SDK's own
check fails on current libraries, follows any address it is sent and prints; nothing of it is used.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain import refusals
from payops.domain.errors import UsageError
from payops.domain.events import Facts
from payops.domain.payments import Mode
from payops.providers.foreign import Others, refused
from payops.providers.port import NotVerified, Patience, Undecided, Verified

from . import normalise, wire
from .certificates import Address, Certificate, Certificates, NotFetched, NotTrusted, address
from .fields import time
from .hosts import API_BASE
from .second_opinion import Opinion
from .session import Session

OLDEST = timedelta(days=4)
"""PayPal tries for three days, and a resend may carry the first transmission's time."""
FUTURE = timedelta(minutes=5)
_MOST_REWRITTEN = 16 * 1024
_ALGORITHMS = frozenset({"SHA256withRSA"})
_WEBHOOK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TRANSMISSION = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NAMES = {
    "transmission_id": "paypal-transmission-id",
    "time": "paypal-transmission-time",
    "signature": "paypal-transmission-sig",
    "cert_url": "paypal-cert-url",
    "algorithm": "paypal-auth-algo",
}


class PayPalVerifier:
    """Judges what is sent to the webhook of one stored credential."""

    waits = True

    def __init__(
        self,
        account: AccountSettings,
        secrets: Callable[[str], str],
        slot: int,
        patience: Patience,
        routes: Mapping[str, str],
        others: Others = (),
    ) -> None:
        # The certificate is read where the API is: a simulated PayPal needs no route of its own.
        reference = account.credential(slot).webhook_id
        webhook_id = None if reference is None else secrets(reference).strip()
        if webhook_id is not None and not _WEBHOOK_ID.fullmatch(webhook_id):
            raise UsageError(f"account {account.name!r}: webhook_id {reference} is no PayPal webhook id")
        self.account = account.name
        self._mode: Mode = account.mode
        self._webhook_id = webhook_id
        self._opinion = Opinion(Session(account, secrets, patience=patience), slot)
        self._others = tuple(others)
        base = account.api_base or API_BASE[account.mode]
        self._certificates = Certificates(
            patience,
            simulated=base if base.startswith("http:") else None,
            authority=account.webhook_ca,
        )

    def verify(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> Verified | NotVerified | Undecided:
        given = {field: headers.get(name, "") for field, name in _NAMES.items()}
        for field, value in given.items():
            if not value:
                return NotVerified(f"no {_NAMES[field]} header", "header")
        if given["algorithm"] not in _ALGORITHMS:
            return NotVerified("the signature's algorithm is none that PayPal uses", "header")
        at = time(given["time"])
        # A bar in the id could move the borders of what is signed.
        if at is None or not _TRANSMISSION.fullmatch(given["transmission_id"]):
            return NotVerified("the transmission's id or time is malformed", "header")
        try:
            where = address(given["cert_url"])
        except NotTrusted as error:
            return NotVerified(str(error), "header")
        if self._mode == "live" and where.mode == "test":
            return NotVerified("it names a certificate of the sandbox, and this account is live", "claim")
        if self._webhook_id is None:
            return NotVerified("no webhook_id is stored for this account", "signature")
        try:
            certificate = self._certificates.get(where, now)
        except NotFetched as error:
            # Without it only PayPal itself can tell: it is asked, within bounds.
            right = self._opinion.ask(body, headers, now)
            if right is None:
                return Undecided(str(error))
            if not right:
                return NotVerified("PayPal itself does not call the signature right", "signature")
        except NotTrusted as error:
            return NotVerified(str(error), "header")
        else:
            if not self._signed(given, body, certificate, self._webhook_id):
                return self._unsigned(given, body, certificate, where)
        if now - at > OLDEST:
            return NotVerified(f"the signature is older than {OLDEST.days} days", "timestamp")
        if at - now > FUTURE:
            return NotVerified("the signature is more than 5 minutes in the future", "timestamp")
        try:
            told, content = wire.one(body, wire.Event), wire.compact(body)
        except wire.Unreadable:
            return NotVerified("signed, but the body is no JSON object", "body")
        event = normalise.webhook_event(told, self.account)
        if event is None:
            return NotVerified("signed, but the body is no PayPal event", "body")
        return Verified(event, content)

    def challenge(self, text: str) -> str | None:
        return None

    def facts(self, payload: Mapping[str, object]) -> Facts:
        return normalise.facts((wire.from_mapping(payload, wire.Event),), self.account, self._mode)

    def _signed(
        self, given: Mapping[str, str], body: bytes, certificate: Certificate, webhook_id: str
    ) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        message = f"{given['transmission_id']}|{given['time']}|{webhook_id}|{zlib.crc32(body)}".encode()
        try:
            signature = b64decode(given["signature"], validate=True)
            certificate.key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, NotBase64, ValueError):
            return False
        return True

    def _unsigned(
        self, given: Mapping[str, str], body: bytes, certificate: Certificate, where: Address
    ) -> NotVerified:
        """Why it may not fit. A live certificate alone proves nothing to a sandbox account: PayPal's webhook
        simulator signs with it, whatever it shows; only with a body of the other mode it is a hint."""
        for other in self._others:
            if any(self._signed(given, body, certificate, each) for each in other.secrets):
                return refused(other)
        if any(self._signed(given, each, certificate, self._webhook_id or "") for each in _before(body)):
            return NotVerified(refusals.REWRITTEN.said, "signature")
        try:
            event = wire.from_mapping(wire.parse(body), wire.Event)
        except wire.Unreadable:
            event = wire.Event()
        strange = normalise.is_other_mode(event, self._mode)
        if strange and where.mode != self._mode:
            said = f"certificate and links are of the {where.mode} mode, and this account is {self._mode}"
            return NotVerified(said, "claim")
        if where.mode == "live" and (strange or self._mode == "test"):
            return NotVerified(refusals.SIMULATOR.said, "signature")
        return NotVerified("the signature does not fit the stored webhook_id", "signature")


def _before(body: bytes) -> Iterator[bytes]:
    """What a short body may have been before it was parsed and written again."""
    if len(body) > _MOST_REWRITTEN:
        return
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for ascii_only in (False, True):
        try:
            yield json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            continue
