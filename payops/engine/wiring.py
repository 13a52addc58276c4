"""Puts the rooms together: from settings to a ready engine, for real providers and for simulated ones alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from payops.config import Credential, Settings, resolve_secret
from payops.domain.errors import UsageError
from payops.providers import open_provider, open_verifier
from payops.providers.port import Provider, WebhookVerifier
from payops.remedies import Runner, UrlProbe, http_probe
from payops.rulebook import RuleSet, load, shipped_dir
from payops.store import Store

from .engine import Engine, Inbox
from .polls import Polls

Secrets = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Outside:
    """How the outside world is reached; the simulated world differs from the real one only here."""

    secrets: Secrets
    routes: Mapping[str, str] = field(default_factory=dict)
    """Public base URL → where it really answers (simulated world only)."""
    timeout_s: tuple[float, float] = (3.0, 10.0)
    requests_per_s: float | None = 25.0
    """None in stepped time, where pacing would wait on a real clock."""

    def probe(self) -> UrlProbe:
        return http_probe(self.routes)


def real_world(settings: Settings) -> Outside:
    """Secrets from the environment, the keyring or files; no routes."""
    return Outside(partial(_resolve, base=settings.base))


def _resolve(reference: str, base: Path) -> str:
    return resolve_secret(reference, base)


def check_secrets(settings: Settings, outside: Outside) -> None:
    """Look every reference up once, so that a missing secret is said before anything starts."""
    for account in settings.accounts:
        for slot in range(account.slots):
            credential = account.credential(slot)
            for name in type(credential).model_fields:
                if name not in Credential.model_fields:
                    continue
                value = getattr(credential, name)
                for reference in value if isinstance(value, tuple) else (value,):
                    if reference is not None:
                        outside.secrets(reference)
        if account.application_credential is not None:
            outside.secrets(account.application_credential)


def load_rules(settings: Settings) -> RuleSet:
    """The shipped rules, overridden by the directory of the configuration where it has one."""
    paths = [shipped_dir()]
    if settings.rules is not None:
        own = settings.base / settings.rules
        if not own.is_dir():
            raise UsageError(f"rules: {own} is not a directory; correct `rules` in the configuration")
        paths.append(own)
    return load(paths)


def open_providers(settings: Settings, outside: Outside, store: Store | None) -> dict[str, Provider]:
    """One adapter for each account, with the credential slot the store says is in use."""
    providers: dict[str, Provider] = {}
    for account in settings.accounts:
        provider = open_provider(
            account, outside.secrets, timeout_s=outside.timeout_s, requests_per_s=outside.requests_per_s
        )
        if store is not None:
            slot = store.facts.active_slot(account.name)
            if slot < account.slots:
                provider.use_slot(slot)
        providers[account.name] = provider
    return providers


def open_verifiers(settings: Settings, outside: Outside, store: Store) -> dict[str, WebhookVerifier]:
    """One verifier for each account that has webhook secrets in its active slot."""
    verifiers: dict[str, WebhookVerifier] = {}
    for account in settings.accounts:
        slot = min(store.facts.active_slot(account.name), account.slots - 1)
        if account.credential(slot).webhook_secrets or account.webhook_secrets:
            verifiers[account.name] = open_verifier(account, outside.secrets, slot)
    return verifiers


def build_engine(
    store: Store,
    settings: Settings,
    outside: Outside,
    providers: Mapping[str, Provider],
    polls: Polls,
    inbox: Inbox | None,
    rules: RuleSet | None = None,
) -> Engine:
    """An engine over an open store and open adapters."""
    runner = Runner(store, providers, settings, outside.probe(), outside.secrets)
    return Engine(store, settings, rules or load_rules(settings), providers, polls, runner, inbox)
