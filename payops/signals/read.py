"""Every signal at one instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from payops.config import AccountSettings, EndpointSettings, Settings
from payops.store import Store

from . import (
    account,
    api_version,
    authorizations,
    calls,
    card_data,
    credentials,
    declines,
    disputes,
    duplicates,
    forwarding,
    mode,
    orders,
    payouts,
    platform,
    refunds,
    rejections,
    signatures,
    stages,
    subscriptions,
    success,
    testing,
    traffic,
    webhooks,
)
from .schema import SignalRow, SignalSet

_OF_ACCOUNTS: dict[str, Callable[[Store, AccountSettings, datetime], SignalRow]] = {
    "success": success.row,
    "declines": declines.row,
    "testing": testing.row,
    "traffic": traffic.row,
    "stages": stages.row,
    "rejections": rejections.row,
    "credentials": credentials.row,
    "permissions": credentials.permissions_row,
    "mode": mode.row,
    "calls": calls.row,
    "account": account.row,
    "failed_refunds": refunds.failed_row,
    "stuck_refunds": refunds.stuck_row,
    "excess_refunds": refunds.excess_row,
    "disputes": disputes.row,
    "failed_payouts": payouts.row,
    "past_due_subscriptions": subscriptions.past_due_row,
    "unpayable_subscriptions": subscriptions.unpayable_row,
    "stuck_invoices": subscriptions.stuck_row,
    "duplicates": duplicates.row,
    "authorizations": authorizations.row,
    "card_data": card_data.row,
    "api_version": api_version.row,
    "orders": orders.row,
}
_OF_ENDPOINTS: dict[str, Callable[[Store, AccountSettings, EndpointSettings, datetime], SignalRow]] = {
    "endpoints": webhooks.endpoint_row,
    "webhooks": webhooks.webhook_row,
    "webhook_signatures": signatures.row,
    "forwarding": forwarding.row,
}


def read(store: Store, settings: Settings, now: datetime) -> SignalSet:
    """Source name → its rows, in the order of the configuration."""
    of_accounts = {
        name: tuple(row(store, each, now) for each in settings.accounts) for name, row in _OF_ACCOUNTS.items()
    }
    of_endpoints = {
        name: tuple(row(store, each, known, now) for each in settings.accounts for known in each.endpoints)
        for name, row in _OF_ENDPOINTS.items()
    }
    house = platform.row(store, settings, now)
    return of_accounts | of_endpoints | {"platform": () if house is None else (house,)}


def one_row(
    store: Store, source: str, account: AccountSettings, endpoint: EndpointSettings | None, now: datetime
) -> SignalRow | None:
    """One signal of one account, or of one of its endpoints; None where it takes an endpoint and none is named."""
    if source in _OF_ACCOUNTS:
        return _OF_ACCOUNTS[source](store, account, now)
    if source not in _OF_ENDPOINTS or endpoint is None:
        return None
    return _OF_ENDPOINTS[source](store, account, endpoint, now)
