"""Events of our own inbox processed once more: the same facts, exactly once, and nothing that is overtaken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from payops import config
from payops.config import Settings
from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.events import ApiCall, CredentialProof, Delivery, Endpoint, WebhookEvent
from payops.domain.money import Money
from payops.engine import replay as replaying
from payops.engine.board import CommandResult
from payops.engine.commands import Hands, Request, carry_out
from payops.engine.outside import real_world
from payops.engine.replay import BATCH, ReplayPlan, application, batches, fields, plan, resend_fields
from payops.engine.wiring import build_engine, open_verifiers
from payops.providers.port import ActionAnswer
from payops.receiver.processing import process_inbox
from payops.remedies import Runner, http_probe
from payops.signals import read
from payops.store import Store
from payops.store.inbox import InboxFilter, InboxRow
from payops.store.inbox_search import RETAIN_BODIES

ACCOUNT = "stripe-live"
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
T0 = int(NOW.timestamp()) - 3600
SHOP = "https://shop.example/webhooks/stripe"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, text in (("key", "rk_live_1234567890abcdefghijkl"), ("whsec", "whsec_1234567890abcdef")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return config.parse(
        {
            "schema": config.SCHEMA,
            "operators": [{"name": "ana", "roles": ["operator"]}, {"name": "vic", "roles": ["viewer"]}],
            "accounts": [
                {
                    "name": ACCOUNT,
                    "provider": "stripe",
                    "mode": "live",
                    "api_key": "file:key",
                    "webhook_secrets": ["file:whsec"],
                    "endpoints": [
                        {"name": "ours", "url": f"https://ops.example/webhooks/{ACCOUNT}"},
                        {"name": "shop", "url": SHOP},
                    ],
                },
                {
                    "name": "bt",
                    "provider": "braintree",
                    "mode": "live",
                    "merchant_id": "env:A",
                    "public_key": "env:B",
                    "private_key": "env:C",
                    "endpoints": [{"name": "app", "url": "https://shop.example/webhooks/bt-app"}],
                },
            ],
        },
        base=tmp_path,
        source="test",
    ).model_copy(update={"base": tmp_path})


@pytest.fixture
def only_stripe(settings: Settings) -> Settings:
    return settings.model_copy(update={"accounts": settings.accounts[:1]})


def delivery(n: int, charge: int, status: str = "succeeded", at: int = 0) -> Delivery:
    created = T0 + at
    content = {
        "id": f"evt_{n}",
        "object": "event",
        "type": f"charge.{status}",
        "created": created,
        "livemode": True,
        "pending_webhooks": 1,
        "data": {
            "object": {
                "id": f"ch_{charge}",
                "object": "charge",
                "created": T0,
                "livemode": True,
                "amount": 1000 + charge,
                "currency": "eur",
                "status": status,
                "customer": f"cus_{charge % 3}",
                "payment_intent": f"pi_{charge}",
            }
        },
    }
    event = WebhookEvent(
        ACCOUNT, f"evt_{n}", f"charge.{status}", datetime.fromtimestamp(created, UTC), True,
        f"ch_{charge}", 1000 + charge, "eur", 1,
    )  # fmt: skip
    return Delivery(ACCOUNT, event, NOW, json.dumps(content), "ab" * 32, "signature")


def process(store: Store, settings: Settings, now: datetime = NOW) -> int:
    return process_inbox(
        store, open_verifiers(settings, real_world(settings), store), now, replaying._Alone()
    )


def rows(store: Store) -> list[InboxRow]:
    return store.inbox.oldest_first(InboxFilter(), 1000)


def do(store: Store, settings: Settings, words: dict[str, str], who: str = "ana") -> CommandResult:
    runner = Runner(store, {}, settings, http_probe({}), lambda reference: "")
    request = Request("replay", None, words, who, NOW, read(store, settings, NOW))
    return carry_out(Hands(store, settings, runner), request)


def learned(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of facts, as it is."""
    tables = (
        "attempts", "rollup", "refunds", "account_totals", "provider_events", "quarantine", "subscriptions",
        "invoices", "disputes", "payouts", "inbox_totals",
    )  # fmt: skip
    with store.read() as db:
        return {
            table: [tuple(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in tables
        }


CHANGES = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["pending", "failed", "succeeded"]), st.integers(0, 50)),
    min_size=1,
    max_size=12,
)


@examples(max_examples=25, deadline=None)
@given(changes=CHANGES, again=st.sets(st.integers(1, 12)))
def test_what_is_processed_twice_is_known_once(changes: list[tuple[int, str, int]], again: set[int]):
    account = config.AccountSettings.model_validate(
        {
            "name": ACCOUNT,
            "provider": "stripe",
            "mode": "live",
            "api_key": "env:K",
            "webhook_secrets": ["env:W"],
        }
    )
    from payops.providers import open_verifier

    verifiers = {ACCOUNT: open_verifier(account, lambda _: "whsec_x")}
    with Store.in_memory(NOW) as store:
        store.inbox.receive([delivery(n, *change) for n, change in enumerate(changes, start=1)])
        process_inbox(store, verifiers, NOW, replaying._Alone())
        before = learned(store)
        chosen = [row.id for row in rows(store) if row.id in again]
        assert store.inbox.put_back(chosen) == len(chosen)
        assert process_inbox(store, verifiers, NOW, replaying._Alone()) == len(chosen)
        assert process_inbox(store, verifiers, NOW, replaying._Alone()) == 0
        assert learned(store) == before


def test_a_dead_letter_is_processed_from_its_first_try_on(store: Store, only_stripe: Settings) -> None:
    store.inbox.receive([delivery(1, 1), delivery(2, 2)])
    now = NOW
    for _ in range(6):
        (row, *_) = store.inbox.pending(1, now)
        store.inbox.fail(row, "it was broken", now)
        now += timedelta(hours=2)
    process(store, only_stripe)
    assert store.inbox.counts(ACCOUNT, NOW).dead == 1
    result = do(store, only_stripe, fields(rows(store)[:1], "repaired"))
    assert result == CommandResult(True, "1 event processed again (evt_1)")
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row is not None
    assert (row.state, row.tries, row.error) == ("processed", 0, None)
    assert store.facts.attempts_count(ACCOUNT) == 2


def test_one_that_fails_again_is_named_and_tried_later(store: Store, only_stripe: Settings) -> None:
    store.inbox.receive([delivery(1, 1), delivery(2, 2)])
    process(store, only_stripe)
    with store.write() as db:
        db.execute("UPDATE inbox SET body = '[]' WHERE event_id = 'evt_2'")
    said = do(store, only_stripe, fields(rows(store), "again")).message
    assert said.startswith("1 event processed again (evt_1 to evt_2); 1 failed: evt_2: ")
    row = store.inbox.row(ACCOUNT, "evt_2")
    assert row is not None and (row.state, row.tries) == ("failed", 1)


def test_what_the_present_state_has_overtaken_is_left_alone(store: Store, only_stripe: Settings) -> None:
    store.inbox.receive([delivery(1, 1, "pending", 1), delivery(2, 1, "succeeded", 2), delivery(3, 2, at=3)])
    process(store, only_stripe)
    verifiers = open_verifiers(only_stripe, real_world(only_stripe), store)
    with store.write() as db:
        db.execute("UPDATE inbox SET body = '' WHERE event_id = 'evt_3'")
    made = plan(store, verifiers, rows(store))
    assert [row.event.event_id for row in made.rows] == ["evt_2"]
    assert [(each.row.event.event_id, each.why.split()[0]) for each in made.skipped] == [
        ("evt_1", "overtaken:"),
        ("evt_3", "its"),
    ]
    assert made.money == (Money(1001, "EUR"),)
    assert made.oldest_at == made.newest_at == datetime.fromtimestamp(T0 + 2, UTC)
    store.inbox.put_back([row.id for row in rows(store)])
    taken = plan(store, verifiers, rows(store)).rows
    assert [row.event.event_id for row in taken] == ["evt_1", "evt_2"], "what waits is settled by it"
    assert plan(store, {}, rows(store)).rows == ()


def test_one_goes_first_and_the_rest_in_batches_oldest_first(store: Store) -> None:
    store.inbox.receive([delivery(n, n, at=-n) for n in range(1, 6)])
    made = batches(ReplayPlan.of(store.inbox.search(InboxFilter(), 10)).rows, together=2)
    assert [[row.event.event_id for row in part] for part in made] == [
        ["evt_5"],
        ["evt_4", "evt_3"],
        ["evt_2", "evt_1"],
    ]
    assert batches([]) == []


def test_who_and_why_are_in_the_audit(store: Store, only_stripe: Settings) -> None:
    store.inbox.receive([delivery(1, 1)])
    words = fields(rows(store), "the parser was repaired")
    number = store.commands.put("replay", None, words, "ana", "cli", NOW)
    detail = store.audit.rows()[-1].detail
    assert "the parser was repaired" in str(detail) and "n1" in str(detail)
    result = do(store, only_stripe, dict(store.commands.result(number).fields))
    assert result.ok, result.message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"rows": "n1"}, "reason is empty"),
        ({"reason": "x"}, "rows is empty"),
        ({"rows": "n1;drop", "reason": "x"}, "row numbers"),
        ({"rows": ",".join(["n1"] * (BATCH + 1)), "reason": "x"}, "row numbers"),
        ({"rows": "n99", "reason": "x"}, "none of these events"),
    ],
)
def test_a_command_that_names_nothing_is_refused(
    store: Store, only_stripe: Settings, words: dict[str, str], said: str
) -> None:
    result = do(store, only_stripe, words)
    assert not result.ok and said in result.message


def test_a_viewer_replays_nothing(store: Store, only_stripe: Settings) -> None:
    store.inbox.receive([delivery(1, 1)])
    assert "needed: operator" in do(store, only_stripe, fields(rows(store), "x"), "vic").message
    assert rows(store)[0].state == "received"


class NothingToPoll:
    """The engine's readings, where no account is read."""

    def run(self, now: datetime) -> bool:
        return True


def test_a_tick_of_the_engine_lets_go_of_old_bodies(store: Store, only_stripe: Settings) -> None:
    store.inbox.receive([delivery(1, 1), delivery(2, 2)])
    process(store, only_stripe)
    polls: Any = NothingToPoll()
    engine = build_engine(store, only_stripe, real_world(only_stripe), {}, polls, None)
    engine.tick(NOW + RETAIN_BODIES)
    assert all(row.body for row in rows(store))
    engine.tick(NOW + RETAIN_BODIES + timedelta(days=1))
    assert not any(row.body for row in rows(store))


class Stripe:
    """What the provider was asked to send again; `refusal` is its answer from the second on."""

    def __init__(self, refusal: ProviderError | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.closed = False
        self._refusal = refusal

    def use_slot(self, slot: int) -> None: ...

    def resend_event(self, event_id: str, endpoint_id: str, key: str, now: datetime) -> ActionAnswer:
        if self.asked and self._refusal is not None:
            raise self._refusal
        self.asked.append((event_id, endpoint_id))
        return ActionAnswer(("req_1",))

    def calls(self) -> tuple[ApiCall, ...]:
        return (ApiCall("events", 10, None, 200, NOW),)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[Stripe]:
    opened = Stripe()
    monkeypatch.setattr(replaying, "open_provider", lambda *_: opened)
    with store.write():
        store.facts.save_endpoint(Endpoint(ACCOUNT, "we_1", SHOP, "enabled", ("*",), True), NOW)
    yield opened


def proven(store: Store, mode: str = "live") -> None:
    store.facts.save_proof(CredentialProof(ACCOUNT, 0, "rk_…", NOW, True, "acct_1", mode))  # type: ignore[arg-type]


def test_an_application_is_served_by_its_provider(
    store: Store, only_stripe: Settings, stripe: Stripe
) -> None:
    words = resend_fields(ACCOUNT, "shop", ["evt_1", "evt_2"], "the shop lost them")
    assert "not proven" in do(store, only_stripe, words).message
    proven(store)
    result = do(store, only_stripe, words)
    assert result.ok, result.message
    assert stripe.asked == [("evt_1", "we_1"), ("evt_2", "we_1")] and stripe.closed
    assert "Stripe was asked to send 2 events to shop again" in result.message


def test_nothing_is_sent_in_the_wrong_mode_or_while_everything_is_stopped(
    store: Store, only_stripe: Settings, stripe: Stripe
) -> None:
    words = resend_fields(ACCOUNT, "shop", ["evt_1"], "x")
    proven(store, "test")
    assert "not proven" in do(store, only_stripe, words).message
    proven(store)
    store.switches.stop("ana", "look first", NOW)
    assert "stopped by ana" in do(store, only_stripe, words).message
    assert stripe.asked == []


def test_a_refused_resend_says_what_was_sent_before_it(
    store: Store, only_stripe: Settings, stripe: Stripe
) -> None:
    proven(store)
    stripe._refusal = ProviderError("invalid_request", "no such route", provider="stripe", account=ACCOUNT)
    result = do(store, only_stripe, resend_fields(ACCOUNT, "shop", ["evt_1", "evt_2"], "x"))
    assert not result.ok and stripe.closed
    assert (
        "evt_2: not resendable here" in result.message and "1 event sent to shop before it" in result.message
    )


def test_our_own_endpoint_and_one_that_cannot_be_served_are_refused(settings: Settings, store: Store) -> None:
    with pytest.raises(UsageError, match="payops's own"):
        application(settings, ACCOUNT, "ours")
    with pytest.raises(UsageError, match="did you mean 'shop'"):
        application(settings, ACCOUNT, "shpo")
    store.inbox.receive([delivery(1, 1)])
    with pytest.raises(NotPossible, match=r"Braintree cannot resend a webhook.*the objects are ch_1"):
        application(settings, "bt", "app", rows(store))
