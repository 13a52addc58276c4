"""A provider behind the port whose answers are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from payops.domain.errors import Bucket, ProviderError
from payops.domain.events import ApiCall, FeedPage
from payops.providers.port import FeedSpec

ACCOUNT = "stripe-live"
EVENTS = FeedSpec("events", 30, 1, "every charge", 60)
KEYS = FeedSpec("credential", 60, 2, "whether the key is accepted", 0)
ENDPOINTS = FeedSpec("endpoints", 60, 1, "whether it sends", 0)
UNDELIVERED = FeedSpec("undelivered", 60, 1, "what is not delivered", 60)
FOUR = (EVENTS, KEYS, ENDPOINTS, UNDELIVERED)
Answer = FeedPage | ProviderError


def page(cursor: str = "c", more: bool = False, feed: str = "events", **rest: object) -> FeedPage:
    return FeedPage(feed, 1, 1, cursor=cursor, more=more, **rest)  # type: ignore[arg-type]


def failure(bucket: Bucket = "outage", retry_after_s: float | None = None) -> ProviderError:
    return ProviderError(bucket, "it failed", provider="stripe", account=ACCOUNT, retry_after_s=retry_after_s)


@dataclass
class Scripted:
    """`answer` is asked with (feed, now); without it the `pages` are given one after the other."""

    pages: list[Answer] = field(default_factory=list)
    feeds: tuple[FeedSpec, ...] = (EVENTS,)
    answer: Callable[[str, datetime], Answer] | None = None
    account: str = ACCOUNT
    provider: str = "stripe"
    mode: str = "live"
    retention_s: int = 0
    cursors: list[str | None] = field(default_factory=list)
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    made: list[ApiCall] = field(default_factory=list)

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        self.cursors.append(cursor)
        self.asked.append((now, feed))
        if self.answer is not None:
            answer = self.answer(feed, now)
        else:
            answer = self.pages.pop(0) if self.pages else page(feed=feed)
        if isinstance(answer, ProviderError):
            self.made.append(ApiCall(feed, 50, answer.bucket))
            raise answer
        self.made.extend(ApiCall(feed, 50, None, 200, now) for _ in range(answer.requests))
        return answer

    def calls(self) -> tuple[ApiCall, ...]:
        made, self.made = tuple(self.made), []
        return made

    def close(self) -> None: ...
