"""Single fields of Stripe's objects as values of the domain; what cannot be believed is None. No I/O, no clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from payops.clock import from_epoch

from .wire import Bill, Customer, Reference

_LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
_INT64 = 2**63
_ID_LIMIT = 255
_WORD_LIMIT = 120


def ref(value: str | Reference | Customer | Bill | None) -> str | None:
    """The id of what is named or expanded."""
    return id_(value if value is None or isinstance(value, str) else value.id)


def id_(value: str | None) -> str | None:
    return value if value and len(value) <= _ID_LIMIT else None


def word(value: str | None) -> str | None:
    return value[:_WORD_LIMIT] if value else None


def mode_differs(livemode: bool | None, live: bool) -> bool:
    """Whether an object says that it is of the other mode."""
    return livemode is not None and livemode != live


def amount(value: int | None) -> int | None:
    """Minor units that SQL can keep; never negative."""
    return value if value is not None and 0 <= value < _INT64 else None


@lru_cache(maxsize=512)
def currency(value: str | None) -> str | None:
    if value is None or len(value) != 3 or not value.isascii() or not value.isalpha():
        return None
    return value.upper()


@lru_cache(maxsize=4096)
def time(value: int | None) -> datetime | None:
    return from_epoch(value) if value is not None and 0 < value < _LATEST else None
