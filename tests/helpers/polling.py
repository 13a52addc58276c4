"""One account's pollers on a simulated world, in all weathers: what Hypothesis moves about, for any provider.

The world is in stepped time behind its real server on loopback; adapter, pages and store are the real ones. Between
the two stands `Weather`, which spoils the answers it is told to. A test brings a `Case`: the scenario, the feeds and
what the world's own books say; `sequences(case)` are the moves, `run(case, moves)` makes them and says what differs.
"""

from __future__ import annotations

import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from payops.config import AccountSettings
from payops.domain.errors import ProviderError
from payops.domain.events import FeedPage
from payops.providers import Patience, open_provider
from payops.providers.port import Provider
from payops.simulator import scenario as scenarios
from payops.simulator.account import Account
from payops.simulator.kinds import credentials
from payops.simulator.server import ProviderServer
from payops.simulator.wire import Api, Request, Response
from payops.simulator.world import World
from payops.store import Store

Books = Mapping[str, Mapping[str, Any]]
"""Kind of thing → its id → what is known of it: the world's, and the store's in the same words."""
SPOILT = ("drop", "answered and dropped", "outage", "rate_limited", "html", "truncated", "empty")
SKEWS_S = (-18_000, -3_600, -90, 90, 3_600, 18_000)
MOST_PAGES = 2_000


class Weather:
    """A provider's API as the world has it, spoilt as told: one word of `SPOILT`, or None, for each next request."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.coming: deque[str | None] = deque()
        self.met: Counter[str] = Counter()

    def respond(self, request: Request) -> Response:
        spoilt = self.coming.popleft() if self.coming else None
        if spoilt is None:
            return self._api.respond(request)
        self.met[spoilt] += 1
        if spoilt == "drop":
            raise ConnectionResetError("the line breaks")
        if spoilt in ("outage", "rate_limited"):
            return self._api.trouble(spoilt)
        answer = self._api.respond(request)
        if spoilt == "answered and dropped":
            raise ConnectionResetError("the line breaks")
        body = {
            "html": b"<!DOCTYPE html><html><body>Bad Gateway</body></html>",
            "truncated": answer.body[: len(answer.body) // 2],
            "empty": b"",
        }[spoilt]
        return replace(answer, body=body)

    def replay(self, record: Mapping[str, Any]) -> None:
        self._api.replay(record)

    def unreadable(self) -> Response:
        return self._api.unreadable()

    def trouble(self, kind: str) -> Response:
        return self._api.trouble(kind)


@dataclass(frozen=True)
class Case:
    """What is polled, and against which truth.

    `feeds` are read at random and, when all is over, in this order until they have no more; `lag` is how long the
    world then rests first. `truth` reads the world's books, `known` the store, in the same words.
    """

    scenario: str
    account: str
    feeds: tuple[str, ...]
    truth: Callable[[Account], Books]
    known: Callable[[Store, str], Books]
    lag: timedelta = timedelta(minutes=5)


@dataclass
class Tally:
    """What a proof went through, printed with its result."""

    sequences: int = 0
    polls: int = 0
    refused: int = 0
    kills: int = 0
    met: Counter[str] = field(default_factory=Counter)
    things: int = 0

    def __str__(self) -> str:
        weather = ", ".join(f"{n} {word}" for word, n in sorted(self.met.items()))
        return (
            f"{self.sequences} sequences, {self.polls} polls, {self.refused} refused, {self.kills} kills; "
            f"{self.things} facts compared; met {weather or 'nothing'}"
        )


class Pollers:
    """One world, one store, and an adapter that may be killed at any moment."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        scenario = scenarios.parse(case.scenario, "proof.yaml")
        self.world = World(scenario)
        self.world.advance(self.world.start)
        self.account = self.world.accounts[case.account]
        self.server = ProviderServer(self.world, self.account.provider)
        self.weather = Weather(self.server.api)
        self.server.api = self.weather
        self.server.start()
        self.store = Store.open(folder / "payops.db", now=self.world.start, seed="proof")
        self._settings, self._secrets = _settled(scenario, case.account, self.server.url)
        self.skew = timedelta()
        self.tally = Tally()
        self.provider = self._open()

    def _open(self) -> Provider:
        return open_provider(
            self._settings, self._secrets.__getitem__, Patience(requests_per_s=None, stated=True)
        )

    def kill(self) -> None:
        """A new process: only the store is left."""
        self.tally.kills += 1
        self.provider.close()
        self.provider = self._open()

    def page(self, feed: str) -> FeedPage | None:
        """One poll that is not stored yet; None when it failed, which is stored."""
        now = self.world.now + self.skew
        state = self.store.facts.feed(self.case.account, feed)
        self.tally.polls += 1
        try:
            return self.provider.poll(feed, state.cursor if state else None, now)
        except ProviderError as error:
            self.tally.refused += 1
            self.store.facts.feed_error(self.case.account, feed, error, now)
            return None

    def step(self, feed: str) -> bool:
        """One poll, stored whole; whether it asks to be called again."""
        page = self.page(feed)
        if page is None:
            return True
        self.store.facts.apply_page(self.case.account, page, self.world.now + self.skew)
        return page.more

    def advance(self, by: timedelta) -> None:
        self.world.advance(self.world.now + by)

    def settle(self) -> None:
        """Fair weather and a right clock, until no feed has more."""
        self.weather.coming.clear()
        self.skew = timedelta()
        self.advance(self.case.lag)
        for feed in self.case.feeds:
            for _ in range(MOST_PAGES):
                if not self.step(feed):
                    break
            else:
                raise AssertionError(f"reading {feed} does not end")

    def differences(self) -> list[str]:
        """Where the store and the world's books do not agree, in words; empty = nothing lost, nothing doubled."""
        truth = self.case.truth(self.account)
        known = self.case.known(self.store, self.case.account)
        found = []
        for kind, things in truth.items():
            told = known[kind]
            self.tally.things += len(things)
            found += [f"{kind} {each} is lost: {things[each]}" for each in things.keys() - told.keys()]
            found += [f"{kind} {each} never was: {told[each]}" for each in told.keys() - things.keys()]
            found += [
                f"{kind} {each} is {things[each]}, stored {told[each]}"
                for each in things.keys() & told.keys()
                if things[each] != told[each]
            ]
        return sorted(found)

    def close(self) -> None:
        self.provider.close()
        self.server.stop()
        self.store.close()


Move = tuple[str, Any]


def sequences(case: Case) -> st.SearchStrategy[list[Move]]:
    """Random sequences of moves: polls in all weathers, kills between pages, time that passes, clocks that jump."""
    feed = st.sampled_from(case.feeds)
    weather = st.lists(st.sampled_from((None, *SPOILT)), min_size=1, max_size=3)
    return st.lists(
        st.one_of(
            st.tuples(st.just("poll"), st.tuples(feed, weather)),
            st.tuples(st.just("poll"), st.tuples(feed, st.just([]))),
            st.tuples(st.just("killed before it was stored"), feed),
            st.tuples(st.just("kill"), st.none()),
            st.tuples(st.just("pass"), st.sampled_from((1, 29, 31, 60, 300, 1_800, 5_400))),
            st.tuples(st.just("clock"), st.sampled_from((0, 0, *SKEWS_S))),
        ),
        min_size=8,
        max_size=30,
    )


def run(case: Case, moves: Iterable[Move]) -> tuple[list[str], Tally]:
    """Make the moves on a fresh world; what then differs from its books, and what happened."""
    with tempfile.TemporaryDirectory() as folder:
        pollers = Pollers(case, Path(folder))
        try:
            for move, with_ in moves:
                _make(pollers, move, with_)
            pollers.settle()
            differences = pollers.differences()
        finally:
            pollers.close()
    pollers.tally.sequences = 1
    pollers.tally.met = pollers.weather.met
    return differences, pollers.tally


def _make(pollers: Pollers, move: str, with_: Any) -> None:
    match move:
        case "poll":
            feed, weather = with_
            pollers.weather.coming.clear()
            pollers.weather.coming.extend(weather)
            pollers.step(feed)
        case "killed before it was stored":
            pollers.weather.coming.clear()
            pollers.page(with_)
            pollers.kill()
        case "kill":
            pollers.kill()
        case "pass":
            pollers.advance(timedelta(seconds=with_))
        case "clock":
            pollers.skew = timedelta(seconds=with_)
        case _:
            raise AssertionError(move)


def add(total: Tally, one: Tally) -> None:
    """Sum what several sequences went through."""
    total.sequences += one.sequences
    total.polls += one.polls
    total.refused += one.refused
    total.kills += one.kills
    total.met += one.met
    total.things += one.things


def rows(store: Store, query: str, *values: object) -> dict[str, tuple[Any, ...]]:
    """The first column of a query → the others."""
    with store.read() as db:
        return {row[0]: tuple(row[1:]) for row in db.execute(query, values)}


def _settled(
    scenario: scenarios.Scenario, account: str, api_base: str
) -> tuple[AccountSettings, dict[str, str]]:
    """The account's settings with a reference for every secret, and what the references stand for."""
    provider = next(each for each in scenario.providers if scenario.account(each) == account)
    stored = credentials(scenario)[account]
    secrets = {
        f"env:{name}": value
        for name, value in stored.items()
        if isinstance(value, str) and name not in ("webhook_ca", "application_credential")
    }
    settings = AccountSettings.model_validate(
        {
            "name": account,
            "provider": provider,
            "mode": scenario.providers[provider].mode,
            "api_base": api_base,
            **{reference.removeprefix("env:"): reference for reference in secrets},
        }
    )
    return settings, secrets
