"""A write from the command line: a row in `commands`, done by the holder of the engine lease.

Without a holder this process takes the lease for that one command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import click

from payops.clock import monotonic_s, utc_now
from payops.config import Settings, resolve_secret
from payops.domain.errors import LostRace, PayopsError, UsageError
from payops.engine.board import CommandResult

from . import out
from .common import operator_name, settings_and_store

if TYPE_CHECKING:
    from payops.remedies import Runner
    from payops.store import Command, Lease, Store

WAIT_S = 30.0
LEASE_TTL_S = 60


def ask(
    config_path: str | None,
    operator: str | None,
    action: str,
    incident_id: str | None,
    fields: Mapping[str, str],
    *,
    wait: bool,
) -> CommandResult:
    """Put the command, see it done, and return what came of it (`--no-wait`: that it was put)."""
    from payops.engine.boards import LEASE
    from payops.engine.commands import check

    settings, store = settings_and_store(config_path)
    try:
        who = operator_name(operator)
        try:
            check(settings, action, who, fields)
        except UsageError as error:
            _refused(store, who, action, incident_id, str(error))
            raise
        if action == "approve":
            _prove(store, settings, who)
        if incident_id is not None:
            store.incidents.get(incident_id)
        now = utc_now()
        number = store.commands.put(action, incident_id, dict(fields), who or "", "cli", now)
        deadline = monotonic_s() + WAIT_S
        while True:
            if store.leases.holder(LEASE, utc_now()) is None:
                # Lost to an engine that starts: it answers for what was taken here.
                with suppress(LostRace):
                    _do_it_here(store, settings)
            result = store.commands.result(number)
            if result.state in ("done", "refused"):
                return CommandResult(result.state == "done", result.message)
            if not wait:
                return CommandResult(True, f"queued as command {number}")
            if monotonic_s() >= deadline:
                return CommandResult(
                    False, f"no answer within {WAIT_S:.0f} s; still queued as command {number}"
                )
            time.sleep(0.2)
    finally:
        store.close()


def _refused(store: Store, who: str | None, action: str, incident_id: str | None, why: str) -> None:
    """Who asked for something they may not do is on record, listed or not."""
    with store.write() as db:
        store.audit.append(
            db,
            utc_now(),
            who or "nobody named",
            f"{action} refused",
            incident_id or "engine",
            "refused",
            "cli",
            {"why": why},
        )


def _prove(store: Store, settings: Settings, who: str | None) -> None:
    """An operator with a PIN enters it before an approval: from the terminal, or in $PAYOPS_PIN; never as an argument."""
    from payops.engine.pins import prove

    operator = settings.operator(who)
    if operator is None or operator.pin is None:
        return
    given = os.environ.get("PAYOPS_PIN")
    if given is None:
        if not out.interactive():
            raise UsageError("approve: your PIN is needed: run it in a terminal, or set PAYOPS_PIN")
        given = click.prompt("PIN", hide_input=True, err=True, type=str)
    prove(store, operator, partial(resolve_secret, base=settings.base), given, utc_now())


def _do_it_here(store: Store, settings: Settings) -> None:
    from payops.engine.boards import LEASE
    from payops.engine.host import process_name

    lease = store.leases.acquire(LEASE, process_name(), utc_now(), LEASE_TTL_S)
    if lease is None:
        return
    try:
        # Fenced: an engine that starts meanwhile takes over, and nothing is done twice.
        with store.fenced(lease):
            for command in store.commands.take(utc_now(), lease.token):
                result = _carried_out(store, settings, command, lease)
                store.commands.finish(command.id, result.ok, result.message, utc_now())
    finally:
        store.leases.release(lease)


def _carried_out(store: Store, settings: Settings, command: Command, lease: Lease) -> CommandResult:
    from payops.engine.commands import Hands, Request, carry_out
    from payops.engine.outside import real_world
    from payops.engine.wiring import open_providers, open_runner
    from payops.signals import read

    # These look at the provider, and may act there.
    fixes = command.action in ("fix", "approve")
    now = utc_now()
    store.leases.renew(lease, now, LEASE_TTL_S)
    outside = real_world(settings)
    try:
        providers = open_providers(settings, outside, store) if fixes else {}
    except PayopsError as error:
        return CommandResult(False, str(error))
    try:
        runner = open_runner(store, settings, outside, providers)
        request = Request(
            command.action,
            command.incident_id,
            command.fields,
            command.operator or "",
            now,
            read(store, settings, now),
        )
        result = carry_out(Hands(store, settings, runner), request)
        if fixes and result.ok:
            return _finish_fix(store, settings, runner, command.incident_id or "", lease, result)
        return result
    finally:
        for provider in providers.values():
            provider.close()


def _finish_fix(
    store: Store,
    settings: Settings,
    runner: Runner,
    incident_id: str,
    lease: Lease,
    started: CommandResult,
) -> CommandResult:
    """Drive the asked-for attempt until it is applied; its verification goes on in the next engine."""
    from payops.signals import read

    deadline = monotonic_s() + WAIT_S - 5
    while monotonic_s() < deadline:
        now = utc_now()
        store.leases.renew(lease, now, LEASE_TTL_S)
        runner.go_on(incident_id, read(store, settings, now), now)
        attempts = store.incidents.attempts(incident_id)
        if attempts and attempts[-1].phase == "done":
            last = attempts[-1]
            good = last.outcome == "succeeded"
            return CommandResult(good, f"{last.remedy}: {last.outcome}: {last.detail}")
        if attempts and attempts[-1].phase == "verifying":
            return CommandResult(True, f"{attempts[-1].remedy}: applied, verifying: {attempts[-1].detail}")
        time.sleep(1.0)
    return started
