"""`run`, `engine`, `receive`: the real thing, with a screen, without one, or only listening."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from payops import config
from payops.clock import utc_now
from payops.domain.errors import PayopsError

from . import out
from .common import config_option, operator_name, operator_option
from .logs import log_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from payops.config import Settings
    from payops.engine.board import Board
    from payops.engine.desk import Desk
    from payops.store import Store

log = logging.getLogger(__name__)


def _until_signalled(serving: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    out.say(f"{serving}; stop with Ctrl+C")
    while not stopped.wait(1.0):
        meanwhile()


def _open_store(settings: Settings) -> Store:
    from payops.store import Store

    return Store.open(settings.store_path, now=utc_now())


@click.command()
@operator_option
@config_option
@click.pass_context
def run(ctx: click.Context, operator: str | None, config_path: str | None) -> None:
    """The screen and the engine on the configured accounts."""
    from payops.engine.deferred import DeferredDesk
    from payops.engine.live import last_known, open_desk, reserve_receiver
    from payops.engine.outside import check_secrets, real_world
    from payops.tui.terminal import require_terminal

    from .screen import show

    settings = config.load(config_path)
    require_terminal()
    outside = real_world(settings)
    check_secrets(settings, outside)
    store = _open_store(settings)
    try:
        listener = reserve_receiver(settings, store)
    except PayopsError:
        store.close()
        raise
    log_to(settings.store_path.with_suffix(".log"), bool(ctx.obj))
    who = operator_name(operator)

    def opener(early: Callable[[Board], None]) -> Desk:
        early(last_known(store, settings, who))
        return open_desk(store, settings, outside, who, listener)

    desk = DeferredDesk(opener)
    try:
        show(desk, desk.open, who)
    finally:
        desk.close()
        store.close()


@click.command()
@operator_option
@config_option
@click.pass_context
def engine(ctx: click.Context, operator: str | None, config_path: str | None) -> None:
    """The engine alone, without a screen: polls, judges, fixes, hands over."""
    from payops.engine.host import EngineHost
    from payops.engine.outside import real_world

    settings = config.load(config_path)
    store = _open_store(settings)
    log_to(settings.store_path.with_suffix(".log"), bool(ctx.obj))
    host = EngineHost(store, settings, real_world(settings), operator=operator_name(operator))
    try:
        host.start()
        _until_signalled(f"engine running on {settings.store_path}; receiver {host.receiver_url}")
    finally:
        host.stop()
        store.close()


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Instead of the configured port; 0 takes a free one."
)
@config_option
@click.pass_context
def receive(ctx: click.Context, port: int | None, config_path: str | None) -> None:
    """The webhook receiver alone: verify, store durably, answer."""
    from payops.engine.forwarding import LiveForwarding
    from payops.engine.host import process_name
    from payops.engine.listening import Sign
    from payops.engine.outside import real_world
    from payops.engine.wiring import open_verifiers, webhook_slots
    from payops.receiver import Receiver, serve

    settings = config.load(config_path)
    store = _open_store(settings)
    log_to(settings.store_path.with_suffix(".log"), bool(ctx.obj))
    sign = Sign(store, process_name(), utc_now)
    outside = real_world(settings)

    def keep() -> None:
        try:
            sign.hold()
            now_used = webhook_slots(settings, store)
            if now_used != slots:  # the engine, in a process of its own, has promoted another secret
                slots.update(now_used)
                verifiers.update(open_verifiers(settings, outside, store))
        except PayopsError as error:
            log.warning("%s", error)

    try:
        slots = webhook_slots(settings, store)
        verifiers = open_verifiers(settings, outside, store)
        # Without adapters it forwards what it has received itself; the engine fetches the rest.
        forwarding = (
            LiveForwarding(store, settings, outside, None, process_name(), utc_now)
            if settings.relays
            else None
        )
        receiver = Receiver(store, verifiers, utc_now, forwarding.relay if forwarding else None)
        running = serve(
            receiver, host=settings.receiver.host, port=settings.receiver.port if port is None else port
        )
        click.echo(f"listening on {running.url}")
        try:
            if forwarding is not None:
                forwarding.start()
            keep()
            _until_signalled(f"receiving for {', '.join(sorted(verifiers)) or 'no account'}", keep)
        finally:
            running.stop()
            sign.drop()
            if forwarding is not None:
                forwarding.stop()
    finally:
        store.close()
