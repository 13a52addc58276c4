"""The progress of one attempt, on disk before and after every call, so that a crash is read back and never repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import DEFINITE_REJECTIONS, NotPossible, ProviderError
from payops.domain.incidents import FixAttempt
from payops.providers.port import ActionAnswer
from payops.store import Store

MOST_CALLS = 2
"""How often one call is made with one key: once, and once more after a read-back found it not applied."""
KEPT_REQUEST_IDS = 20


@dataclass(frozen=True, slots=True)
class Done:
    """The call took effect: it was answered, or the read-back found it."""

    read_back: bool = False


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer, and it cannot be told yet whether it took effect."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer, and the read-back says it did not take effect."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider said no: it certainly did not take effect."""

    error: ProviderError


@dataclass(frozen=True, slots=True)
class Refused:
    """The adapter itself refused, before it sent anything: what it looked at does not allow the call."""

    reason: str


Written = Done | Unanswered | Lost | Rejected | Refused


class Journal:
    """What has been done of an attempt. Every change is stored before the method returns."""

    def __init__(self, store: Store, attempt: FixAttempt, now: datetime) -> None:
        self._store = store
        self._incident_id = attempt.incident_id
        self._n = attempt.n
        self.key = attempt.idempotency_key
        self.now = now
        self._data: dict[str, Any] = json.loads(attempt.progress)
        self.request_ids: tuple[str, ...] = attempt.request_ids

    @staticmethod
    def fresh(apply_until: datetime) -> str:
        """The progress a new attempt starts with; nothing is applied after `apply_until`."""
        return json.dumps({"apply_until": to_epoch(apply_until)})

    @staticmethod
    def bucket(attempt: FixAttempt) -> str | None:
        """With which kind of error the provider ended an attempt."""
        value = json.loads(attempt.progress).get("bucket")
        return value if isinstance(value, str) else None

    @staticmethod
    def retry_after_s(attempt: FixAttempt) -> float | None:
        """How long the provider asked to wait before the next attempt."""
        value = json.loads(attempt.progress).get("retry_after_s")
        return float(value) if isinstance(value, int | float) else None

    @staticmethod
    def noted(attempt: FixAttempt, name: str) -> dict[str, str]:
        """A stored mapping of an attempt, empty when it kept none."""
        value = json.loads(attempt.progress).get(name)
        return value if isinstance(value, dict) else {}

    def get(self, name: str, default: Any = None) -> Any:
        return self._data.get(name, default)

    def at(self, name: str) -> datetime | None:
        """A stored instant."""
        value = self._data.get(name)
        return None if value is None else from_epoch(value)

    def keep(self, **facts: object) -> None:
        """Store facts; a datetime is kept as epoch seconds, None removes the name."""
        self._merge(facts)
        self._save()

    @property
    def doing(self) -> str | None:
        """The call that was begun and has no known end."""
        value = self._data.get("doing")
        return value if isinstance(value, str) else None

    @property
    def begun_at(self) -> datetime:
        """When the call in `doing` was last made."""
        return self.at("doing_at") or self.now

    @property
    def calls(self) -> int:
        """How often the call in `doing` was made."""
        return int(self._data.get("doing_calls", 0))

    def begin(self, step: str, key: str = "") -> None:
        """The call `step` is about to be made, with this idempotency key."""
        calls = self.calls + 1 if self.doing == step else 1
        self._merge({"doing": step, "doing_at": self.now, "doing_calls": calls, "doing_key": key or None})
        self._save()

    def finish(self, request_ids: tuple[str, ...] = (), **facts: object) -> None:
        """The end of the call in `doing` is known. `facts` are stored with it, in the same write."""
        self.request_ids = _append(self.request_ids, request_ids)
        self._merge({"doing": None, "doing_at": None, "doing_calls": None, "doing_key": None, **facts})
        self._save()

    def _merge(self, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            if value is None:
                self._data.pop(name, None)
            else:
                self._data[name] = to_epoch(value) if isinstance(value, datetime) else value

    def _save(self) -> None:
        self._store.incidents.update_attempt(
            self._incident_id,
            self._n,
            self.now,
            progress=json.dumps(self._data, sort_keys=True),
            request_ids=self.request_ids,
        )


def write(
    journal: Journal,
    step: str,
    *,
    permit: Callable[[], None],
    call: Callable[[str], ActionAnswer],
    applied: Callable[[], bool | None],
    facts: Callable[[], dict[str, Any]] = dict,
    key: str | None = None,
) -> Written:
    """Make the call `step` at most once, whatever happens.

    `call` gets the idempotency key, `key` or one of the attempt's own. A call found begun (a crash, a timeout) is read back by `applied` before
    anything else; only when that says False is it made once more, with the same key. `facts` are stored in
    the same write as the success.
    """
    if journal.doing == step:
        state = applied()
        if state is True:
            journal.finish(took_effect=True, **facts())
            return Done(read_back=True)
        if state is None:
            return Unanswered(f"{step} was not answered and cannot be read back yet")
        if journal.calls >= MOST_CALLS:
            journal.finish()
            return Lost(f"{step} was made {MOST_CALLS} times without an answer; read back: not applied")
    elif journal.doing is not None:
        raise RuntimeError(f"{journal.doing} must be settled before {step}")
    permit()
    key = key or f"{journal.key}-{step}"
    journal.begin(step, key)
    try:
        answer = call(key)
    except NotPossible as refusal:
        journal.finish()
        return Refused(str(refusal))
    except ProviderError as error:
        if error.bucket in DEFINITE_REJECTIONS:
            journal.finish(_ids(error))
            return Rejected(error)
        state = applied()
        if state is None:
            return Unanswered(
                f"{step}: {error.bucket}, {error.message}; not known yet whether it was applied"
            )
        if state:
            journal.finish(_ids(error), took_effect=True, **facts())
            return Done(read_back=True)
        journal.finish(_ids(error))
        return Lost(f"{step}: {error.bucket}, {error.message}; read back: not applied")
    journal.finish(answer.request_ids, took_effect=True, **facts())
    return Done()


def _ids(error: ProviderError) -> tuple[str, ...]:
    return (error.request_id,) if error.request_id else ()


def _append(known: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The first few and the newest: a batch of hundreds does not need them all here."""
    merged = (*known, *(each for each in new if each not in known))
    if len(merged) <= KEPT_REQUEST_IDS:
        return merged
    half = KEPT_REQUEST_IDS // 2
    return (*merged[:half], *merged[-half:])
