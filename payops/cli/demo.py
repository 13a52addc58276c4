"""`demo` and `simulate`: the simulated world, with the screen, without, or alone."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

import click

from payops.domain.errors import UsageError

from . import out
from .progress import Progress


class _Ports(click.ParamType[tuple[int, ...]]):
    """`4242` or `4242,4250,4260`, in the order of the scenario's providers."""

    name = "PORT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        parts = str(value).split(",")
        if not all(part.isdecimal() and int(part) <= 65535 for part in parts):
            self.fail(f"{value!r} is not a port (0 to 65535)", param, ctx)
        return tuple(int(part) for part in parts)


PORTS = _Ports()
scenario_option = click.option(
    "--scenario",
    "scenario_name",
    default="default",
    show_default=True,
    metavar="NAME|FILE",
    help="What happens.",
)
seed_option = click.option("--seed", type=click.IntRange(0), help="Instead of the scenario's own.")


@click.command()
@scenario_option
@seed_option
@click.option(
    "--store", "store_path", type=click.Path(path_type=Path, dir_okay=False), help="Keep the store here."
)
@click.option("--headless", is_flag=True, help="Stepped time, no screen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout (headless).")
@click.option(
    "--check", is_flag=True, help="Judge the scenario's `expect`; exit 1 when one is not met (headless)."
)
@click.option("--only", metavar="TEXT", help="Of a suite (a folder), only files whose name contains this.")
@click.option(
    "--seeds", type=click.IntRange(1, 10_000), default=1, help="Of a suite, so many seeds for each file."
)
@click.pass_context
def demo(
    ctx: click.Context,
    scenario_name: str,
    seed: int | None,
    store_path: Path | None,
    headless: bool,
    as_json: bool,
    check: bool,
    only: str | None,
    seeds: int,
) -> None:
    """Simulator, engine and screen: no key, no network."""
    from payops.simulator import scenario as scenarios

    suite = scenarios.suite_folder(scenario_name)
    if not headless and (as_json or check or suite is not None):
        raise UsageError("--json, --check and a folder of scenarios go with --headless")
    if suite is not None:
        if store_path is not None:
            raise UsageError("--store goes with one scenario, not with a folder of them")
        ctx.exit(_suite(suite, only, seeds, seed, as_json, check))
    if only is not None or seeds != 1:
        raise UsageError("--only and --seeds go with a folder of scenarios")
    scenario = scenarios.load(scenario_name)
    chosen = scenario.seed if seed is None else seed
    if headless:
        ctx.exit(_headless(scenario, chosen, store_path, as_json, check))
    from payops.demo.live import LiveDemo
    from payops.simulator.scenario import OPERATORS
    from payops.tui.terminal import require_terminal

    from .logs import log_to
    from .screen import show

    require_terminal()
    live = LiveDemo(scenario_name, scenario, chosen, store_path)
    log_to(live.log_path, bool(ctx.obj))
    try:
        show(live.desk, live.desk.open, OPERATORS[0])
    finally:
        live.close()


def _headless(scenario: object, seed: int, store_path: Path | None, as_json: bool, check: bool) -> int:
    from payops.demo.headless import ActionFailed, run
    from payops.simulator.scenario import Scenario

    assert isinstance(scenario, Scenario)
    try:
        with Progress(scenario.name) as progress:
            finished = run(scenario, seed, store_path, judged=check, progress=progress)
    except ActionFailed as error:
        out.error(str(error))
        return 1
    if as_json:
        out.document(finished.document)
    else:
        out.block(json.dumps(finished.document, indent=2, ensure_ascii=False))
    bad = [verdict for verdict in finished.checks if not verdict.ok]
    for verdict in bad:
        out.say(f"expect[{verdict.line}]: {verdict.why}")
    return 1 if bad else 0


def _suite(folder: Path, only: str | None, seeds: int, seed: int | None, as_json: bool, check: bool) -> int:
    from payops.demo.suite import failed, jobs, run_suite

    wanted = jobs(folder, only, seeds, seed, judged=check)
    with Progress(f"{len(wanted)} runs") as progress:
        document = run_suite(folder.name, wanted, progress)
    if as_json:
        out.document(document)
    else:
        out.table(
            ("scenario", "seed", "result", "incidents"),
            [
                (
                    run["scenario"],
                    str(run["seed"]),
                    "not met" if failed(run) else "ok" if check else "ran",
                    str(len(run.get("incidents", ()))),
                )
                for run in document["runs"]
            ],
        )
    return 1 if document["totals"]["failed"] else 0


def _stop_at_end(stream: TextIO, stop: threading.Event) -> None:
    stream.read()
    stop.set()


@click.command()
@scenario_option
@seed_option
@click.option(
    "--port",
    "ports",
    type=PORTS,
    default="0",
    show_default=True,
    metavar="PORT[,PORT…]",
    help="In the order of the scenario's providers; those not named count up. 0 takes free ones.",
)
@click.option(
    "--write-config", type=click.Path(path_type=Path, dir_okay=False), help="Write a payops.toml for it here."
)
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="Keep the world here; survives kill -9."
)
@click.option(
    "--receiver", metavar="URL", help="Where payops's receiver listens.  [default: http://127.0.0.1:8787]"
)
@click.option(
    "--inboxes", type=click.Path(path_type=Path, file_okay=False), hidden=True, help="Applications' inboxes."
)
@click.option("--published", is_flag=True, hidden=True, help="The providers know it as https://PROVIDER.sim.")
@click.option("--until-stdin-ends", is_flag=True, hidden=True, help="Stop when stdin is closed.")
def simulate(
    scenario_name: str,
    seed: int | None,
    ports: tuple[int, ...],
    write_config: Path | None,
    state: Path | None,
    receiver: str | None,
    published: bool,
    inboxes: Path | None,
    until_stdin_ends: bool,
) -> None:
    """The simulated provider servers alone."""
    from payops.simulator.serve import serve

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if until_stdin_ends:
        threading.Thread(target=_stop_at_end, args=(sys.stdin, stop), daemon=True).start()
    serve(
        scenario_name,
        ports=ports,
        seed=seed,
        state=state,
        write_config=write_config,
        receiver=receiver,
        published=published,
        inboxes=inboxes,
        ready=lambda urls: out.document(urls),
        stop_event=stop,
    )
