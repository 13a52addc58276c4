"""One account's credentials and its connections to PayPal, and reads with one of them, counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from payops.config import AccountSettings
from payops.domain.errors import Bucket, ProviderError, UsageError
from payops.domain.events import ApiCall
from payops.domain.payments import Mode
from payops.providers.port import APPLICATION, Patience
from payops.text import mask, safe_line

from . import errors, wire
from .hosts import API_BASE

if TYPE_CHECKING:
    from payops.providers.web import Pace, Web

    from .transport import Answer, Api, Token

T = TypeVar("T", bound=msgspec.Struct)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHAPE = re.compile(r"[!-9;-~]{8,256}")


class Session:
    """Shared by all threads that call for one account. Importing the SDK is left to the first call."""

    def __init__(
        self, settings: AccountSettings, secrets: Callable[[str], str], *, patience: Patience
    ) -> None:
        self.account = settings.name
        self.mode: Mode = settings.mode
        self.base = (settings.api_base or API_BASE[settings.mode]).rstrip("/")
        self.seen_subscriptions: dict[str, None] = {}
        """Ids that events named, newest last: what is read one by one where PayPal does not list them."""
        self._settings = settings
        self._secrets = secrets
        self._patience = patience
        self._lock = threading.Lock()
        self._out: tuple[Web, Pace] | None = None
        self._apis: dict[int, Api] = {}
        self._closed = False
        self._clients: dict[int, tuple[str, str]] = {}

    def client(self, slot: int) -> tuple[str, str]:
        """Client id and secret of the stored credential `slot`; `UsageError` when there is none or it is unfit."""
        client = self._clients.get(slot)
        if client is None:
            client = self._clients[slot] = self._looked_up(slot)
        return client

    def hint(self, slot: int) -> str:
        """The client id as it may be shown."""
        return mask(self.client(slot)[0])

    def webhook_id(self, slot: int) -> str | None:
        """The configured webhook of the stored credential `slot`; None where none is."""
        if slot == APPLICATION:
            return None
        reference = self._settings.credential(slot).webhook_id
        return None if reference is None else self._secrets(reference).strip()

    def api(self, slot: int) -> Api:
        with self._lock:
            if slot not in self._apis:
                from payops.providers.web import Pace, Web

                from .transport import Api

                if self._out is None:
                    public = self.base.startswith("https:")
                    self._out = (
                        Web(self._patience, use_environment=public),
                        Pace(self._patience.requests_per_s),
                    )
                    if self._closed:
                        self._shut()
                self._apis[slot] = Api(
                    self.account, self.mode, self.base, self.client(slot), self.hint(slot), *self._out
                )
            return self._apis[slot]

    def token(self, slot: int, now: datetime, *, renew: bool) -> Token:
        return self.api(slot).token(now=now, renew=renew)

    def calls(self) -> tuple[ApiCall, ...]:
        """The requests made since this was last asked."""
        return self._out[0].drain() if self._out else ()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._shut()

    def decode(self, answer: Answer, kind: type[T]) -> T:
        try:
            return wire.one(answer.body, kind)
        except wire.Unreadable as error:
            raise self.unreadable(answer, str(error)) from None

    def checked(self, object_id: str) -> str:
        """An id as part of a path; `invalid_request` when it cannot be one of PayPal's."""
        if not _ID.fullmatch(object_id):
            raise self.error("invalid_request", f"{safe_line(object_id, limit=60)!r} is no PayPal id")
        return object_id

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

    def unreadable(self, answer: Answer, why: str) -> ProviderError:
        return errors.unreadable(
            answer.status, answer.body, why, account=self.account, request_id=answer.request_id
        )

    def _looked_up(self, slot: int) -> tuple[str, str]:
        settings = self._settings
        if slot == APPLICATION:
            reference = settings.application_credential
            if reference is None:
                raise UsageError(f"account {self.account!r} has no application credential")
            client_id, _, secret = self._secrets(reference).strip().partition(":")
            where = f"account {self.account!r}: application_credential {reference}"
            if not client_id or not secret:
                raise UsageError(f"{where} must be CLIENT_ID:CLIENT_SECRET")
        else:
            if not 0 <= slot < settings.slots:
                raise UsageError(f"account {self.account!r} has no stored credential {slot}")
            stored = settings.credential(slot)
            if stored.client_id is None or stored.client_secret is None:
                raise UsageError(
                    f"account {self.account!r}: fallback credential {slot} needs client_id and client_secret"
                )
            client_id = self._secrets(stored.client_id).strip()
            secret = self._secrets(stored.client_secret).strip()
            where = f"account {self.account!r}: {stored.client_id}, {stored.client_secret}"
        if not _SHAPE.fullmatch(client_id) or not _SHAPE.fullmatch(secret):
            raise UsageError(
                f"{where}: no PayPal client id and secret: they are printable ASCII without a colon"
            )
        return client_id, secret

    def _shut(self) -> None:
        if self._out is not None:
            self._out[1].stop()
            self._out[0].close()


class Reader:
    """The reads of one poll with one credential, at one instant, counted."""

    def __init__(self, session: Session, slot: int, now: datetime) -> None:
        self.session = session
        self.slot = slot
        self.now = now
        self.requests = 0
        self._told: datetime | None = None

    @property
    def seen_at(self) -> datetime:
        """When what was read last was so: by our clock, and never later than PayPal's.

        A state stamped by a clock ahead of theirs would win over every later one.
        """
        return self.now if self._told is None else min(self.now, self._told)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        self.requests += 1
        # Colons stay: PayPal writes times in its own links so.
        query = f"?{urlencode(params, safe=':', quote_via=quote)}" if params else ""
        answer = self.session.api(self.slot).call("GET", path + query, self.now)
        self._told = answer.at
        return answer

    def one(self, path: str, kind: type[T]) -> T:
        return self.session.decode(self.get(path), kind)

    def page(self, path: str, params: Mapping[str, str] | None, field: str) -> Page:
        """One page of a list whose rows are in `field`."""
        answer = self.get(path, params)
        listing = self.session.decode(answer, wire.Listing)
        rows: list[msgspec.Raw] | None = getattr(listing, field)
        if rows is None:
            if listing.count != 0 and listing.links is None:
                raise self.session.unreadable(answer, f"it holds no {field}")
            rows = []
        return Page(rows, listing, answer)


class Page(msgspec.Struct, frozen=True):
    """One page of a list."""

    rows: list[msgspec.Raw]
    listing: wire.Listing
    answer: object
    """The `transport.Answer` it came in."""

    @property
    def request_id(self) -> str | None:
        return getattr(self.answer, "request_id", None)

    @property
    def at(self) -> datetime | None:
        """PayPal's clock when it answered, where it told."""
        return getattr(self.answer, "at", None)
