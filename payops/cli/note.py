"""`payops note`: tell payops what it cannot see for itself."""

from __future__ import annotations

import click

from payops.domain.changes import KINDS
from payops.domain.errors import NotPossible

from . import out
from .ask import ask
from .common import Verbs, config_option, json_option, operator_option


@click.group(cls=Verbs)
def note() -> None:
    """Tell payops what it cannot see for itself, such as a deploy."""


@note.command()
@click.argument("text")
@click.option(
    "--kind",
    type=click.Choice(tuple(KINDS)),
    default="deploy",
    show_default=True,
    help="What was changed.",
)
@click.option("--account", default="", help="Only this account is touched; without it all may be.")
@click.option("--at", default="", help="When: ISO 8601 with a zone; now without it.")
@operator_option
@config_option
@json_option
def change(
    text: str, kind: str, account: str, at: str, operator: str | None, config_path: str | None, as_json: bool
) -> None:
    """Say that something of yours was changed: it is set beside the onset of what breaks.

    Put it at the end of a deployment: payops note change "checkout 4.2" --account stripe-live
    """
    fields = {"text": text, "kind": kind, "account": account, "at": at}
    result = ask(config_path, operator, "change", None, fields, wait=True)
    if not result.ok:
        raise NotPossible(result.message)
    if as_json:
        out.document({"ok": True, "message": result.message})
    else:
        out.line(result.message)
