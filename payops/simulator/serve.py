"""What `payops simulate` runs: the world in real time, its API on a port, its webhooks on their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.domain.payments import Provider
from payops.text import safe_line

from . import journal, scenario, settings_file
from .deliverer import Deliverer
from .inboxes import Inboxes
from .kinds import credentials
from .outside import is_loopback
from .server import HOST, ProviderServer
from .world import PUBLIC_BASES, World

__all__ = ["credentials", "serve"]

DEFAULT_RECEIVER_PORT = 8787


def serve(
    name_or_path: str,
    *,
    ports: Sequence[int] = (0,),
    seed: int | None = None,
    state: Path | None = None,
    write_config: Path | None = None,
    receiver: str | None = None,
    published: bool = False,
    inboxes: Path | None = None,
    ready: Callable[[dict[str, str]], None],
    stop_event: Event,
) -> None:
    """Run a scenario's world until `stop_event`; `ready({provider: URL})` is called once the ports are open.

    The run starts now; with `state`, when the world in that file started, and it goes on where it was. `ports`: one
    for each provider in the scenario's order; where there are fewer, the last is counted up (0 = any free one).
    `receiver` is the base URL of payops's receiver (default: its default address on this machine). The providers know
    it as `https://PROVIDER.sim` when it is `published` so, else by that address.
    `inboxes` is the folder of the applications' own inboxes (default: beside the written configuration).
    `UsageError`: scenario, port, state or file.
    """
    what = scenario.load(name_or_path)
    chosen = what.seed if seed is None else seed
    past = None if state is None else journal.read(state, what, chosen)
    host, receiver_port = _address(receiver)
    own = f"http://{host}:{receiver_port}"
    bases = PUBLIC_BASES if published else dict.fromkeys(what.providers, own)
    start = utc_now().replace(microsecond=0) if past is None else past.start
    world = World(what, chosen, start, public_bases=bases)
    servers: dict[Provider, ProviderServer] = {}
    kept: journal.Journal | None = None
    files: Inboxes | None = None
    if inboxes is None and write_config is not None:
        inboxes = write_config.with_suffix(".inboxes")
    try:
        for provider, port in zip(what.providers, _ports(ports, len(what.providers)), strict=True):
            servers[provider] = ProviderServer(world, provider, port=port, now=utc_now, receiver=receiver)
        # Nothing routes names for a payops that is run against this: the applications must be where they are said to be.
        applications = {each: bases[each] if published else server.url for each, server in servers.items()}
        for provider, base in applications.items():
            world.applications_at(provider, base)
        if past is not None:
            journal.replay(past, world, {each: server.api for each, server in servers.items()})
        if state is not None:
            kept = journal.begin(state, world) if past is None else journal.Journal(state)
            world.recorder = kept
        urls: dict[str, str] = {each: server.url for each, server in servers.items()}
        if write_config is not None:
            settings_file.write(
                write_config,
                what,
                chosen,
                api_bases=urls,
                public_bases=bases,
                application_bases=applications,
                receiver_host=host,
                receiver_port=receiver_port,
            )
        for server in servers.values():
            server.start()
        ready(urls)
        world.advance(utc_now())
        if inboxes is not None:
            files = Inboxes(world, inboxes)
            files.follow()
        Deliverer(world, receiver).run(utc_now, stop_event, files.follow if files else lambda: None)
    finally:
        for server in servers.values():
            server.stop()
        if files is not None:
            files.close()
        if kept is not None:
            kept.close()


def _ports(given: Sequence[int], count: int) -> list[int]:
    """One port for each server: what is given, then the last one counted up; 0 stays 0."""
    ports = list(given[:count])
    while len(ports) < count:
        ports.append(ports[-1] + 1 if ports[-1] else 0)
    if max(ports) > 65535:
        raise UsageError(
            f"--port {given[-1]}: {count} providers need {count} ports, and there is none above 65535"
        )
    return ports


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
