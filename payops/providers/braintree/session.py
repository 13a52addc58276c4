"""One account's credentials and its connections to Braintree, and what is known about the mode of each credential."""

from __future__ import annotations

import threading
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from payops.config import AccountSettings
from payops.domain.errors import Bucket, ProviderError
from payops.domain.events import ApiCall
from payops.domain.payments import Mode
from payops.providers.port import Patience

from . import errors
from .keys import MODES, Keys, stored

if TYPE_CHECKING:
    from payops.providers.web import Pace, Web

    from .transport import Answer, Transport


class Session:
    """Shared by all threads that call for one account. Importing the SDK is left to the first call."""

    def __init__(
        self,
        settings: AccountSettings,
        secrets: Callable[[str], str],
        *,
        patience: Patience,
    ) -> None:
        self.account = settings.name
        self.mode: Mode = settings.mode
        self.shown_mode: dict[int, Mode] = {}
        """The mode each credential was last seen to have; absent = not known."""
        self.silent: set[int] = set()
        """Credentials that were asked for their mode and may not say it."""
        self._settings = settings
        self._secrets = secrets
        self._patience = patience
        self._lock = threading.Lock()
        self._transports: dict[int, Transport] = {}
        self._way: tuple[Web, Pace] | None = None
        self._closed = False
        self._keys: dict[int, Keys] = {}

    def keys(self, slot: int) -> Keys:
        """The stored credential `slot`; `UsageError` when there is none or it is unfit."""
        found = self._keys.get(slot)
        if found is None:
            found = self._keys[slot] = stored(self._settings, self._secrets, slot)
        return found

    def calls(self) -> tuple[ApiCall, ...]:
        """The requests made since this was last asked."""
        return self._way[0].drain() if self._way else ()

    def via(self, slot: int) -> Transport:
        """The connection with the credential `slot`."""
        keys = self.keys(slot)
        with self._lock:
            found = self._transports.get(slot)
            if found is None:
                from payops.providers.web import Pace, Web

                from .transport import Transport

                base = self._settings.api_base
                if self._way is None:
                    # The SDK would send even what is meant for loopback through a proxy of the environment.
                    secure = base is None or urlsplit(base).scheme == "https"
                    web = Web(self._patience, use_environment=secure)
                    self._way = web, Pace(self._patience.requests_per_s)
                    if self._closed:
                        self._end(*self._way)
                web, pace = self._way
                found = self._transports[slot] = Transport(
                    self.account,
                    keys,
                    mode=self.mode,
                    api_base=base,
                    patience=self._patience,
                    web=web,
                    pace=pace,
                )
            return found

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._way is not None:
                self._end(*self._way)

    def error(
        self, bucket: Bucket, message: str, answer: Answer | None = None, code: str | None = None
    ) -> ProviderError:
        return ProviderError(
            bucket,
            message,
            provider=errors.PROVIDER,
            account=self.account,
            code=code,
            request_id=answer.request_id if answer else None,
        )

    def environment(self, slot: int) -> tuple[Answer, str | None, str | None]:
        """What a fresh client token says: its answer, the name of the environment, the merchant id."""
        answer = self.via(slot).post("/client_token", {"client_token": {"version": 2}})
        value = answer.root.findtext("value") if answer.root.tag == "client-token" else None
        told = _token(value)
        name, merchant = told.get("environment"), told.get("merchantId")
        mode = MODES.get(name) if isinstance(name, str) else None
        if mode is None:
            self.shown_mode.pop(slot, None)
        else:
            self.shown_mode[slot] = mode
            self.silent.discard(slot)
        return (
            answer,
            name if isinstance(name, str) else None,
            merchant if isinstance(merchant, str) and merchant else None,
        )

    @staticmethod
    def _end(web: Web, pace: Pace) -> None:
        pace.stop()
        web.close()


class Reader:
    """The reads of one poll with one credential, counted."""

    def __init__(self, session: Session, slot: int) -> None:
        self.session = session
        self.slot = slot
        self.requests = 0
        self.request_id: str | None = None
        self.at: datetime | None = None
        """The provider's time of the last answer, where it says."""

    def get(self, path: str) -> Answer:
        return self._counted(lambda: self.session.via(self.slot).get(path))

    def post(self, path: str, params: Mapping[str, Any]) -> Answer:
        return self._counted(lambda: self.session.via(self.slot).post(path, params))

    def _counted(self, call: Callable[[], Answer]) -> Answer:
        self.requests += 1
        answer = call()
        self.request_id = answer.request_id or self.request_id
        self.at = answer.at
        return answer

    def require_known_mode(self) -> None:
        """Ask for the mode unless this credential has shown that it is of ours; raise when it is of the other.

        Braintree's objects do not say their mode: those of another environment would look like ours.
        """
        session = self.session
        if session.shown_mode.get(self.slot) != session.mode and self.slot not in session.silent:
            self.require_mode()

    def require_mode(self) -> None:
        """Raise when the credential is of the other mode: what it lists, or does not, says nothing about us."""
        session = self.session
        self.requests += 1
        try:
            session.environment(self.slot)
        except ProviderError as error:
            if error.bucket not in ("permission", "invalid_request"):
                raise
            session.silent.add(self.slot)  # it may not make client tokens
            return
        mode = session.shown_mode.get(self.slot)
        if mode is None:
            session.silent.add(self.slot)
        elif mode != session.mode:
            raise session.error(
                "invalid_request",
                f"key {session.keys(self.slot).hint} reads {mode} data, but account {session.account!r} is "
                f"{session.mode}: nothing is taken from it; store a {session.mode} key",
                code="wrong_mode",
            )


def _token(value: str | None) -> Mapping[str, Any]:
    try:
        told = msgspec.json.decode(b64decode(value or "", validate=False))
    except (NotBase64, ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
