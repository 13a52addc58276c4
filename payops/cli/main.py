"""The entry: commands load only when used, and every error ends in one line and an exit code.

0: it ran. 1: it ran and the answer is bad. 2: usage, configuration, scenario, store, unknown id, port in use.
"""

from __future__ import annotations

import importlib
import logging
import sys
import traceback
from typing import NoReturn

import click

from payops.domain.errors import NotPossible, PayopsError

from . import out
from .common import Verbs

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("payops.cli.demo", "Simulated world, engine and screen: no key, no network."),
    "simulate": ("payops.cli.demo", "The simulated provider servers alone."),
    "run": ("payops.cli.live", "The screen and the engine on the configured accounts."),
    "engine": ("payops.cli.live", "The engine alone, without a screen."),
    "receive": ("payops.cli.live", "The webhook receiver alone."),
    "init": ("payops.cli.setup", "Write a commented payops.toml that only observes."),
    "doctor": (
        "payops.cli.doctor",
        "Check the accounts: credentials, modes, permissions, endpoints, clocks.",
    ),
    "arm": ("payops.cli.setup", "Let named remedies act on an account."),
    "disarm": ("payops.cli.setup", "Take `arm` back."),
    "stop": ("payops.cli.setup", "Stop everything: no remedy acts until `resume`."),
    "resume": ("payops.cli.setup", "Let armed remedies act again."),
    "poll": ("payops.cli.look", "One pass over the feeds of the accounts."),
    "status": ("payops.cli.look", "The board as text or JSON."),
    "incidents": ("payops.cli.incidents", "List, show, fix, hand over and close incidents."),
    "webhooks": ("payops.cli.webhooks", "List, show and replay received events; gaps and endpoints."),
    "note": ("payops.cli.note", "Tell payops of a deploy or another change of yours."),
    "rules": ("payops.cli.rules", "Check, test, reload, explain and replay rules."),
    "notify": ("payops.cli.notify", "Whom payops tells: try it, see it, confirm it."),
    "backtest": ("payops.cli.backtest", "What payops would have told about an export of payments."),
    "report": ("payops.cli.report", "The handover of a shift, the protocol's scorecard."),
    "audit": ("payops.cli.keep", "Verify, export or anchor the audit chain."),
    "store": ("payops.cli.keep", "Check, back up or restore the store."),
}


class LazyGroup(Verbs):
    """Knows its commands by name and loads a module only for the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--debug", is_flag=True, help="Show tracebacks and log to stderr.")
@click.version_option(package_name="payops", prog_name="payops")
@click.pass_context
def payops(ctx: click.Context, debug: bool) -> None:
    """The terminal a payments on-call person keeps open."""
    ctx.obj = debug
    logging.captureWarnings(True)
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.CRITICAL,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    debug = "--debug" in sys.argv
    if debug:
        # Accepted anywhere on the line: who needs it has just seen the command fail.
        sys.argv = [sys.argv[0], "--debug", *(arg for arg in sys.argv[1:] if arg != "--debug")]
    try:
        result = payops.main(standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        # Asked for nothing in particular: the help is the answer, not a mistake.
        click.echo(error.ctx.get_help() if error.ctx else error.format_message())
        code = 0
    except click.UsageError as error:
        where = f" (try `{error.ctx.command_path} --help`)" if error.ctx else ""
        out.error(f"{error.format_message()}{where}")
        code = 2
    except (click.Abort, KeyboardInterrupt):
        out.error("interrupted")
        code = 130
    except PayopsError as error:
        if debug:
            traceback.print_exc()
        out.error(str(error))
        code = 1 if isinstance(error, NotPossible) else 2
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except Exception as error:
        again = "" if debug else "; run again with --debug for the whole story"
        if debug:
            traceback.print_exc()
        out.error(f"unexpected {type(error).__name__}: {error}{again}")
        code = 2
    sys.exit(code)
