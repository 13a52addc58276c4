from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from payops import config
from payops.domain.events import Delivery, Endpoint, Facts, FeedPage, WebhookEvent
from payops.domain.money import Money
from payops.domain.payments import Attempt, Dispute, Provider, Refund, Subscription
from payops.signals import object_gaps
from payops.store import Store

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BEGAN = NOW - 10 * DAY


class Shop:
    """One account with an endpoint of ours and one of the application."""

    def __init__(self, store: Store, provider: Provider, event_types: tuple[str, ...] = ("*",)) -> None:
        self.store, self.name = store, f"{provider}-live"
        url = f"https://payops.example/webhooks/{self.name}"
        secrets = {
            "stripe": ("api_key",),
            "braintree": ("merchant_id", "public_key", "private_key"),
            "paypal": ("client_id", "client_secret"),
        }[provider]
        account = {
            "name": self.name,
            "provider": provider,
            "mode": "live",
            "endpoints": [{"name": "payops", "url": url}, {"name": "shop", "url": "https://shop.example/in"}],
            **dict.fromkeys(secrets, "env:NAME"),
        }
        document = {"schema": config.SCHEMA, "accounts": [account]}
        self.account = config.parse(document, base=Path(), source="test").accounts[0]
        if provider != "braintree":
            known = Endpoint(self.name, "we_1", url, "enabled", event_types, True)
            self.page(feed="endpoints", endpoints=(known,))
            self.page(data_as_of=NOW)

    def page(self, **fields: Any) -> None:
        values = {"feed": "events", "read": 1, "requests": 1, "data_as_of": NOW, **fields}
        self.store.facts.apply_page(self.name, FeedPage(**values), NOW)

    def event(self, event_id: str, at: datetime, type_: str, object_id: str | None = None) -> WebhookEvent:
        return WebhookEvent(self.name, event_id, type_, at, True, object_id, 1000, "eur")

    def came(self, *events: WebhookEvent) -> None:
        self.store.inbox.receive(
            [Delivery(self.name, each, each.created_at, "{}", "0" * 64, "v1") for each in events]
        )

    def paid(self, attempt_id: str, at: datetime, **fields: Any) -> Attempt:
        values = {
            "account": self.name,
            "attempt_id": attempt_id,
            "at": at,
            "changed_at": at,
            "status": "succeeded",
            "captured": True,
            "amount_minor": 1000,
            "currency": "eur",
            "method": "card",
            **fields,
        }
        return Attempt(**values)

    def gaps(self, endpoint: int = 0) -> object_gaps.Gaps:
        return object_gaps.read(self.store, self.account, self.account.endpoints[endpoint], NOW)


def ids(gaps: tuple[object_gaps.Gap, ...] | None) -> dict[str, set[str]]:
    assert gaps is not None
    return {gap.type: set(gap.ids) for gap in gaps}


@given(
    listed=st.sets(st.integers(0, 15)),
    came=st.sets(st.integers(0, 15)),
    charged=st.sets(st.integers(0, 15)),
    order=st.randoms(use_true_random=False),
)
@trials(max_examples=25, deadline=None)
def test_both_gaps_are_the_exact_difference_whatever_the_order(
    listed: set[int], came: set[int], charged: set[int], order: Any
) -> None:
    with Store.in_memory(NOW) as store:
        shop = Shop(store, "stripe")
        shop.came(shop.event("evt_first", BEGAN, "charge.succeeded", "ch_first"))

        def at(n: int) -> datetime:
            return NOW - 2 * HOUR - n * MINUTE

        def event(n: int) -> WebhookEvent:
            return shop.event(f"evt_{n}", at(n), "charge.succeeded", f"ch_{n}")

        steps = [
            *[lambda n=n: shop.page(facts=Facts(events=(event(n),))) for n in listed],
            *[lambda n=n: shop.came(event(n)) for n in came],
            *[lambda n=n: shop.page(facts=Facts(attempts=(shop.paid(f"ch_{n}", at(n)),))) for n in charged],
        ]
        order.shuffle(steps)
        for step in steps:
            step()
        found = shop.gaps()
    missing = {f"evt_{n}" for n in listed - came}
    unmade = {f"ch_{n}" for n in charged - listed - came}
    assert ids(found.events) == ({"charge.succeeded": missing} if missing else {})
    assert ids(found.objects) == ({"charge.succeeded": unmade} if unmade else {})
    for gaps, count in ((found.events, len(missing)), (found.objects, len(unmade))):
        assert gaps is not None
        assert sum(money.amount_minor for gap in gaps for money in gap.money) == 1000 * count


def test_a_stripe_object_without_an_event_is_named_with_its_money(store: Store) -> None:
    shop = Shop(store, "stripe")
    shop.came(shop.event("evt_first", BEGAN, "charge.succeeded", "ch_first"))
    at = NOW - 2 * HOUR
    back = Refund(shop.name, "re_1", None, at, "succeeded", 300, "usd")
    claim = Dispute(shop.name, "dp_1", at, at, "needs_response", 900, "jpy")
    shop.page(
        facts=Facts(
            attempts=(
                shop.paid("ch_1", at),
                shop.paid("ch_no", at + MINUTE, status="failed", captured=None),
                shop.paid("ch_before_us", BEGAN - HOUR),
                shop.paid("ch_young", NOW - 5 * MINUTE),
                shop.paid("ch_held", at, captured=False),
            ),
            refunds=(back,),
            disputes=(claim,),
        )
    )
    found = shop.gaps()
    assert ids(found.objects) == {
        "charge.succeeded": {"ch_1"},
        "charge.failed": {"ch_no"},
        "refund.created": {"re_1"},
        "charge.dispute.created": {"dp_1"},
    }
    assert found.objects is not None
    by_type = {gap.type: gap for gap in found.objects}
    assert by_type["refund.created"].money == (Money(300, "USD"),)
    assert by_type["charge.dispute.created"].money == (Money(900, "JPY"),)
    assert all(gap.certain and gap.resend_until is None for gap in found.objects)
    assert found.events == ()


def test_a_listed_event_that_is_missing_has_its_deadlines(store: Store) -> None:
    shop = Shop(store, "stripe")
    shop.came(shop.event("evt_first", BEGAN, "charge.succeeded", "ch_first"))
    at = NOW - DAY
    shop.page(facts=Facts(events=(shop.event("evt_1", at, "charge.succeeded", "ch_1"),)))
    found = shop.gaps().events
    assert found is not None
    assert (found[0].first_at, found[0].gives_up_at, found[0].resend_until) == (
        at,
        at + 3 * DAY,
        at + 30 * DAY,
    )
    assert shop.gaps().objects == ()


def test_nothing_is_claimed_where_nothing_is_known(store: Store) -> None:
    shop = Shop(store, "stripe")
    shop.page(facts=Facts(attempts=(shop.paid("ch_1", NOW - 2 * HOUR),)))
    first_day = shop.gaps()
    assert (first_day.events, first_day.objects) == (None, None)
    assert "no event was received" in first_day.events_unknown
    shop.came(shop.event("evt_first", BEGAN, "charge.succeeded", "ch_first"))
    application = shop.gaps(endpoint=1)
    assert (application.events, application.objects) == (None, None)
    assert "application" in application.objects_unknown
    shop.page(more=True)
    assert shop.gaps().objects is None


def test_a_type_that_is_not_subscribed_is_no_gap(store: Store) -> None:
    shop = Shop(store, "stripe", ("charge.failed",))
    shop.came(shop.event("evt_first", BEGAN, "charge.failed", "ch_first"))
    shop.page(facts=Facts(attempts=(shop.paid("ch_1", NOW - 2 * HOUR),)))
    assert shop.gaps().objects == ()


def test_at_paypal_another_app_may_explain_it(store: Store) -> None:
    shop = Shop(store, "paypal")
    shop.came(shop.event("WH-1", BEGAN, "PAYMENT.CAPTURE.COMPLETED", "C0"))
    shop.page(feed="reporting", facts=Facts(attempts=(shop.paid("C1", NOW - DAY),)))
    found = shop.gaps().objects
    assert ids(found) == {"PAYMENT.CAPTURE.COMPLETED": {"C1"}}
    assert found is not None
    assert not found[0].certain
    assert "another app" in found[0].why


def _settlements(shop: Shop, n: int, method: str = "paypal_account") -> None:
    """n payments of five days ago, each with its event two hours later."""
    at = NOW - 5 * DAY
    shop.page(
        feed="transactions",
        facts=Facts(attempts=tuple(shop.paid(f"old{k}", at, method=method) for k in range(n))),
    )
    shop.came(*[shop.event(f"bt_{k}", at + 2 * HOUR, "transaction_settled", f"old{k}") for k in range(n)])


def test_braintree_settlements_are_missed_only_where_they_are_known_to_come(store: Store) -> None:
    shop = Shop(store, "braintree")
    shop.came(shop.event("bt_check", BEGAN, "check"))
    lost = shop.paid("lost", NOW - DAY, method="paypal_account")
    card = shop.paid("card", NOW - DAY)
    young = shop.paid("young", NOW - 4 * HOUR, method="paypal_account")
    shop.page(feed="transactions", facts=Facts(attempts=(lost, card, young)))
    _settlements(shop, object_gaps.ENOUGH - 1)
    assert shop.gaps().objects == ()
    _settlements(shop, object_gaps.ENOUGH)
    found = shop.gaps()
    assert ids(found.objects) == {"transaction_settled": {"lost"}}
    assert found.objects is not None
    assert not found.objects[0].certain
    assert found.objects[0].gives_up_at == lost.at + 2 * HOUR + DAY
    assert found.events is None
    assert "no list of events" in found.events_unknown


def test_braintree_disputes_and_subscription_charges_by_type(store: Store) -> None:
    shop = Shop(store, "braintree")
    at = NOW - 3 * DAY
    shop.came(shop.event("bt_check", BEGAN, "check"))
    disputes = tuple(Dispute(shop.name, f"d{n}", at, at, "needs_response", 500, "eur") for n in (1, 2))
    subscription = Subscription(shop.name, "sub", BEGAN, BEGAN, "active", "cus", 1000, "eur")
    renewals = [
        shop.paid(f"t{n}", at - n * HOUR * 24, customer="cus", initiated_by="renewal") for n in (0, 1)
    ]
    other = shop.paid("own_billing", at, customer="cus2", initiated_by="renewal")
    facts = Facts(attempts=(*renewals, other), disputes=disputes, subscriptions=(subscription,))
    shop.page(feed="transactions", facts=facts)
    assert shop.gaps().objects == ()
    shop.came(
        shop.event("bt_1", at + MINUTE, "dispute_opened", "d1"),
        shop.event("bt_2", at + MINUTE, "subscription_charged_successfully", "sub"),
    )
    assert ids(shop.gaps().objects) == {
        "dispute_opened": {"d2"},
        "subscription_charged_successfully": {"t1"},
    }
