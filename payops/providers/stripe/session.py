"""One account's keys and its connection to Stripe, and what is known about the mode of each key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from payops.config import AccountSettings
from payops.domain.errors import Bucket, ProviderError, UsageError
from payops.domain.events import ApiCall
from payops.domain.payments import OTHER_MODE, Mode
from payops.providers.port import APPLICATION, Patience
from payops.text import mask

from . import errors, keys, wire

if TYPE_CHECKING:
    from .transport import Answer, Transport

T = TypeVar("T", bound=msgspec.Struct)
_OPTIONAL = frozenset({"read account"})
"""What payops does without: a restricted key may not read the account, and its refusal names the account."""


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
        self.identities: dict[int, str] = {}
        """The account each credential was last seen to belong to."""
        self.event_version: str | None = None
        """The API version of the newest event read: what the account itself is set to."""
        self.looked_at: dict[str, datetime] = {}
        """Subscription → the change of it after which it was last read itself."""
        self.probed: dict[int, int] = {}
        """The hour in which each credential's seldom used permissions were last tried."""
        self._refused: dict[int, dict[str, str]] = {}
        self._settings = settings
        self._secrets = secrets
        self._patience = patience
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._closed = False
        self._keys: dict[int, str] = {}

    def key(self, slot: int) -> str:
        """The secret of the stored credential `slot`; `UsageError` when there is none or it is unfit."""
        key = self._keys.get(slot)
        if key is None:
            key = self._keys[slot] = self._read_key(slot)
        return key

    def _read_key(self, slot: int) -> str:
        if slot == APPLICATION:
            reference = self._settings.application_credential
            if reference is None:
                raise UsageError(f"account {self.account!r} has no application_credential")
            return keys.check_foreign(self._secrets(reference), self._settings, reference)
        if not 0 <= slot < self._settings.slots:
            raise UsageError(f"account {self.account!r} has no stored credential {slot}")
        reference = self._settings.credential(slot).api_key
        if reference is None:
            raise UsageError(f"account {self.account!r}: fallback credential {slot} has no api_key")
        return keys.check(self._secrets(reference), self._settings, reference)

    def missing(self, slot: int) -> tuple[str, ...]:
        """Permissions Stripe refused this credential by name and has not granted since."""
        return tuple(sorted(set(self._refused.get(slot, {}).values())))

    def calls(self) -> tuple[ApiCall, ...]:
        """The requests made since this was last asked."""
        return self._transport.calls() if self._transport else ()

    def get(self, slot: int, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        key = self.key(slot)
        return self._watched(slot, f"read {wire.resource(path)}", lambda way: way.get(key, path, params))

    def post(self, slot: int, path: str, params: Mapping[str, Any], idempotency_key: str) -> Answer:
        key = self.key(slot)
        return self._watched(
            slot,
            f"write {wire.resource(path)}",
            lambda way: way.post(key, path, params, idempotency_key),
        )

    def _watched(self, slot: int, what: str, call: Callable[[Transport], Answer]) -> Answer:
        """Keep in mind what a refusal, or the lack of one, says about the credential."""
        refused = self._refused.setdefault(slot, {})
        try:
            answer = call(self._connected())
        except ProviderError as error:
            permission = errors.permission_in(error.message) if error.bucket == "permission" else None
            if permission is not None and what not in _OPTIONAL:
                refused[what] = permission
            mode = errors.elsewhere(error.message)
            if mode is not None and error.code == errors.WRONG_MODE:
                self.shown_mode[slot] = OTHER_MODE[mode]
            raise
        refused.pop(what, None)
        return answer

    def decode(self, answer: Answer, kind: type[T]) -> T:
        """The one object of an answer; an error stated in a 2xx answer is an error all the same."""
        try:
            found = wire.one(answer.body, kind)
        except wire.Unreadable as error:
            raise self.unreadable(answer, error) from None
        if errors.states_error(answer.body):
            raise self.unreadable(answer, wire.Unreadable("an error stands where the object should"))
        return found

    def balance(self, slot: int) -> tuple[Answer, Mode | None]:
        """The cheapest proof of a credential's mode; None when the answer does not say."""
        answer = self.get(slot, "/v1/balance")
        live = self.decode(answer, wire.Balance).livemode
        mode: Mode | None = None if live is None else "live" if live else "test"
        if mode is None:
            self.shown_mode.pop(slot, None)
        else:
            self.shown_mode[slot] = mode
        return answer, mode

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._transport is not None:
                self._transport.close()

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

    def unreadable(self, answer: Answer, error: wire.Unreadable) -> ProviderError:
        return errors.unreadable(
            answer.status, answer.body, str(error), account=self.account, request_id=answer.request_id
        )

    def _connected(self) -> Transport:
        with self._lock:
            if self._transport is None:
                from .transport import Transport

                self._transport = Transport(
                    self.account,
                    api_base=self._settings.api_base,
                    api_version=self._settings.api_version,
                    patience=self._patience,
                )
                if self._closed:
                    self._transport.close()
            return self._transport


class Reader:
    """The reads of one poll with one credential, counted."""

    def __init__(self, session: Session, slot: int) -> None:
        self.session = session
        self.slot = slot
        self.requests = 0

    def page(self, path: str, params: Mapping[str, Any], kind: type[T]) -> tuple[list[T], bool, Answer]:
        """One page of a list, whether there are more, and the answer it came in."""
        self.requests += 1
        answer = self.session.get(self.slot, path, params)
        try:
            return (*wire.page(answer.body, kind), answer)
        except wire.Unreadable as error:
            raise self.session.unreadable(answer, error) from None

    def one(self, path: str, kind: type[T], params: Mapping[str, Any] | None = None) -> T:
        return self.answered(path, kind, params)[0]

    def answered(self, path: str, kind: type[T], params: Mapping[str, Any] | None = None) -> tuple[T, Answer]:
        """One object and the answer it came in."""
        self.requests += 1
        answer = self.session.get(self.slot, path, params)
        return self.session.decode(answer, kind), answer

    def refuse_known_wrong_mode(self) -> None:
        """Ask again when this credential was seen to be of the other mode; raise while it still is."""
        if self.session.shown_mode.get(self.slot, self.session.mode) != self.session.mode:
            self.require_mode()

    def require_mode(self, *, suspect: bool = False) -> None:
        """Raise when the credential is of the other mode: what it lists, or does not, says nothing about us.

        Where the key may not read the balance, the mode is unknown, and `suspect` decides.
        """
        session = self.session
        self.requests += 1
        try:
            mode = session.balance(self.slot)[1]
        except ProviderError as error:
            if error.bucket != "permission":
                raise
            mode = None
        if mode == session.mode or (mode is None and not suspect):
            return
        raise session.error(
            "invalid_request",
            f"key {mask(session.key(self.slot))} reads {mode or 'other'} data, but account "
            f"{session.account!r} is {session.mode}: nothing is taken from it; store a {session.mode} key",
            code=errors.WRONG_MODE,
        )
