"""Settings from `payops.toml`, and secrets as references that are looked up only when used."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from .domain.catalogue import REMEDY_IDS
from .domain.errors import UsageError
from .domain.events import Topology
from .domain.incidents import HOUSE
from .domain.maintenance import Once, Recurring, Weekday, Window, instant
from .domain.payments import Mode, Provider
from .domain.roles import ContactRole, OperatorRole
from .text import did_you_mean, safe_line

SCHEMA = "payops.config/v1"
_QUOTED = re.compile(r"'([^']*)'")
_SCHEMES = ("env:", "keyring:", "file:")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _reference(value: str) -> str:
    if not value.startswith(_SCHEMES):
        raise ValueError(
            "a secret is a reference: env:NAME, keyring:SERVICE/USER or file:PATH, never the secret itself"
        )
    if value.startswith("keyring:") and "/" not in value:
        raise ValueError("a keyring reference is keyring:SERVICE/USER")
    return value


SecretRef = Annotated[str, AfterValidator(_reference)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceiverSettings(_Model):
    host: str = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65535, strict=True)


class OperatorSettings(_Model):
    name: str = Field(min_length=1, max_length=64)
    roles: tuple[OperatorRole, ...] = ("viewer",)
    pin: SecretRef | None = None
    """Asked before an approval, and after a quarter of an hour without a key."""


class Credential(_Model):
    """References to one set of secrets of an account; which fields are needed depends on the provider."""

    api_key: SecretRef | None = None
    merchant_id: SecretRef | None = None
    public_key: SecretRef | None = None
    private_key: SecretRef | None = None
    client_id: SecretRef | None = None
    client_secret: SecretRef | None = None
    webhook_id: SecretRef | None = None
    webhook_secrets: tuple[SecretRef, ...] = ()


NEEDED: dict[Provider, tuple[str, ...]] = {
    "stripe": ("api_key",),
    "braintree": ("merchant_id", "public_key", "private_key"),
    "paypal": ("client_id", "client_secret"),
}
"""What a provider is asked with."""
VERIFYING: dict[Provider, tuple[str, ...]] = {
    "stripe": ("webhook_secrets",),
    "braintree": (),
    "paypal": ("webhook_id",),
}
"""What its webhooks are verified with beside that; Braintree signs with the keys themselves."""


@dataclass(frozen=True, slots=True)
class SqlView:
    """An application's inbox as a view (or table) of its own SQLite file; `path` as it was written."""

    path: str
    view: str


@dataclass(frozen=True, slots=True)
class JsonLines:
    """An application's inbox as a file that only grows, one JSON object a line; `path` as it was written."""

    path: str


def _inbox_source(text: str) -> SqlView | JsonLines:
    if not text.startswith("sqlite:"):
        return JsonLines(text)
    path, _, query = text.removeprefix("sqlite:").partition("?")
    try:
        given = parse_qs(query, keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        given = {}
    views = given.get("view", [])
    if not path or set(given) != {"view"} or len(views) != 1 or not _IDENTIFIER.fullmatch(views[0]):
        raise ValueError(f"source must be sqlite:PATH?view=NAME or the path of a JSONL file, got {text!r}")
    return SqlView(path, views[0])


class EndpointSettings(_Model):
    name: str = Field(min_length=1)
    url: str
    topology: Topology = "observer"
    idempotent: bool = Field(default=False, strict=True)
    forward_to: str | None = None
    """Where the application behind a relay takes its events."""
    resign_secret: SecretRef | None = None
    """What the application verifies a relayed Stripe event with: only with it can a late or fetched one be signed."""
    source: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> EndpointSettings:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"url must start with https:// (or http:// on loopback), got {self.url!r}")
        if self.topology == "relay" and not self.forward_to:
            raise ValueError("a relay endpoint needs forward_to = URL")
        if self.topology == "import" and not self.source:
            raise ValueError("an import endpoint needs source = sqlite:PATH?view=NAME or a JSONL file")
        for field, topology in (("forward_to", "relay"), ("resign_secret", "relay"), ("source", "import")):
            if getattr(self, field) is not None and self.topology != topology:
                raise ValueError(
                    f'{field} is of topology = "{topology}", and this endpoint is of "{self.topology}"'
                )
        if self.forward_to is not None:
            _check_target(self.forward_to)
        if self.source is not None:
            _inbox_source(self.source)
        return self

    @property
    def inbox_source(self) -> SqlView | JsonLines | None:
        """Where the application keeps its own inbox; None but for an import."""
        return None if self.source is None else _inbox_source(self.source)


def _check_target(url: str) -> None:
    """An application is sent events over TLS, or on this machine; its URL is shown, so it holds no password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("forward_to must be a URL") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("forward_to must not hold a user name or a password")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise ValueError(f"forward_to must start with https:// (or http:// on loopback), got {url!r}")


class AccountSettings(Credential):
    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    provider: Provider
    mode: Mode
    api_base: str | None = None
    webhook_ca: str | None = None
    """PEM text of the authority that signs a simulated PayPal's webhook certificates; only with a loopback api_base."""
    api_version: str | None = None
    accept_unrestricted_key: bool = Field(default=False, strict=True)
    application_credential: SecretRef | None = None
    fallback_credentials: tuple[Credential, ...] = ()
    endpoints: tuple[EndpointSettings, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> AccountSettings:
        missing = [field for field in NEEDED[self.provider] if getattr(self, field) is None]
        if missing:
            raise ValueError(f"{self.provider} needs {', '.join(missing)} (a reference such as env:NAME)")
        for where, stored in (
            ("", self),
            *((f"fallback_credentials[{at}].", each) for at, each in enumerate(self.fallback_credentials)),
        ):
            known = (*NEEDED[self.provider], *VERIFYING[self.provider])
            foreign = [
                field for field in Credential.model_fields if getattr(stored, field) and field not in known
            ]
            if foreign:
                raise ValueError(
                    f"{where}{foreign[0]} is not of {self.provider}, which has {', '.join(known)}; remove it"
                )
        if self.api_base is not None:
            parts = urlsplit(self.api_base)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"api_base must be a URL, got {self.api_base!r}")
            if parts.scheme == "http" and not _is_loopback(parts.hostname):
                raise ValueError("api_base may be http only on loopback; use https")
        if self.webhook_ca is not None and (self.api_base is None or not self.api_base.startswith("http:")):
            raise ValueError("webhook_ca is for a simulated provider: it needs an api_base on loopback")
        if self.webhook_ca is not None and not self.webhook_ca.strip().startswith(
            "-----BEGIN CERTIFICATE-----"
        ):
            raise ValueError(
                "webhook_ca must be a certificate as PEM text, beginning -----BEGIN CERTIFICATE-----"
            )
        for endpoint in self.endpoints:
            if endpoint.topology == "relay" and not self.receives(endpoint):
                raise ValueError(
                    f"endpoint {endpoint.name}: what is relayed reaches payops first: its url must end in "
                    f"/webhooks/{self.name}"
                )
            if endpoint.topology == "import" and self.receives(endpoint):
                raise ValueError(
                    f"endpoint {endpoint.name}: payops itself receives what is sent to this url: its topology is "
                    "observer or relay"
                )
            if endpoint.resign_secret is not None and self.provider != "stripe":
                raise ValueError(
                    f"endpoint {endpoint.name}: resign_secret is of Stripe: what {self.provider} signs, nobody else can"
                )
        return self

    def credential(self, slot: int) -> Credential:
        """Slot 0 is the account's own credential, 1… its fallbacks in order."""
        return self if slot == 0 else self.fallback_credentials[slot - 1]

    @property
    def slots(self) -> int:
        return 1 + len(self.fallback_credentials)

    def verifies(self, slot: int) -> bool:
        """Whether the stored credential `slot` has what this provider's webhooks are verified with."""
        stored = self.credential(slot)
        if self.provider == "stripe":
            return bool(stored.webhook_secrets)
        return self.provider == "braintree" or stored.webhook_id is not None

    def receives(self, endpoint: EndpointSettings) -> bool:
        """True for an endpoint whose deliveries reach payops's own receiver: its path is `/webhooks/<account>`."""
        return urlsplit(endpoint.url).path.rstrip("/").endswith(f"/webhooks/{self.name}")


class StatusPageSettings(_Model):
    """A provider's public status page: a hint, asked when somebody looks."""

    provider: Provider
    url: str

    @model_validator(mode="after")
    def _complete(self) -> StatusPageSettings:
        parts = urlsplit(self.url)
        if not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))):
            raise ValueError(f"url must start with https:// (or http:// on loopback), got {self.url!r}")
        return self


class RateSettings(_Model):
    """What one unit of a currency was worth in another on a day: only with it are amounts ever summed."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    worth: Decimal = Field(gt=0)
    in_: str = Field(alias="in", pattern=r"^[A-Z]{3}$")
    date: date


class ArmEntry(_Model):
    account: str
    remedies: tuple[str, ...]


def _zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        close = did_you_mean(name, sorted(available_timezones()))
        raise ValueError(f"timezone: no zone {name!r}{close}; write an IANA name, or UTC") from error


class MaintenanceSettings(_Model):
    """Announced work: once, `from` until `until`, or on days from `start` to `end`; in the wall time of `timezone`."""

    name: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=300)
    timezone: str = "UTC"
    from_: datetime | None = Field(default=None, alias="from")
    until: datetime | None = None
    start: time | None = None
    end: time | None = None
    days: tuple[Weekday, ...] = ()
    days_of_month: tuple[Annotated[int, Field(ge=-28, le=31)], ...] = ()
    accounts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> MaintenanceSettings:
        once, daily = (self.from_, self.until), (self.start, self.end)
        if (None in once) == (None in daily) or set(once if None in once else daily) != {None}:
            raise ValueError("write either from and until, or start and end (with days or days_of_month)")
        _zone(self.timezone)
        if 0 in self.days_of_month:
            raise ValueError("days_of_month: there is no day 0; the last day is -1")
        if None not in once and (self.days or self.days_of_month):
            raise ValueError("days belong to start and end; from and until say it once")
        when = self.window.when
        if isinstance(when, Once) and when.from_ >= when.until:
            raise ValueError("until must be later than from")
        if self.start is not None and self.start == self.end:
            raise ValueError("start and end must differ")
        return self

    @property
    def window(self) -> Window:
        zone = ZoneInfo(self.timezone)
        when: Once | Recurring
        if self.from_ is not None and self.until is not None:
            when = Once(_instant(self.from_, zone, last=False), _instant(self.until, zone, last=True))
        else:
            assert self.start is not None
            assert self.end is not None
            when = Recurring(zone, self.start, self.end, self.days, self.days_of_month)
        return Window(self.name, self.reason, when, self.accounts, self.rules)


def _instant(at: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    return instant(at, zone, last=last) if at.tzinfo is None else at.astimezone(UTC)


class QuietSettings(_Model):
    """Hours in which a person is told nothing that can wait; in the wall time of `timezone`, over midnight if need be."""

    from_: time = Field(alias="from")
    until: time
    timezone: str = "UTC"

    @model_validator(mode="after")
    def _complete(self) -> QuietSettings:
        _zone(self.timezone)
        if self.from_ == self.until:
            raise ValueError("from and until must differ")
        return self

    def ends_at(self, now: datetime) -> datetime | None:
        """When the quiet hours that hold at `now` end; None outside of them."""
        zone = ZoneInfo(self.timezone)
        local = now.astimezone(zone)
        clock = local.time().replace(tzinfo=None)
        over_midnight = self.from_ > self.until
        inside = (
            clock >= self.from_ or clock < self.until if over_midnight else self.from_ <= clock < self.until
        )
        if not inside:
            return None
        day = local.date() + timedelta(days=1) if over_midnight and clock >= self.from_ else local.date()
        return datetime.combine(day, self.until, zone).astimezone(UTC)


class ContactSettings(_Model):
    """A person who is told: for which roles, over which Apprise URLs, in the order in which people are asked."""

    name: str = Field(min_length=1, max_length=64)
    roles: Annotated[tuple[ContactRole, ...], Field(min_length=1)]
    targets: Annotated[tuple[SecretRef, ...], Field(min_length=1)]
    quiet: QuietSettings | None = None


class HeartbeatSettings(_Model):
    """An address outside that raises the alarm when it hears nothing: asked only while payops is healthy."""

    url: SecretRef


class Settings(_Model):
    """The whole configuration. `base` is the directory relative paths are relative to."""

    schema_: Literal["payops.config/v1"] = Field(alias="schema")
    store: Path = Path("payops.db")
    mode: Literal["observe", "armed"] = "observe"
    rules: Path | None = None
    receiver: ReceiverSettings = ReceiverSettings()
    operators: tuple[OperatorSettings, ...] = ()
    accounts: tuple[AccountSettings, ...] = ()
    arm: tuple[ArmEntry, ...] = ()
    status_pages: tuple[StatusPageSettings, ...] = ()
    rates: tuple[RateSettings, ...] = ()
    maintenance: tuple[MaintenanceSettings, ...] = ()
    contacts: tuple[ContactSettings, ...] = ()
    heartbeat: HeartbeatSettings | None = None
    base: Path = Path()

    @model_validator(mode="after")
    def _unique(self) -> Settings:
        names = [account.name for account in self.accounts]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"two accounts are named {doubles[0]!r}: names must differ")
        wanted = sorted({rate.in_ for rate in self.rates})
        if len(wanted) > 1:
            raise ValueError(f"[[rates]] must all be in one currency, got {', '.join(wanted)}")
        for entry in self.arm:
            if entry.account not in names:
                raise ValueError(
                    f"[[arm]] names the account {entry.account!r}{did_you_mean(entry.account, names)}"
                )
        for window in self.maintenance:
            for account in window.accounts:
                if account not in names:
                    raise ValueError(
                        f"[[maintenance]] {window.name!r} names the account {account!r}{did_you_mean(account, names)}"
                    )
        return self

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The announced maintenance windows."""
        return tuple(each.window for each in self.maintenance)

    @property
    def store_path(self) -> Path:
        return self.base / self.store

    @property
    def relays(self) -> tuple[tuple[str, str], ...]:
        """(account, endpoint) of each endpoint that is relayed."""
        return tuple(
            (account.name, endpoint.name)
            for account in self.accounts
            for endpoint in account.endpoints
            if endpoint.topology == "relay"
        )

    def account(self, name: str) -> AccountSettings:
        for account in self.accounts:
            if account.name == name:
                return account
        known = [account.name for account in self.accounts]
        raise UsageError(
            f"no account {safe_line(name)!r}{did_you_mean(name, known)}; known: {', '.join(known) or 'none'}"
        )

    def operator(self, name: str | None) -> OperatorSettings | None:
        """The listed operator of that name; None = view-only."""
        return next((operator for operator in self.operators if operator.name == name), None)


def check_armed(settings: Settings, known: Sequence[str], source: str = "configuration") -> None:
    """Refuse an `[[arm]]` entry of a remedy that does not exist: it would silently never act."""
    for index, entry in enumerate(settings.arm):
        for remedy in entry.remedies:
            if remedy not in known:
                raise UsageError(
                    f"{source}: arm[{index}].remedies: no remedy {safe_line(remedy)!r}{did_you_mean(remedy, known)}; "
                    f"known: {', '.join(sorted(known))}"
                )


def check_windows(settings: Settings, known: Sequence[str], source: str = "configuration") -> None:
    """Refuse a `[[maintenance]]` entry for a rule that does not exist: it would silently cover nothing."""
    for index, window in enumerate(settings.maintenance):
        for rule in window.rules:
            if rule not in known:
                raise UsageError(
                    f"{source}: maintenance[{index}].rules: no rule {safe_line(rule)!r}{did_you_mean(rule, known)}; "
                    f"known: {', '.join(sorted(known))}"
                )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def find(explicit: str | None) -> Path:
    """`--config`, then $PAYOPS_CONFIG, then ./payops.toml; an error that says what to do when there is none."""
    chosen = explicit or os.environ.get("PAYOPS_CONFIG")
    path = Path(chosen) if chosen else Path("payops.toml")
    if not path.is_file():
        named = " (named by $PAYOPS_CONFIG)" if chosen and not explicit else ""
        where = named if chosen else " in this directory"
        raise UsageError(f"no configuration {path}{where}: run `payops init`, or name one with --config FILE")
    return path


def load(explicit: str | None = None) -> Settings:
    """The settings of `find(explicit)`; `UsageError` names file, field and what to do."""
    path = find(explicit)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return parse(raw, base=path.parent, source=str(path))


def parse(raw: dict[str, Any], *, base: Path, source: str) -> Settings:
    """Settings from a parsed document; relative paths are relative to `base`."""
    if raw.get("schema") != SCHEMA:
        raise UsageError(f'{source}: schema: must be "{SCHEMA}", got {raw.get("schema")!r}')
    if "base" in raw:
        raise UsageError(f"{source}: base: unknown key; remove it")
    try:
        settings = Settings.model_validate({**raw, "base": base})
    except ValidationError as error:
        raise UsageError(_explain(error, raw, source)) from error
    if any(account.name == HOUSE for account in settings.accounts):
        raise UsageError(f"{source}: accounts: {HOUSE} is payops itself; give the account another name")
    if settings.rules is None:  # own rules may name remedies of their own: checked when they are read
        check_armed(settings, REMEDY_IDS, source)
    return settings


def _explain(error: ValidationError, raw: dict[str, Any], source: str) -> str:
    found = error.errors(include_url=False)
    # A misspelt key also makes the right one missing: the misspelling is what to show.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    location = list(first["loc"])
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    name = _entry_name(raw, location)
    where = f"{source}: {field}{name}"
    if first["type"] == "extra_forbidden":
        owner = _model_at(location[:-1])
        return f"{where}: unknown key{did_you_mean(str(location[-1]), owner)}; remove or correct it"
    message = _said(first)
    return f"{where}: {message}" if field else f"{source}: {message}"


_SHAPES = {
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "path_type": "text in quotes",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_WHOLE = frozenset({"tuple_type", "model_type", "model_attributes_type"})
_SECRETS = frozenset(
    {*Credential.model_fields, "application_credential", "fallback_credentials", "resign_secret", "targets"}
)


def _said(first: Any) -> str:
    """One mistake in our words, with the value that was given unless it could be a secret."""
    kind, context = first["type"], first.get("ctx", {})
    given = safe_line(first["input"], limit=60)
    number = isinstance(first["input"], int | float)
    # What stands where a list or a table belongs may be a secret that lost its name.
    hidden = _SECRETS & set(first["loc"]) or (not number and kind in _WHOLE)
    got = "" if hidden else f", got {given if number else repr(given)}"
    if kind == "value_error":
        return str(first["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        return "required, and not given"
    if kind == "literal_error":
        wanted = context["expected"]
        return f"must be {wanted}{got}{did_you_mean(given, re.findall(_QUOTED, wanted)) if got else ''}"
    if kind in _SHAPES:
        return f"must be {_SHAPES[kind]}{got}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}{got}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}{got}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_pattern_mismatch":
        return f"must be letters, digits, dots, dashes and underscores, and start with a letter or digit{got}"
    return f"{str(first['msg']).replace('Input should', 'must').replace('String should', 'must')}{got}"


def _entry_name(raw: dict[str, Any], location: list[Any]) -> str:
    if len(location) >= 2 and isinstance(location[1], int):
        try:
            name = raw[location[0]][location[1]].get("name")
        except (KeyError, IndexError, TypeError, AttributeError):
            return ""
        return f" ({safe_line(name, limit=40)})" if name else ""
    return ""


def _model_at(location: list[Any]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "receiver": ReceiverSettings,
        "operators": OperatorSettings,
        "accounts": AccountSettings,
        "endpoints": EndpointSettings,
        "fallback_credentials": Credential,
        "arm": ArmEntry,
        "status_pages": StatusPageSettings,
        "rates": RateSettings,
        "maintenance": MaintenanceSettings,
        "contacts": ContactSettings,
        "quiet": QuietSettings,
        "heartbeat": HeartbeatSettings,
    }
    names = [part for part in location if isinstance(part, str)]
    model = models.get(names[-1], Settings) if names else Settings
    return [info.alias or name for name, info in model.model_fields.items() if name != "base"]


def resolve_secret(reference: str, base: Path) -> str:
    """The secret behind a reference. `UsageError` names the reference and the remedy, never the value."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(rest)
        if not value:
            raise UsageError(
                f"{reference}: the environment variable {rest} is not set; export it before starting payops"
            )
        return value
    if scheme == "file":
        path = base / rest
        try:
            mode = path.stat().st_mode
            text = path.read_text("utf-8").strip()
        except OSError as error:
            raise UsageError(f"{reference}: cannot be read: {error.strerror}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"{reference}: others can read it; run: chmod 600 {path}")
        if not text:
            raise UsageError(f"{reference}: the file is empty")
        return text
    service, _, user = rest.partition("/")
    import keyring  # pulls in the desktop's secret service: only when a reference asks for it

    value = keyring.get_password(service, user)
    if not value:
        raise UsageError(f"{reference}: nothing stored; run: keyring set {service} {user}")
    return value
