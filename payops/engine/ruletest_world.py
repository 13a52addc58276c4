"""The world of one rule test: signals from its series, and one account whose provider answers by script.

What the signals say comes from the series alone; what a remedy finds and does comes from here. The series'
edges move the scripted provider: an endpoint that turns `disabled` is disabled there, one not `sent_here` has another URL,
`types_missing` of its event types are taken from it, events that go `missing` are listed there and not in the inbox, what
becomes `unconfirmed_1h` is put into quarantine, what comes into `count` is an object there and in the store. A webhook
secret that is promoted meets deliveries as the script says: `ok` verifies, `rejected` fails, anything else is silence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil

from payops.config import Settings
from payops.domain.errors import Bucket, ProviderError
from payops.domain.event_types import EVENT_TYPES, PURCHASE_EVENTS
from payops.domain.events import (
    CredentialProof,
    Delivery,
    Endpoint,
    Facts,
    FeedPage,
    WebhookEvent,
)
from payops.domain.feeds import EVENT_LIST, SHOWN_BY
from payops.domain.incidents import Value
from payops.domain.payments import Mode
from payops.domain.payments import Provider as ProviderName
from payops.providers.port import ActionAnswer, FeedSpec
from payops.rulebook.model import Rule, RuleTest, ScriptedOutcome
from payops.rulebook.series import parse_series
from payops.signals.schema import SOURCES, SignalRow, SignalSet
from payops.signals.slots import webhook_slot
from payops.store import Store

from .ruletest_objects import ScriptedObjects

START = datetime(2026, 1, 15, 9, tzinfo=UTC)
IDENTITY = "acct_scripted"
ENDPOINT_ID = "we_scripted"
MOVED = "-moved"
"""What an endpoint's URL ends in while the provider does not send here."""
WEBHOOK_ID = "env:SCRIPTED_1_WEBHOOK"
OPERATORS = ("demo", "demo2")


class Series:
    """The samples of a test, and which one holds at an instant."""

    def __init__(self, rule: Rule, test: RuleTest) -> None:
        source = SOURCES[rule.signal.source]
        self.source = source.name
        self._labels = dict(test.labels)
        self._every = test.every
        self._samples: dict[str, tuple[Value | None, ...]] = {
            name: parse_series(text, source.fields[name].type) for name, text in test.series.items()
        }
        self._reachable = parse_series(test.reachable, "bool") if test.reachable else (True,)
        self.length = max(len(samples) for samples in self._samples.values())
        self._changes = self._changing()

    def values(self, now: datetime) -> dict[str, Value | None]:
        """Field → value; None where there is no sample any more."""
        index = self._index(now)
        return {
            name: samples[index] if index < len(samples) else None for name, samples in self._samples.items()
        }

    def signals(self, now: datetime) -> SignalSet:
        """The row of the test's group; without any known value it has no time, so it is no data."""
        values = self.values(now)
        known = any(value is not None for value in values.values())
        return {self.source: (SignalRow(self._labels, values, now if known else None),)}

    def reachable(self, now: datetime) -> bool:
        """Whether the endpoint's URL answers; the last sample stays."""
        return self._reachable[min(self._index(now), len(self._reachable) - 1)] is True

    def most(self, name: str) -> int | None:
        """The largest sample of a field, None where it has none."""
        known = [sample for sample in self._samples.get(name, ()) if isinstance(sample, int)]
        return max(known, default=None)

    def next_sample(self, now: datetime) -> datetime:
        """When the next sample begins."""
        return START + (self._index(now) + 1) * self._every

    def next_change(self, now: datetime) -> datetime | None:
        """When the first sample begins that differs from the one before it; None when none does any more."""
        place = bisect_right(self._changes, self._index(now))
        return START + self._changes[place] * self._every if place < len(self._changes) else None

    def samples_from(self, at: datetime) -> tuple[datetime, datetime]:
        """The first sample at or after `at`, and the one after it: a comparison with `at` may be strict."""
        first = START + ceil((at - START) / self._every) * self._every
        return first, first + self._every

    def _changing(self) -> list[int]:
        """The samples at which any series differs from the sample before."""
        found: set[int] = set()
        for samples in (*self._samples.values(), self._reachable):
            found |= {index for index in range(1, len(samples)) if samples[index] != samples[index - 1]}
        return sorted(found | {len(samples) for samples in self._samples.values()})

    def _index(self, now: datetime) -> int:
        return int((now - START) / self._every)


class ScriptedProvider(ScriptedObjects):
    """A provider port for one account. Every write ends as the script says for the attempt now being made."""

    provider: ProviderName = "stripe"
    feeds: tuple[FeedSpec, ...] = ()
    retention_s = 30 * 86_400

    def __init__(
        self,
        account: str,
        provider: ProviderName,
        mode: Mode,
        outcome: Callable[[str], ScriptedOutcome],
        url: str,
    ) -> None:
        super().__init__()
        self.account = account
        self.provider = provider
        self.mode: str = mode
        self._mode = mode
        self._outcome = outcome
        self._url = url
        self._calls = 0
        self.slot = 0
        self.disabled = False
        self.rejected = False
        self.wrong_mode = False
        self.sent_here = True
        self.types_missing = 0
        self.deliver: Callable[[str, datetime], None] = lambda event_id, now: None

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        raise NotImplementedError("a rule test reads no feeds: its signals are its series")

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        self._calls += 1
        outcome = self._outcome("credentials.switch")
        if slot > 0 and outcome == "rate_limited":
            raise self._error("rate_limit")
        if slot > 0 and outcome.startswith("timeout"):
            raise self._error("network")
        rejected = self.rejected if slot == 0 else outcome == "rejected"
        other: Mode = "test" if self._mode == "live" else "live"
        mode = other if slot == 0 and self.wrong_mode else self._mode
        return CredentialProof(
            account=self.account,
            slot=slot,
            hint=f"…{slot:04d}",
            at=now,
            ok=not rejected,
            identity=None if rejected else IDENTITY,
            mode=None if rejected else mode,
            error="auth" if rejected else None,
            code="api_key_expired" if rejected and self.provider == "stripe" else None,
            request_id=f"req_{self._calls}",
        )

    def use_slot(self, slot: int) -> None:
        self.slot = slot

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        known = EVENT_TYPES[self.provider]
        return Endpoint(
            account=self.account,
            endpoint_id=ENDPOINT_ID,
            url=self._url if self.sent_here else f"{self._url}{MOVED}",
            status="disabled" if self.disabled else "enabled",
            event_types=known[: len(known) - self.types_missing],
            livemode=self._mode == "live",
        )

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        def effect() -> None:
            self.disabled = False

        return self._write("webhooks.enable_endpoint", effect)

    def change_endpoint(
        self,
        endpoint_id: str,
        idempotency_key: str,
        now: datetime,
        *,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
    ) -> ActionAnswer:
        def effect() -> None:
            if url is not None:
                self.sent_here = True
            if event_types is not None:
                self.types_missing = 0

        return self._write("webhooks.update_url" if url else "webhooks.subscribe_types", effect)

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._write("webhooks.resend_missing", lambda: self.deliver(event_id, now))

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, action: str, effect: Callable[[], None]) -> ActionAnswer:
        self._calls += 1
        outcome = self._outcome(action)
        if outcome == "rejected":
            raise self._error("invalid_request")
        if outcome == "rate_limited":
            raise self._error("rate_limit")
        if outcome != "timeout_lost":
            effect()
        if outcome != "ok":
            raise self._error("network")
        return ActionAnswer((f"req_{self._calls}",))

    def _error(self, bucket: Bucket) -> ProviderError:
        return ProviderError(
            bucket,
            {"rate_limit": "Too many requests", "network": "no answer in time"}.get(
                bucket, "not possible here"
            ),
            provider=self.provider,
            account=self.account,
            request_id=None if bucket == "network" else f"req_{self._calls}",
            retry_after_s=30.0 if bucket == "rate_limit" else None,
        )


class World:
    """Everything around the rule: store, settings, scripted provider, and what the series makes of them."""

    def __init__(self, rule: Rule, test: RuleTest, store: Store) -> None:
        self.series = Series(rule, test)
        self.store = store
        labels = test.labels
        self.account = labels["account"]
        self.endpoint = labels.get("endpoint", "shop")
        url = f"https://shop.example/webhooks/{self.account}"
        stored = self.series.most("fallbacks")
        if stored is None:
            stored = int(bool({"credentials.switch", "webhooks.switch_secret"} & set(test.actions)))
        self.settings = _settings(rule, test, self.endpoint, url, stored)
        account = self.settings.account(self.account)
        self._script = test.actions
        self.provider = ScriptedProvider(self.account, account.provider, account.mode, self._outcome, url)
        self._slot = webhook_slot(store, account)
        self.provider.deliver = self._deliver
        self._before: dict[str, Value | None] = {}
        self._events = 0
        self._listed: Endpoint | None = None
        self._missing: list[WebhookEvent] = []
        self._now = START
        self._seed()

    def answers(self, url: str) -> tuple[bool, str]:
        """The URL probe."""
        return (True, "HTTP 200") if self.series.reachable(self._now) else (False, "connection refused")

    @staticmethod
    def secret(reference: str) -> str:
        """A different secret for each reference; the webhook id of a fallback names the endpoint there is."""
        return ENDPOINT_ID if reference == WEBHOOK_ID else f"scripted {reference}"

    def step(self, now: datetime, *, read: bool) -> SignalSet:
        """Move the provider by the edges of the series and return the signals of `now`.

        `read`: read its feeds although nothing changed; that only matters while something is being fixed.
        """
        self._now = now
        values = self.series.values(now)
        for name in ("disabled", "rejected", "wrong_mode", "sent_here", "types_missing"):
            value = values.get(name)
            if isinstance(value, bool | int) and value != self._before.get(name):
                setattr(self.provider, name, value)
        self._quarantine(values.get("unconfirmed_1h"), now)
        self._objects(values.get("count"), now)
        self._deliver_to_promoted(now)
        events = self._edge_of_missing(values.get("missing"), now)
        endpoint = self.provider.endpoint(ENDPOINT_ID, now)
        if read or events or endpoint != self._listed:
            self._read(endpoint, events, now)
        self._before = {
            **self._before,
            **{name: value for name, value in values.items() if value is not None},
        }
        return self.series.signals(now)

    def _read(self, endpoint: Endpoint, events: tuple[WebhookEvent, ...], now: datetime) -> None:
        """The feeds as a poll would bring them: complete up to now."""
        name = self.provider.provider
        facts = Facts(events=events) if EVENT_LIST[name] else Facts(shown=events)
        listed = EVENT_LIST[name] or SHOWN_BY[name] or "events"
        page = FeedPage(feed=listed, read=len(events), requests=1, data_as_of=now, facts=facts)
        self.store.facts.apply_page(self.account, page, now)
        if endpoint != self._listed:
            page = FeedPage(feed="endpoints", read=1, requests=1, endpoints=(endpoint,))
            self.store.facts.apply_page(self.account, page, now)
            self._listed = endpoint

    def _seed(self) -> None:
        """A history without trouble: one event that arrived, and a credential that proved itself."""
        seen = self._event(START - timedelta(hours=2))
        self.store.facts.apply_facts(self.account, Facts(shown=(seen,)), seen.created_at)
        self.store.inbox.import_seen(self.account, [seen], seen.created_at)
        self.store.facts.save_proof(self.provider.prove(0, START - timedelta(minutes=1)))

    def _outcome(self, action: str) -> ScriptedOutcome:
        """The script's entry for the attempt being made; the last one stays."""
        script = self._script.get(action, ("ok",))
        done = sum(
            attempt.action == action and attempt.phase == "done"
            for incident in self.store.incidents.listing()
            for attempt in self.store.incidents.attempts(incident.id)
        )
        return script[min(done, len(script) - 1)] if script else "ok"

    def _quarantine(self, value: Value | None, now: datetime) -> None:
        """Events of the other mode that came since the last step."""
        before = self._before.get("unconfirmed_1h") or 0
        if isinstance(value, int) and isinstance(before, int) and value > before:
            live = self.provider.mode != "live"
            strays = tuple(replace(self._event(now), livemode=live) for _ in range(value - before))
            self.store.facts.apply_facts(self.account, Facts(wrong_mode=strays), now)

    def _objects(self, value: Value | None, now: datetime) -> None:
        """The objects that came to be counted since the last step."""
        before = self._before.get("count") or 0
        if isinstance(value, int) and isinstance(before, int) and value > before:
            self.store.facts.apply_facts(
                self.account, self.provider.seed(self.series.source, value - before, now), now
            )

    def _deliver_to_promoted(self, now: datetime) -> None:
        """What a webhook secret meets once it was promoted: a step later, as deliveries come after it."""
        slot = webhook_slot(self.store, self.settings.account(self.account))
        if slot == self._slot:
            return
        outcome = self._outcome("webhooks.switch_secret")
        if outcome == "rejected":
            self.store.inbox.refuse(self.account, now, "signature", "scripted")
        elif outcome == "ok":
            self._slot = slot
            event = self._event(now)
            self.store.inbox.receive([Delivery(self.account, event, now, "{}", event.event_id, "verified")])

    def _edge_of_missing(self, value: Value | None, now: datetime) -> tuple[WebhookEvent, ...]:
        """Events that went missing since the last step; when none is missing any more, all have arrived."""
        before = self._before.get("missing") or 0
        if not isinstance(value, int) or not isinstance(before, int):
            return ()
        if value == 0:
            for event in list(self._missing):
                self._deliver(event.event_id, now)
            return ()
        fresh = tuple(self._event(now - timedelta(minutes=5)) for _ in range(value - before))
        self._missing += fresh
        for event in fresh:
            self.provider.sold(event.object_id or "", event.created_at)
        return fresh

    def _event(self, at: datetime) -> WebhookEvent:
        self._events += 1
        return WebhookEvent(
            account=self.account,
            event_id=f"evt_{self._events:05d}",
            type=PURCHASE_EVENTS[self.provider.provider][0],
            created_at=at,
            livemode=self.provider.mode == "live",
            object_id=f"ch_{self._events:05d}",
            amount_minor=1_000,
            currency="EUR",
        )

    def _deliver(self, event_id: str, now: datetime) -> None:
        for event in [event for event in self._missing if event.event_id == event_id]:
            self._missing.remove(event)
            self.store.inbox.receive([Delivery(self.account, event, now, "{}", event_id, "verified")])


_APPLICATION: dict[str, dict[str, str]] = {
    "relay": {"forward_to": "https://application.example/hook"},
    "import": {"source": "inbox.jsonl", "url": "https://shop.example/hook"},
}
"""Where the application behind an endpoint is, by the topology a test's labels name."""


def _settings(rule: Rule, test: RuleTest, endpoint: str, url: str, fallbacks: int) -> Settings:
    """One account as the labels name it, armed, with an idempotent endpoint and two operators of every role."""
    labels = test.labels
    remedies = [remedy.id for remedy in rule.level1.remedies]
    document = {
        "schema": "payops.config/v1",
        "mode": "armed",
        "operators": [
            {"name": name, "roles": ["operator", "coordinator", "security", "admin"]} for name in OPERATORS
        ],
        "accounts": [
            {
                "name": labels["account"],
                "provider": labels["provider"],
                "mode": labels["mode"],
                **_stored(labels["provider"], "env:SCRIPTED"),
                "fallback_credentials": [
                    _stored(labels["provider"], f"env:SCRIPTED_{slot}") for slot in range(1, fallbacks + 1)
                ],
                "endpoints": [
                    {
                        "name": endpoint,
                        "url": url,
                        "topology": labels.get("topology", "observer"),
                        "idempotent": True,
                        **_APPLICATION.get(labels.get("topology", "observer"), {}),
                    }
                ],
            }
        ],
        "arm": [{"account": labels["account"], "remedies": remedies}],
        "maintenance": [
            {
                "name": f"test {number}",
                "reason": "announced by the test",
                "from": START + each.from_,
                "until": START + each.until,
            }
            for number, each in enumerate(test.maintenance, 1)
        ],
    }
    return Settings.model_validate(document)


def _stored(provider: str, reference: str) -> dict[str, object]:
    """References to one whole credential, and to what webhooks are verified with."""
    if provider == "braintree":
        return {
            "merchant_id": f"{reference}_MERCHANT",
            "public_key": f"{reference}_PUBLIC",
            "private_key": f"{reference}_PRIVATE",
        }
    if provider == "paypal":
        return {
            "client_id": f"{reference}_ID",
            "client_secret": f"{reference}_SECRET",
            "webhook_id": f"{reference}_WEBHOOK",
        }
    return {"api_key": reference, "webhook_secrets": [f"{reference}_WHSEC"]}
