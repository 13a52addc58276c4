"""One call that is allowed and well-formed, and what answers it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from payops.domain.payments import Mode
from payops.simulator.log import Row

from . import errors
from .account import PayPalAccount
from .names import HOSTS, Shape, minor_of
from .shapes import Shapes

Answer = tuple[int, Shape | None]
"""Status and body; None = no body at all."""
KEPT_PAYMENTS = timedelta(days=45)
KEPT_ORDERS = timedelta(hours=6)
KEPT_SUBSCRIPTIONS = timedelta(hours=72)
_DISORDER_MS = 2_000
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Call:
    """`mode` is the client's, `id` the one in the path; `raw` is the body as it came. `home`: see `Access.home`."""

    account: PayPalAccount
    mode: Mode
    path: str
    id: str
    query: Shape
    body: Shape
    raw: str
    at_ms: int
    key: str | None = None
    brief: bool = False
    """The client did not ask for the whole object (`Prefer: return=representation`)."""

    @property
    def home(self) -> bool:
        return self.mode == self.account.mode

    @property
    def shapes(self) -> Shapes:
        return Shapes(self.account, self.mode)

    @property
    def base(self) -> str:
        return HOSTS[self.mode]

    def missing(self) -> errors.ApiError:
        return errors.missing(self.path)


def spanned(rows: list[R], first_ms: int, last_ms: int) -> range:
    """Where in a log lie the rows of these instants, and perhaps some more: it is in order but for a few moments."""

    def at(row: R) -> int:
        return row.at_ms

    low = bisect_left(rows, first_ms - _DISORDER_MS, key=at)
    return range(low, bisect_right(rows, last_ms + _DISORDER_MS, key=at))


def made(call: Call, shape: Shape) -> Answer:
    """201 with what a write made: id, status and links, or all of it for who prefers that."""
    if call.brief:
        shape = {name: shape[name] for name in ("id", "status", "links")}
    return 201, shape


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a call, the scope it needs, and for how long a `PayPal-Request-Id` keeps its answer.

    `writes`: it changes the world. One that is `keeps` None ignores request ids.
    """

    handler: Handler
    scope: str
    writes: bool = False
    keeps: timedelta | None = None


def amount_of(given: tuple[str, str], currency: str, mismatch: str) -> int:
    """Minor units of an amount in the currency there must be; `ApiError` 422 when it is none to take or give."""
    value, code = given
    if code != currency.upper():
        raise errors.refused(mismatch, field="/amount/currency_code", value=code)
    if value.startswith("-"):
        raise errors.refused("CANNOT_BE_ZERO_OR_NEGATIVE", field="/amount/value", value=value)
    try:
        minor = minor_of(value if value[0] != "." else f"0{value}", currency)
    except ValueError as error:
        raise errors.malformed("INVALID_REQUEST", "/amount/value", value, "body") from error
    if minor is None:
        issue = "DECIMALS_NOT_SUPPORTED" if currency == "jpy" else "DECIMAL_PRECISION"
        raise errors.refused(issue, field="/amount/value", value=value)
    if minor == 0:
        raise errors.refused("CANNOT_BE_ZERO_OR_NEGATIVE", field="/amount/value", value=value)
    return minor
