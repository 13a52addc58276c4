"""`doctor`: what is wrong with the accounts before a payment is."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import click

from payops import config
from payops.clock import utc_now
from payops.domain.errors import UsageError

from . import out
from .common import config_option, json_option

_MARKS = {"ok": "ok", "wrong": "WRONG", "unknown": "unknown", "note": "note"}


@click.command()
@click.option("--account", metavar="NAME", help="Only this account.")
@click.option("--all", "everything", is_flag=True, help="Show what is in order, too.")
@config_option
@json_option
@click.pass_context
def doctor(
    ctx: click.Context, account: str | None, everything: bool, config_path: str | None, as_json: bool
) -> None:
    """Check credentials, modes, permissions, endpoints, clocks and versions; exit 1 when something is wrong.

    Reads only; asks each provider a handful of questions.
    """
    from payops.engine.doctor import Tools, examine
    from payops.engine.findings import document
    from payops.engine.outside import real_world
    from payops.engine.tls import certificate_reader
    from payops.engine.wiring import open_account
    from payops.providers.port import Provider
    from payops.providers.statuspages import StatusPage
    from payops.receiver.importing import problem_of
    from payops.remedies import http_probe
    from payops.store import Store

    settings = config.load(config_path)
    names = [settings.account(account).name] if account else [entry.name for entry in settings.accounts]
    outside = real_world(settings)
    providers: dict[str, Provider | UsageError] = {}
    with ExitStack() as stack:
        store = None
        if settings.store_path.exists():
            store = stack.enter_context(Store.open_existing(settings.store_path, now=utc_now()))
        for name in names:
            try:
                opened = open_account(settings.account(name), outside, None)
            except UsageError as error:
                providers[name] = error
                continue
            stack.callback(opened.close)
            providers[name] = opened
        tools = Tools(
            http_probe(outside.routes),
            certificate_reader(outside.routes),
            partial(problem_of, settings),
            tuple(StatusPage(page.provider, page.url) for page in settings.status_pages),
            outside.secrets,
            store,
        )
        found = examine(
            settings, providers, names, utc_now, tools, lambda name: out.say(f"looking at {name} …")
        )
        if store is not None:
            # What the look cost belongs to the read meter; without a store there is no meter yet.
            for each in found:
                store.facts.record_calls(each.account, each.calls, utc_now())
    if as_json:
        out.document(document(found, utc_now()))
    else:
        rows = [
            (each.account, _MARKS[line.state], line.check, line.said, line.next)
            for each in found
            for line in each.findings
            if everything or line.state in ("wrong", "unknown")
        ]
        out.table(("account", "state", "check", "seen", "next step"), rows)
        for each in found:
            wrong = sum(line.state == "wrong" for line in each.findings)
            out.line(
                f"{each.account}: {f'{wrong} wrong' if wrong else 'nothing wrong'} of {len(each.findings)} looked at"
            )
    if not all(each.ok for each in found):
        ctx.exit(1)
