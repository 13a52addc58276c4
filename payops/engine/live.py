"""The real-time desk: engine host and store behind one object."""

from __future__ import annotations

import socket

from payops.clock import utc_now
from payops.config import Settings
from payops.domain.errors import UsageError
from payops.receiver import listen
from payops.signals import read
from payops.store import Store

from .board import Board
from .boards import build
from .desk import Desk
from .listening import somebody_listens
from .outside import Outside


def reserve_receiver(settings: Settings, store: Store | None = None) -> socket.socket | None:
    """The receiver's port, taken now so that a port in use is said before anything starts.

    None without webhooks, and where another process of this store listens already.
    """
    if not any(account.verifies(0) for account in settings.accounts):
        return None
    try:
        return listen(settings.receiver.host, settings.receiver.port)
    except UsageError:
        if store is None or not somebody_listens(store, utc_now):
            raise
        return None


def last_known(store: Store, settings: Settings, operator: str | None) -> Board:
    """What the store knows now, for the first picture: no adapter, no rule, no engine is needed for it."""
    now = utc_now()
    signals = read(store, settings, now)
    return build(store, settings, signals, now, operator=operator, holder="", receiver="starting")


def open_desk(
    store: Store,
    settings: Settings,
    outside: Outside,
    operator: str | None,
    receiver_socket: socket.socket | None,
    origin: str = "screen",
) -> Desk:
    """Start the engine and return the desk over it and the store."""
    # The adapters, the rules and their machinery take a while to load: the first picture does not wait for them.
    from .host import EngineHost
    from .local import StoreDesk

    host = EngineHost(
        store,
        settings,
        outside,
        operator=operator,
        receiver_socket=receiver_socket,
    )
    host.start()
    return StoreDesk(store, settings, host, lambda: host.engine.runner, operator=operator, origin=origin)
