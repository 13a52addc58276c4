"""One pass over the feeds outside the engine: what `payops poll` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from payops.clock import Now, iso, iso_or_none, monotonic_s
from payops.config import Settings
from payops.store import Store

from .outside import real_world
from .polls import read_feed
from .timetable import FeedReport
from .wiring import open_providers

CREDENTIAL = "credential"
"""The feed that proves the credential: its reading may succeed and find it refused."""


def poll_once(store: Store, settings: Settings, names: Sequence[str], now: Now) -> dict[str, Any]:
    """Read every feed of the named accounts to its last page; the `poll` document of the interface."""
    at = now()
    providers = open_providers(settings, real_world(settings), store)
    accounts = []
    try:
        for name in names:
            provider = providers[name]
            feeds = []
            for spec in provider.feeds:
                started = monotonic_s()
                report: FeedReport = read_feed(store, provider, spec.name, now, lambda: True)
                state = store.facts.feed(name, spec.name)
                error = report.error
                refused = _rejected(store, name) if report.ok and spec.name == CREDENTIAL else None
                feeds.append(
                    {
                        "feed": spec.name,
                        "ok": report.ok,
                        "read": report.read,
                        "new": report.new,
                        "requests": report.requests,
                        "cursor": state.cursor if state else None,
                        "data_as_of": iso_or_none(state.data_as_of if state else None),
                        "duration_s": round(monotonic_s() - started, 3),
                        "errors": {error.bucket: 1} if error else {},
                        "message": str(error) if error else refused,
                        "request_id": error.request_id if error else None,
                    }
                )
            proof = store.facts.proof(name)
            accounts.append(
                {
                    "account": name,
                    "provider": provider.provider,
                    "mode": provider.mode,
                    "mode_proven": proof.mode if proof and proof.ok else None,
                    "feeds": feeds,
                }
            )
    finally:
        for provider in providers.values():
            provider.close()
    return {"at": iso(at), "accounts": accounts}


def _rejected(store: Store, account: str) -> str | None:
    proof = store.facts.proof(account)
    if proof is None or proof.ok:
        return None
    return f"rejected: {proof.code or proof.error}: {proof.message}"
