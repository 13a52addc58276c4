"""How the outside world is reached: secrets, routes, patience. Light, for it is needed before the first frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from payops.clock import Now, utc_now
from payops.config import Credential, Settings, resolve_secret
from payops.providers.port import Patience

Secrets = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Outside:
    """How the outside world is reached; the simulated world differs from the real one only here."""

    secrets: Secrets
    routes: Mapping[str, str] = field(default_factory=dict)
    """Public base URL → where it really answers (simulated world only)."""
    patience: Patience = field(default_factory=Patience)
    now: Now | None = utc_now
    """Real time passes during a tick, too; None in stepped time, where it stands still."""


def real_world(settings: Settings) -> Outside:
    """Secrets from the environment, the keyring or files; no routes."""
    return Outside(partial(_resolve, base=settings.base))


def _resolve(reference: str, base: Path) -> str:
    return resolve_secret(reference, base)


def check_secrets(settings: Settings, outside: Outside) -> None:
    """Look every reference up once, so that a missing secret is said before anything starts."""
    for contact in settings.contacts:
        for target in contact.targets:
            outside.secrets(target)
    if settings.heartbeat is not None:
        outside.secrets(settings.heartbeat.url)
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
        applications = (account.application_credential, *(each.resign_secret for each in account.endpoints))
        for reference in applications:
            if reference is not None:
                outside.secrets(reference)
