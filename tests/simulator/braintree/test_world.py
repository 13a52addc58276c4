"""The same seed makes the same world, however it is advanced and whether it was told again from its journal."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from braintree.exceptions.authorization_error import AuthorizationError

from payops.domain.event_types import EVENT_TYPES
from payops.simulator import journal
from payops.simulator.braintree import kind
from payops.simulator.braintree.account import BraintreeAccount
from payops.simulator.braintree.api import BraintreeApi
from payops.simulator.braintree.declines import BY_WORD, ordinary
from payops.simulator.braintree.ids import Codes
from payops.simulator.braintree.keys import pair
from payops.simulator.declines import BLOCKED, WORDS
from payops.simulator.scenario import Scenario
from payops.simulator.wire import Request, Response
from payops.simulator.world import World

from .conftest import Open, make_scenario, notification

SCENARIO = make_scenario(
    warmup="5h",
    faults="""
  - {kind: refund_stuck, provider: braintree, at: 2m}
  - {kind: subscription_past_due, provider: braintree, at: 3m}
  - {kind: dispute_opened, provider: braintree, at: 4m}
  - {kind: test_object_in_live, provider: braintree, at: 5m}
  - {kind: events_duplicated, provider: braintree, at: 6m}
""",
)
EVERYTHING = "<search><type type='array'><item>sale</item><item>credit</item></type></search>"


def account_of(world: World) -> BraintreeAccount:
    (account,) = world.accounts.values()
    assert isinstance(account, BraintreeAccount)
    return account


def ask(world: World, api: BraintreeApi, method: str, path: str, body: str = "") -> Response:
    account = account_of(world)
    basic = b64encode(pair(world.seed, account.name, "monitor").token.encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    return api.respond(Request(method, f"/merchants/{account.id}/{path}", body=body, headers=headers))


def picture(world: World, api: BraintreeApi) -> list[Any]:
    """What the API shows, and what is sent."""
    shown: list[Any] = [
        ask(
            world, api, "POST", f"{what}/advanced_search_ids", EVERYTHING if what == "transactions" else ""
        ).body
        for what in ("transactions", "subscriptions")
    ]
    shown += [
        ask(world, api, "GET", f"transactions/{row.id}").body for row in account_of(world).book.log.rows[-60:]
    ]
    shown += [
        ask(world, api, "GET", f"subscriptions/{row.id}").body for row in account_of(world).subscriptions.rows
    ]
    shown += [notification(world, send) for send in world.due_deliveries(world.now)]
    shown.append([event.id for event in account_of(world).events.rows])
    return shown


def made(scenario: Scenario = SCENARIO, seed: int = 3) -> World:
    world = World(scenario, seed)
    world.advance(world.start)
    return world


def test_the_same_seed_makes_the_same_bytes_however_time_is_moved() -> None:
    whole, steps, other = made(), made(), made(seed=4)
    end = whole.start + timedelta(minutes=20)
    whole.advance(end)
    other.advance(end)
    for minute in range(21):
        steps.advance(steps.start + timedelta(minutes=minute))
    first = picture(whole, BraintreeApi(whole))
    assert first == picture(steps, BraintreeApi(steps))
    assert first[0] != picture(other, BraintreeApi(other))[0]


def test_a_journal_tells_every_write_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    world = made()
    api = BraintreeApi(world)
    world.recorder = journal.begin(path, world)
    account = account_of(world)
    world.advance(world.start + timedelta(minutes=6))
    settled = next(row for row in account.book.newest() if row.status == "settled" and not row.charge.refunds)
    fresh = next(
        row for row in account.book.newest() if row.status == "submitted_for_settlement" and not row.refund
    )
    owed = next(row for row in account.subscriptions.rows if row.status == "past_due")
    token = account.token_of(next(b for b in account.buyers if b.currency == "usd" and b.customer))
    sale = (
        f"<transaction><type>sale</type><amount>9.99</amount><payment_method_token>{token}</payment_method_token>"
        "<order_id>web-1</order_id><api_request_key>k1</api_request_key></transaction>"
    )
    retry = (
        f"<transaction><amount/><subscription_id>{owed.id}</subscription_id><type>sale</type>"
        "<options><submit_for_settlement type='boolean'>true</submit_for_settlement></options></transaction>"
    )
    answers = [
        ask(world, api, "POST", "transactions", sale).status,
        ask(world, api, "POST", "transactions", sale).status,
        ask(world, api, "POST", f"transactions/{settled.id}/refund").status,
        ask(world, api, "POST", f"transactions/{settled.id}/refund").status,
        ask(world, api, "PUT", f"transactions/{fresh.id}/void").status,
        ask(world, api, "POST", "transactions", retry).status,
        ask(world, api, "POST", "transactions", retry).status,
        ask(world, api, "PUT", "transactions/nothing/void").status,
    ]
    assert answers == [201, 201, 201, 422, 200, 201, 422, 404]
    for send in world.due_deliveries(world.now):
        world.delivered(send, world.now)
    world.advance(world.start + timedelta(minutes=9))
    past = journal.read(path, SCENARIO, 3)
    assert past is not None
    again = World(SCENARIO, 3, past.start)
    second = BraintreeApi(again)
    journal.replay(past, again, {"braintree": second})
    again.advance(world.now)
    assert picture(again, second) == picture(world, api)
    assert (
        ask(again, second, "POST", "transactions", sale).body
        == ask(world, api, "POST", "transactions", sale).body
    )


def test_every_word_has_an_answer_and_only_one_is_the_gateways_own() -> None:
    assert set(BY_WORD) == set(WORDS)
    assert [word for word, decline in BY_WORD.items() if decline.blocked] == [BLOCKED]
    for word, decline in BY_WORD.items():
        if not decline.blocked:
            assert 2000 <= int(decline.code) <= 3000 and decline.text, word
    assert ordinary(0.0) is BY_WORD["insufficient_funds"]
    assert ordinary(1.0) is BY_WORD[BLOCKED]


def test_no_two_numbers_have_one_code_and_no_code_reads_as_digits_alone() -> None:
    codes = [Codes(3, "braintree-live").code(number) for number in range(50)]
    one = Codes(7, "braintree-test")
    codes += [one.code(number) for number in range(20_000)]
    assert len(set(codes)) == len(codes)
    assert all(len(code) == 8 and code.islower() and code.isalnum() for code in codes)


def test_stored_secrets_are_those_the_gateway_knows(live: Open) -> None:
    world = live(rate=0, options=", fallback_credential: true, application_credential: true")
    keyring = world.account.keyring
    plain = kind.stored(3, world.account.name, world.account.options, rotated=False)
    assert plain == world.stored == kind.stored(3, world.account.name, world.account.options, rotated=True)
    assert keyring.get(f"{plain['public_key']}:{plain['private_key']}") is keyring.named("monitor")
    merchant, _, token = plain["application_credential"].partition(":")
    assert merchant == world.account.id and keyring.get(token) is keyring.named("application")


def test_what_is_submitted_settles_and_is_paid_out(live: Open) -> None:
    world = live(rate=0.5)
    sale = world.newest("submitted_for_settlement")
    seen = []
    for hours in (0, 3.1, 4.1, 29):
        world.after(hours=hours)
        found = world.gateway.transaction.find(sale.id)
        seen.append((found.status, found.disbursement_details.disbursement_date is not None))
    assert seen == [
        ("submitted_for_settlement", False),
        ("settling", False),
        ("settled", False),
        ("settled", True),
    ]
    steps = [step.status for step in found.status_history]
    assert steps == ["authorized", "submitted_for_settlement", "settling", "settled"]
    times = [step.timestamp for step in found.status_history]
    assert times == sorted(times) and found.settlement_batch_id


@pytest.mark.parametrize(
    ("what", "status", "event"),
    [
        ("settle", "settled", "transaction_settled"),
        ("settlement_decline", "settlement_declined", "transaction_settlement_declined"),
        ("settlement_pending", "settlement_pending", None),
    ],
)
def test_the_sandbox_can_be_told_what_becomes_of_a_settlement(
    live: Open, what: str, status: str, event: str | None
) -> None:
    world = live(mode="test")
    sale = world.newest("submitted_for_settlement")
    path = f"{world.gateway.config.base_merchant_path()}/transactions/{sale.id}/{what}"
    answer = world.gateway.config.http().put(path)
    assert answer["transaction"]["status"] == status
    kinds = {each.type for each in world.account.events.rows if each.subject is sale.charge}
    assert kinds == ({event} if event else set()) and kinds <= set(EVENT_TYPES["braintree"])


def test_only_the_sandbox_takes_such_orders(live: Open) -> None:
    world = live()
    sale = world.newest("submitted_for_settlement")
    path = f"{world.gateway.config.base_merchant_path()}/transactions/{sale.id}/settle"
    with pytest.raises(AuthorizationError):
        world.gateway.config.http().put(path)


@pytest.mark.parametrize(("currency", "decimals"), [("jpy", 0), ("eur", 2)])
def test_amounts_have_as_many_decimals_as_their_currency(live: Open, currency: str, decimals: int) -> None:
    world = live(rate=20)
    row = next(row for row in world.account.book.newest() if row.currency == currency)
    found = world.gateway.transaction.find(row.id)
    assert -found.amount.as_tuple().exponent == decimals
    assert int(found.amount.scaleb(decimals)) == row.amount
