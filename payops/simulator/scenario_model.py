"""What a scenario file may say, as values: the world there is, what breaks in it, what is expected of payops."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from payops.domain.actions import BY_NAME
from payops.domain.events import Topology
from payops.domain.payments import PROVIDERS, Mode, Provider
from payops.text import did_you_mean, safe_line

from .cards import BRANDS, COUNTRIES, CURRENCIES
from .declines import WORDS

SCHEMA = "payops.scenario/v1"
OWN_ENDPOINT = "payops"
"""The name of payops's own webhook endpoint; every account has it."""
OPERATORS: tuple[str, ...] = ("demo", "demo2")
"""Who lives in every world; both hold all roles."""
FaultKind = Literal[
    "account_restricted",
    "api_version_drift",
    "authorization_expiring",
    "card_testing",
    "clock_skew",
    "cvv_in_webhook",
    "decline_surge",
    "dispute_opened",
    "duplicate_charge",
    "events_duplicated",
    "events_lost",
    "events_out_of_order",
    "gateway_rejections",
    "key_expired",
    "key_revoked",
    "key_wrong_mode",
    "network_drop",
    "pan_in_metadata",
    "payout_failed",
    "permission_missing",
    "provider_outage",
    "provider_slow",
    "rate_limited",
    "receiver_down",
    "refund_failed",
    "refund_over_limit",
    "refund_stuck",
    "store_full",
    "subscription_invoice_stuck",
    "subscription_missing_payment_method",
    "subscription_past_due",
    "test_object_in_live",
    "traffic_silence",
    "webhook_endpoint_disabled",
    "webhook_event_type_unsubscribed",
    "webhook_retry_disabled",
    "webhook_secret_rotated",
    "webhook_url_wrong",
    "webhook_wrong_mode_secret",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
FAULT_PARAMETERS: dict[FaultKind, tuple[str, ...]] = {
    "authorization_expiring": ("count",),
    "clock_skew": ("seconds",),
    "cvv_in_webhook": ("count",),
    "decline_surge": ("success_rate", "decline", "only"),
    "dispute_opened": ("count",),
    "duplicate_charge": ("count",),
    "events_duplicated": ("endpoint",),
    "events_lost": ("endpoint", "share"),
    "events_out_of_order": ("endpoint",),
    "gateway_rejections": ("share",),
    "pan_in_metadata": ("count",),
    "provider_slow": ("latency_ms",),
    "receiver_down": ("endpoint",),
    "refund_failed": ("count",),
    "refund_over_limit": ("count",),
    "refund_stuck": ("count",),
    "subscription_invoice_stuck": ("count",),
    "subscription_missing_payment_method": ("count",),
    "subscription_past_due": ("count",),
    "test_object_in_live": ("count",),
    "webhook_endpoint_disabled": ("endpoint",),
    "webhook_event_type_unsubscribed": ("endpoint",),
    "webhook_retry_disabled": ("endpoint",),
    "webhook_secret_rotated": ("endpoint",),
    "webhook_url_wrong": ("endpoint",),
    "webhook_wrong_mode_secret": ("endpoint",),
}
"""What a kind takes besides kind, provider, at and until; a kind that is not listed takes nothing more."""
FAULT_PROVIDERS: dict[FaultKind, tuple[Provider, ...]] = {
    "api_version_drift": ("stripe",),
    "card_testing": ("stripe", "braintree"),
    "decline_surge": ("stripe", "braintree"),
    "gateway_rejections": ("stripe", "braintree"),
    "payout_failed": ("stripe",),
    "permission_missing": ("stripe", "paypal"),
    "subscription_invoice_stuck": ("stripe",),
    "subscription_missing_payment_method": ("stripe", "braintree"),
    "webhook_endpoint_disabled": ("stripe",),
    "webhook_event_type_unsubscribed": ("stripe", "paypal"),
    "webhook_retry_disabled": ("stripe", "paypal"),
}
"""Where a kind can happen; a kind that is not listed can happen anywhere."""
_COUNTS: dict[str, int] = {
    "subscription_past_due": 12,
    "subscription_missing_payment_method": 12,
    "subscription_invoice_stuck": 3,
    "refund_failed": 3,
    "refund_stuck": 3,
    "authorization_expiring": 3,
}
"""How many objects a kind touches where the scenario does not say; a kind that is not listed touches one."""
RECEIVER_DOWN_LASTS = timedelta(minutes=10)

_LONGEST = timedelta(days=400)
_MOST_PAYMENTS = 5_000_000
_YEARS = (2000, 2100)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"a duration is written 90s, 20m, 24h or 7d, got {safe_line(value, limit=40)!r}")
    try:
        duration = timedelta(**{_UNITS[match.group(2)]: float(match.group(1))})
    except OverflowError:
        duration = timedelta.max
    if duration > _LONGEST:
        raise ValueError(f"longer than {_LONGEST.days} days: {safe_line(value, limit=40)!r}")
    return duration


Duration = Annotated[timedelta, BeforeValidator(_duration)]


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise ValueError(
            f"unknown {what} {safe_line(value, limit=60)!r}{did_you_mean(value, known)}; known: {', '.join(known)}"
        )
    return value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ApplicationOptions(_Model):
    """How the application behind a relay or an import behaves: from `down_at` to `down_until` it answers `status`.

    One with an inbox of its own takes its events in all the same, and does nothing with them meanwhile.
    """

    down_at: Duration | None = None
    down_until: Duration | None = None
    status: int = Field(default=503, ge=300, le=599)
    latency_ms: int = Field(default=0, ge=0, le=120_000)


class EndpointOptions(_Model):
    """One webhook endpoint at the provider; the simulator plays the application behind any that is not payops's.

    A relay is payops's own endpoint: what it is named after is the application behind it.
    """

    name: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    topology: Topology = "observer"
    idempotent: bool = True
    application: ApplicationOptions = ApplicationOptions()

    @property
    def own(self) -> bool:
        """What is sent to it reaches payops's receiver."""
        return self.name == OWN_ENDPOINT or self.topology == "relay"

    @property
    def key(self) -> str:
        """What the provider's side of the world calls it."""
        return OWN_ENDPOINT if self.own else self.name


class ProviderOptions(_Model):
    """One account, its traffic, and what is stored for it."""

    mode: Mode = "live"
    payments_per_minute: float = Field(default=4.0, ge=0, le=600)
    success_rate: float = Field(default=0.95, ge=0, le=1)
    daily_swing: float = Field(default=0.0, ge=0, lt=1)
    """How far payments a minute swing over the day: 0.8 = from a fifth at 03:00 UTC to nine fifths at 15:00."""
    endpoints: tuple[EndpointOptions, ...] = ()
    fallback_credential: bool = False
    application_credential: bool = False
    armed: bool = True

    @field_validator("endpoints", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _different_names(self) -> ProviderOptions:
        names = [endpoint.name for endpoint in self.endpoints]
        if len(names) != len(set(names)):
            raise ValueError("two endpoints have the same name")
        if sum(endpoint.own for endpoint in self.endpoints) > 1:
            raise ValueError(
                "an account has one receiver: name one endpoint as relay, and do not name payops beside it"
            )
        if any(each.name == OWN_ENDPOINT and each.topology == "import" for each in self.endpoints):
            raise ValueError(f"{OWN_ENDPOINT} is payops's own endpoint: it is no import")
        return self

    @property
    def all_endpoints(self) -> tuple[EndpointOptions, ...]:
        """The endpoints with payops's own, which is first where the file does not name it."""
        if any(endpoint.own for endpoint in self.endpoints):
            return self.endpoints
        return (EndpointOptions(name=OWN_ENDPOINT), *self.endpoints)


class Only(_Model):
    """Which cards a fault touches; a field left out means all."""

    card_brand: str | None = None
    country: str | None = None
    currency: str | None = None

    @field_validator("card_brand")
    @classmethod
    def _brand(cls, value: str | None) -> str | None:
        return None if value is None else _one_of(value, BRANDS, "card brand")

    @field_validator("country")
    @classmethod
    def _country(cls, value: str | None) -> str | None:
        return None if value is None else _one_of(value.upper(), COUNTRIES, "country")

    @field_validator("currency")
    @classmethod
    def _currency(cls, value: str | None) -> str | None:
        return None if value is None else _one_of(value.lower(), CURRENCIES, "currency")


class Fault(_Model):
    """Something that breaks. `at` and `until` count from the run's start; without `until` it lasts until fixed."""

    kind: FaultKind
    provider: Provider
    at: Duration
    until: Duration | None = None
    endpoint: str = OWN_ENDPOINT
    success_rate: float = Field(default=0.30, ge=0, le=1)
    decline: str = "do_not_honor"
    only: Only = Only()
    share: float = Field(default=0.4, gt=0, le=1)
    """Of payments (rejections) or of events (lost)."""
    count: int = Field(default=1, ge=1, le=1000)
    """How many objects it touches; left out, as many as the kind usually does."""
    latency_ms: int = Field(default=6_000, ge=1, le=120_000)
    seconds: int = Field(default=600, ge=-86_400, le=86_400)
    """How far the provider's clock is ahead."""

    @model_validator(mode="before")
    @classmethod
    def _usual_count(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("kind") in _COUNTS:
            return {"count": _COUNTS[value["kind"]], **value}
        return value

    @field_validator("kind", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        return _one_of(str(value), FAULT_KINDS, "fault kind")

    @field_validator("decline")
    @classmethod
    def _decline(cls, value: str) -> str:
        return _one_of(value, WORDS, "decline")

    @model_validator(mode="after")
    def _fits(self) -> Fault:
        if self.until is not None and self.until <= self.at:
            raise ValueError("until must be later than at")
        allowed = {"kind", "provider", "at", "until", *FAULT_PARAMETERS.get(self.kind, ())}
        foreign = sorted(self.model_fields_set - allowed)
        if foreign:
            takes = ", ".join(FAULT_PARAMETERS.get(self.kind, ())) or "none of its own"
            raise ValueError(f"{self.kind} does not take {foreign[0]} (its parameters: {takes})")
        where = FAULT_PROVIDERS.get(self.kind, PROVIDERS)
        if self.provider not in where:
            raise ValueError(f"{self.kind} cannot happen at {self.provider}, only at {', '.join(where)}")
        return self

    @property
    def ends(self) -> timedelta | None:
        """When it ends by itself, from the run's start; None = only when fixed."""
        if self.until is None and self.kind == "receiver_down":
            return self.at + RECEIVER_DOWN_LASTS
        return self.until


class Expect(_Model):
    """One expected incident, or (`none_other`) that there is no incident besides those listed."""

    none_other: Literal[True] | None = None
    rule: str | None = None
    provider: Provider | None = None
    after: int | None = Field(default=None, ge=0)
    within: Duration | None = None
    by: Duration | None = None
    state: Literal["open", "acknowledged", "resolved"] | None = None
    level: int | None = Field(default=None, ge=1, le=4)
    ended_as: (
        Literal[
            "fixed_by_payops",
            "fixed_by_operator",
            "self_healed",
            "false_alarm",
            "level_2",
            "level_3",
            "level_4",
        ]
        | None
    ) = None
    optional: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Expect:
        if self.none_other:
            if self.model_fields_set != {"none_other"}:
                raise ValueError("none_other: true stands alone on its line")
        elif self.rule is None:
            raise ValueError("rule: required: the id of the rule that must open (or write none_other: true)")
        return self


_ACTION_KEYS = ("at", "after_opening", "do", "rule", "provider", "by")


class ScenarioAction(_Model):
    """What an operator does in a run. `fields` are the words the action takes besides the incident."""

    at: Duration | None = None
    after_opening: Duration | None = None
    do: str
    rule: str | None = None
    provider: Provider | None = None
    by: str = OPERATORS[0]
    fields: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        words = {key: word for key, word in value.items() if key not in _ACTION_KEYS}
        action = BY_NAME.get(str(value.get("do")))
        if action is None:
            return {key: word for key, word in value.items() if key in _ACTION_KEYS}
        for key in words:
            if key not in action.fields:
                known = (*_ACTION_KEYS, *action.fields)
                raise ValueError(f"{safe_line(key, limit=40)}: unknown key{did_you_mean(key, known)}")
        remedies = words.get("remedies")
        if isinstance(remedies, list) and all(isinstance(each, str) for each in remedies):
            words["remedies"] = " ".join(remedies)
        return {**{key: word for key, word in value.items() if key in _ACTION_KEYS}, "fields": words}

    @field_validator("do")
    @classmethod
    def _known(cls, value: str) -> str:
        return _one_of(value, tuple(BY_NAME), "action")

    @field_validator("by")
    @classmethod
    def _lives_here(cls, value: str) -> str:
        return _one_of(value, OPERATORS, "operator")

    @model_validator(mode="after")
    def _when(self) -> ScenarioAction:
        if (self.at is None) == (self.after_opening is None):
            raise ValueError("needs exactly one of at and after_opening")
        if self.rule is None and (self.after_opening is not None or BY_NAME[self.do].scope == "incident"):
            raise ValueError(f"rule: required: which incident does {self.do} apply to?")
        return self


class Scenario(_Model):
    """A whole world. `start` is the instant of the run's start, after the warm-up."""

    schema_: Literal["payops.scenario/v1"] = Field(alias="schema")
    name: str = Field(min_length=1, max_length=200)
    seed: int = Field(default=1, ge=0)
    start: datetime = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
    warmup: Duration = timedelta(hours=24)
    duration: Duration = timedelta(hours=1)
    providers: dict[Provider, ProviderOptions] = Field(min_length=1)
    faults: tuple[Fault, ...] = ()
    expect: tuple[Expect, ...] = ()
    actions: tuple[ScenarioAction, ...] = ()

    @field_validator("faults", "expect", "actions", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("start", mode="before")
    @classmethod
    def _instant(cls, value: object) -> object:
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise ValueError(
                f"an instant is written 2026-01-15T09:00:00Z, got {safe_line(value)!r}"
            ) from error
        if at.tzinfo is None:
            raise ValueError("say which zone: write Z at the end for UTC")
        if not _YEARS[0] <= at.year < _YEARS[1]:
            raise ValueError(f"must lie between the years {_YEARS[0]} and {_YEARS[1]}")
        return at.astimezone(UTC)

    @model_validator(mode="after")
    def _bounded(self) -> Scenario:
        minutes = (self.warmup + self.duration).total_seconds() / 60
        expected = sum(options.payments_per_minute for options in self.providers.values()) * minutes
        if expected > _MOST_PAYMENTS:
            raise ValueError(
                f"about {expected:,.0f} payments, more than {_MOST_PAYMENTS:,}: "
                "shorten warmup or duration, or lower payments_per_minute"
            )
        return self

    def account(self, provider: Provider) -> str:
        """The account's name: `PROVIDER-MODE`."""
        return f"{provider}-{self.providers[provider].mode}"

    @property
    def accounts(self) -> dict[str, ProviderOptions]:
        return {self.account(provider): options for provider, options in self.providers.items()}
