"""Puts the rooms together: from settings to a ready engine, for real providers and for simulated ones alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from payops.config import AccountSettings, Settings, check_armed, check_windows
from payops.domain.catalogue import REMEDY_IDS
from payops.domain.errors import PayopsError, UsageError
from payops.providers import open_provider, open_verifier
from payops.providers.foreign import Foreign, Relation
from payops.providers.port import Provider, WebhookVerifier
from payops.remedies import Runner, http_probe
from payops.remedies.places import place
from payops.rulebook import RuleSet, load, shipped_dir
from payops.signals.slots import webhook_slot
from payops.store import Store

from .engine import Engine, Inbox
from .outside import Outside
from .polls import Polls


def load_rules(settings: Settings) -> RuleSet:
    """The shipped rules, overridden by the directory of the configuration where it has one."""
    paths = [shipped_dir()]
    if settings.rules is not None:
        own = settings.base / settings.rules
        if not own.is_dir():
            raise UsageError(f"rules: {own} is not a directory; correct `rules` in the configuration")
        paths.append(own)
    rules = load(paths)
    if settings.rules is not None:
        check_armed(settings, _remedy_ids(rules))
    check_windows(settings, rules.ids)
    return rules


def remedy_ids(settings: Settings) -> tuple[str, ...]:
    """The remedies that may be armed: payops's own, and those the configured rules name."""
    return REMEDY_IDS if settings.rules is None else _remedy_ids(load_rules(settings))


def _remedy_ids(rules: RuleSet) -> tuple[str, ...]:
    named = {remedy.id for rule in rules for remedy in rule.level1.remedies}
    return tuple(sorted(named | set(REMEDY_IDS)))


def open_providers(settings: Settings, outside: Outside, store: Store | None) -> dict[str, Provider]:
    """One adapter for each account, with the credential slot the store says is in use."""
    providers: dict[str, Provider] = {}
    for account in settings.accounts:
        providers[account.name] = open_account(account, outside, store)
    return providers


def open_account(account: AccountSettings, outside: Outside, store: Store | None) -> Provider:
    """One account's adapter; `UsageError` when a secret it needs is not there."""
    provider = open_provider(account, outside.secrets, outside.patience)
    if store is not None:
        slot = store.facts.active_slot(account.name)
        if slot < account.slots:
            provider.use_slot(slot)
    return provider


def open_verifiers(settings: Settings, outside: Outside, store: Store) -> dict[str, WebhookVerifier]:
    """One verifier for each account that has what webhooks are verified with, of the slot in use for it."""
    verifiers: dict[str, WebhookVerifier] = {}
    for account in settings.accounts:
        slot = webhook_slot(store, account)
        if account.verifies(slot):
            verifiers[account.name] = open_verifier(
                account,
                outside.secrets,
                slot,
                patience=outside.patience,
                routes=outside.routes,
                others=tuple(_others(settings, outside, account, slot)),
            )
    return verifiers


def _others(settings: Settings, outside: Outside, account: AccountSettings, slot: int) -> Iterator[Foreign]:
    """What is stored besides: it names whose signature a webhook has that does not fit ours."""
    for other in settings.accounts:
        if other.provider != account.provider:
            continue
        for each in range(other.slots):
            if (other.name, each) == (account.name, slot) or not other.verifies(each):
                continue
            try:
                known = _verifying(other, each, outside)
            except PayopsError:
                continue  # the account it belongs to says so itself
            same = other.name == account.name
            relation: Relation = (
                "stored" if same else "other_account" if other.mode == account.mode else "other_mode"
            )
            yield Foreign(relation, place(each) if same else other.name, known)


def _verifying(account: AccountSettings, slot: int, outside: Outside) -> tuple[str, ...]:
    stored, secrets = account.credential(slot), outside.secrets
    if account.provider == "stripe":
        return tuple(secrets(each).strip() for each in stored.webhook_secrets)
    if account.provider == "paypal":
        return () if stored.webhook_id is None else (secrets(stored.webhook_id).strip(),)
    if stored.public_key is None or stored.private_key is None:
        return ()
    return (f"{secrets(stored.public_key).strip()} {secrets(stored.private_key).strip()}",)


def webhook_slots(settings: Settings, store: Store) -> dict[str, int]:
    """Account → the stored credential its webhooks are verified with; open the verifiers again when it changes."""
    return {account.name: webhook_slot(store, account) for account in settings.accounts}


def open_runner(
    store: Store, settings: Settings, outside: Outside, providers: Mapping[str, Provider]
) -> Runner:
    """Level 1 over an open store and open adapters."""
    return Runner(store, providers, settings, http_probe(outside.routes), outside.secrets, outside.now)


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
    runner = open_runner(store, settings, outside, providers)
    return Engine(store, settings, rules or load_rules(settings), providers, polls, runner, inbox)
