"""Options and openings that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from payops import config
from payops.clock import utc_now
from payops.text import did_you_mean, safe_line

if TYPE_CHECKING:
    from payops.config import Settings
    from payops.store import Store

F = TypeVar("F", bound=Callable[..., Any])

config_option = click.option(
    "--config", "config_path", metavar="FILE", help="Configuration; else $PAYOPS_CONFIG, else ./payops.toml."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
operator_option = click.option("--operator", metavar="NAME", help="Who you are; else $PAYOPS_OPERATOR.")


class Verbs(click.Group):
    """A group whose unknown subcommands are all refused in the same words."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f"no command {safe_line(args[0])!r}{did_you_mean(args[0], known)}")
        return super().resolve_command(ctx, args)


def operator_name(explicit: str | None) -> str | None:
    """The operator named on the command line or in the environment; None = view-only."""
    return explicit or os.environ.get("PAYOPS_OPERATOR") or None


def settings_and_store(config_path: str | None) -> tuple[Settings, Store]:
    """The configuration and its open store (made on first use)."""
    from payops.store import Store

    settings = config.load(config_path)
    return settings, Store.open(settings.store_path, now=utc_now())
