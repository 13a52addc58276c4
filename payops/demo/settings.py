"""The configuration of a simulated world: what an operator would have written for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payops.config import Settings, parse
from payops.domain.catalogue import REMEDY_IDS
from payops.domain.errors import UsageError
from payops.domain.roles import OPERATOR_ROLES
from payops.simulator import account as where
from payops.simulator.applications import inbox_path
from payops.simulator.kinds import credentials
from payops.simulator.scenario import OPERATORS, EndpointOptions, Scenario

PUBLIC = "https://{provider}.sim"


def inboxes_beside(store: Path) -> Path:
    """The folder of the simulated applications' own inboxes."""
    return store.with_suffix(".inboxes")


def world_settings(
    scenario: Scenario, seed: int, urls: Mapping[str, str], store: Path, receiver_port: int = 0
) -> tuple[Settings, dict[str, str]]:
    """Settings for the scenario's accounts, and the secrets their references stand for."""
    inboxes = inboxes_beside(store)
    secrets: dict[str, str] = {}
    accounts: list[dict[str, Any]] = []
    known = credentials(scenario, seed)

    def refer(account: str, name: str, value: str) -> str:
        reference = "env:" + f"SIM_{account}_{name}".upper().replace("-", "_")
        secrets[reference] = value
        return reference

    def stored(account: str, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        for field, value in fields.items():
            if field == "webhook_secrets":
                entry[field] = [refer(account, f"{name}WHSEC{i}", each) for i, each in enumerate(value)]
            elif field == "webhook_ca":
                entry[field] = value
            elif isinstance(value, str):
                entry[field] = refer(account, f"{name}{field}", value)
        return entry

    for name, options in scenario.accounts.items():
        provider = name.partition("-")[0]
        fields = known[name]
        entry = {
            "name": name,
            "provider": provider,
            "mode": options.mode,
            "api_base": urls[provider],
            **stored(name, "", {k: v for k, v in fields.items() if k != "fallback_credentials"}),
            "fallback_credentials": [
                stored(name, f"FALLBACK{i}_", each)
                for i, each in enumerate(fields.get("fallback_credentials", []))
            ],
            "endpoints": [
                {
                    "name": endpoint.name,
                    "url": where.public_url(PUBLIC.format(provider=provider), name, endpoint.key),
                    "topology": endpoint.topology,
                    "idempotent": endpoint.idempotent,
                    **_application(endpoint, provider, name, inboxes),
                }
                for endpoint in options.all_endpoints
            ],
        }
        accounts.append(entry)
    document = {
        "schema": "payops.config/v1",
        "store": str(store),
        "mode": "armed",
        "receiver": {"host": "127.0.0.1", "port": receiver_port},
        "operators": [{"name": name, "roles": list(OPERATOR_ROLES)} for name in OPERATORS],
        "accounts": accounts,
        "arm": [
            {"account": name, "remedies": list(REMEDY_IDS)}
            for name, options in scenario.accounts.items()
            if options.armed
        ],
    }
    return parse(document, base=Path(), source="the simulated world"), secrets


def _application(endpoint: EndpointOptions, provider: str, account: str, inboxes: Path) -> dict[str, str]:
    """Where the application behind an endpoint takes its events, or keeps them."""
    if endpoint.topology == "relay":
        return {"forward_to": where.application_url(PUBLIC.format(provider=provider), endpoint.name)}
    if endpoint.topology == "import":
        return {"source": str(inbox_path(inboxes, account, endpoint.name))}
    return {}


def edges(urls: Mapping[str, str]) -> dict[str, str]:
    """Where what is published at each provider's side of the simulated world really answers."""
    return {PUBLIC.format(provider=provider): f"{url}/_edge" for provider, url in urls.items()}


def secret_of(secrets: Mapping[str, str], reference: str) -> str:
    """The secret behind a reference of the simulated world."""
    try:
        return secrets[reference]
    except KeyError:
        raise UsageError(f"{reference}: the simulated world knows no such secret") from None
