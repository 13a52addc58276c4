"""What passes between a provider's simulated API and its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case; `path` is decoded and has no query."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is what goes over the wire."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Api(Protocol):
    """One provider's API as a function. `respond` may be called from many threads."""

    def respond(self, request: Request) -> Response:
        """The answer at the world's present instant; every error is an answer too."""

    def replay(self, record: Mapping[str, Any]) -> None:
        """Do a recorded write again; its answer was given long ago."""

    def unreadable(self) -> Response:
        """The provider's answer to a request it cannot read."""

    def trouble(self, kind: str) -> Response:
        """The provider's answer while a fault has its API: `outage` or `rate_limited`."""
