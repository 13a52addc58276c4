"""Every signal at one instant."""

from __future__ import annotations

from datetime import datetime

from payops.config import Settings
from payops.store import Store

from . import credentials, success, webhooks
from .schema import SignalSet


def read(store: Store, settings: Settings, now: datetime) -> SignalSet:
    """Source name → its rows, in the order of the configuration."""
    return {
        "success": tuple(success.row(store, account, now) for account in settings.accounts),
        "endpoints": tuple(
            webhooks.endpoint_row(store, account, endpoint, now)
            for account in settings.accounts
            for endpoint in account.endpoints
        ),
        "webhooks": tuple(
            webhooks.webhook_row(store, account, endpoint, now)
            for account in settings.accounts
            for endpoint in account.endpoints
        ),
        "credentials": tuple(credentials.row(store, account, now) for account in settings.accounts),
        "mode": tuple(credentials.mode_row(store, account, now) for account in settings.accounts),
    }
