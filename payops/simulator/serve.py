"""What `payops simulate` runs: the world in real time, its API on a port, its webhooks on their way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.text import safe_line

from . import journal, scenario, settings_file
from .deliverer import Deliverer
from .keys import credentials
from .outside import is_loopback
from .stripe_server import HOST, StripeServer
from .world import PUBLIC_BASE, World

__all__ = ["credentials", "serve"]

DEFAULT_RECEIVER_PORT = 8787


def serve(
    name_or_path: str,
    *,
    port: int = 0,
    seed: int | None = None,
    state: Path | None = None,
    write_config: Path | None = None,
    receiver: str | None = None,
    published_as: str | None = None,
    ready: Callable[[dict[str, str]], None],
    stop_event: Event,
) -> None:
    """Run a scenario's world until `stop_event`; `ready({"stripe": URL})` is called once the port is open.

    The run starts now; with `state`, when the world in that file started, and it goes on where it was.
    `receiver` is the base URL of payops's receiver (default: its default address on this machine). The provider
    knows it as `published_as`, by default `https://stripe.sim` where a receiver is named, else by its own address.
    `UsageError`: scenario, port, state or file.
    """
    what = scenario.load(name_or_path)
    chosen = what.seed if seed is None else seed
    past = None if state is None else journal.read(state, what, chosen)
    host, receiver_port = _address(receiver)
    public_base = published_as or (PUBLIC_BASE if receiver else f"http://{host}:{receiver_port}")
    start = utc_now().replace(microsecond=0) if past is None else past.start
    world = World(what, chosen, start, public_base=public_base)
    server = StripeServer(world, port=port, now=utc_now, receiver=receiver)
    named = published_as is not None or receiver is not None
    # Nothing routes names for a payops that is run against this: the applications must be where they are said to be.
    applications = public_base if named else server.url
    world.applications_at(applications)
    kept: journal.Journal | None = None
    try:
        if past is not None:
            journal.replay(past, world, server.api)
        if state is not None:
            kept = journal.begin(state, world) if past is None else journal.Journal(state)
            world.recorder = kept
        if write_config is not None:
            settings_file.write(
                write_config,
                what,
                chosen,
                api_bases={"stripe": server.url},
                public_base=public_base,
                application_base=applications,
                receiver_host=host,
                receiver_port=receiver_port,
            )
        server.start()
        ready({"stripe": server.url})
        world.advance(utc_now())
        Deliverer(world, receiver).run(utc_now, stop_event)
    finally:
        server.stop()
        if kept is not None:
            kept.close()


def _address(receiver: str | None) -> tuple[str, int]:
    """Host and port of payops's receiver."""
    if receiver is None:
        return HOST, DEFAULT_RECEIVER_PORT
    try:
        parts = urlsplit(receiver)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None or not is_loopback(receiver) or parts.path.strip("/"):
        raise UsageError(
            f"--receiver must be a base URL on this machine such as http://{HOST}:8787, got {safe_line(receiver)!r}"
        )
    return host, port
