from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from payops.config import Settings
from payops.domain.events import Facts
from payops.signals import endpoint_board, read
from payops.store import Store

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Made = dict[str, Any]


def _listed(store: Store, made: Made, now: datetime, *events: tuple[str, datetime]) -> None:
    facts = Facts(events=tuple(made["event"](name, at) for name, at in events))
    store.facts.apply_page("stripe-live", made["page"](facts=facts), now)


def _endpoints(store: Store, made: Made, now: datetime, **fields: object) -> None:
    known = made["endpoint"](**fields)
    store.facts.apply_page("stripe-live", made["page"](feed="endpoints", endpoints=(known,)), now)


def test_a_card_says_nothing_of_what_is_not_known(store: Store, settings: Settings, now: datetime) -> None:
    for card in endpoint_board.read(store, settings, now):
        assert (card.present, card.status, card.mode, card.api_version, card.subscribed) == (None,) * 5
        assert (card.last_received_at, card.share, card.share_of, card.undelivered) == (None,) * 4
        assert (card.failing_days, card.disabled_at, card.types_missing) == (None,) * 3


def test_a_card_shows_the_providers_words_and_what_came(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    types = ("charge.succeeded", "charge.failed")
    _endpoints(store, made, now, event_types=types, api_version="2025-03-31.basil")
    store.inbox.receive([made["delivery"](name, now - HOUR) for name in ("a", "b", "c")])
    _listed(store, made, now, *((name, now - HOUR) for name in "abc"), ("lost", now - 2 * HOUR))
    _listed(store, made, now, ("early", now - 3 * HOUR))
    own, shop = endpoint_board.read(store, settings, now)
    assert (own.present, own.status, own.mode, own.api_version) == (
        True,
        "enabled",
        "live",
        "2025-03-31.basil",
    )
    assert own.subscribed == types
    assert own.types_missing is not None
    assert "refund.created" in own.types_missing
    assert "charge.failed" not in own.types_missing
    assert own.last_received_at == now - HOUR + timedelta(seconds=1)
    # What was made before the first verified event is not judged.
    assert (own.share, own.share_of) == (1.0, 3)
    assert (own.failing_days, own.disabled_at) == (0, None)
    assert (shop.present, shop.share, shop.last_received_at, shop.types_missing) == (False, None, None, None)


def test_consecutive_failure_is_counted_from_the_first_event_that_did_not_come(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    _endpoints(store, made, now)
    store.inbox.receive([made["delivery"]("came", now - 5 * DAY)])
    first = now - 4 * DAY
    _listed(store, made, now, ("came", now - 5 * DAY), ("lost_1", first), ("lost_2", now - HOUR))
    own = endpoint_board.read(store, settings, now)[0]
    assert (own.failing_days, own.disabled_at) == (4, first + 9 * DAY)
    assert (own.share, own.share_of) == (0.0, 1)
    _endpoints(store, made, now, status="disabled")
    assert endpoint_board.read(store, settings, now)[0].disabled_at is None
    store.inbox.receive([made["delivery"]("lost_2", now - HOUR)])
    assert endpoint_board.read(store, settings, now)[0].failing_days == 0


def test_types_an_endpoint_of_ours_lacks_are_a_signal_and_another_ones_are_not(
    store: Store, settings: Settings, now: datetime, made: Made
) -> None:
    def said() -> list[object]:
        return [row.values["types_missing"] for row in read(store, settings, now)["endpoints"]]

    assert said() == [None, None]
    _endpoints(store, made, now)
    assert said() == [0, None]
    _endpoints(store, made, now, event_types=("charge.succeeded",))
    assert said() == [19, None]
    _endpoints(store, made, now, url="https://shop.example/hooks", event_types=("charge.succeeded",))
    assert said() == [None, None]
