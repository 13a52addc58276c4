"""A write from the command line: a row in `commands`, done by the holder of the engine lease.

Without a holder this process takes the lease for that one command.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from payops.clock import monotonic_s, utc_now
from payops.config import Settings
from payops.engine.board import CommandResult

from .common import operator_name, settings_and_store

if TYPE_CHECKING:
    from payops.remedies import Runner
    from payops.store import Store

WAIT_S = 30.0


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
    from payops.engine.commands import authorize

    settings, store = settings_and_store(config_path)
    try:
        who = operator_name(operator)
        authorize(settings, action, who)
        if incident_id is not None:
            store.incidents.get(incident_id)
        now = utc_now()
        number = store.commands.put(action, incident_id, dict(fields), who or "", "cli", now)
        deadline = monotonic_s() + WAIT_S
        while True:
            if store.leases.holder(LEASE, utc_now()) is None:
                _do_it_here(store, settings, who or "")
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


def _do_it_here(store: Store, settings: Settings, who: str) -> None:
    from payops.engine.boards import LEASE
    from payops.engine.commands import Hands, Request, carry_out
    from payops.engine.host import process_name
    from payops.engine.outside import real_world
    from payops.engine.wiring import open_providers, open_runner
    from payops.signals import read

    now = utc_now()
    lease = store.leases.acquire(LEASE, process_name(), now, 60)
    if lease is None:
        return
    try:
        outside = real_world(settings)
        for command in store.commands.take(now, lease.token):
            needs_providers = command.action == "fix"
            providers = open_providers(settings, outside, store) if needs_providers else {}
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
            if command.action == "fix" and result.ok:
                result = _finish_fix(store, settings, runner, command.incident_id or "", result)
            store.commands.finish(command.id, result.ok, result.message, utc_now())
    finally:
        store.leases.release(lease)


def _finish_fix(
    store: Store, settings: Settings, runner: Runner, incident_id: str, started: CommandResult
) -> CommandResult:
    """Drive the asked-for attempt until it is applied; its verification goes on in the next engine."""
    from payops.signals import read

    deadline = utc_now() + timedelta(seconds=WAIT_S - 5)
    while utc_now() < deadline:
        now = utc_now()
        runner.tick(read(store, settings, now), now, may_act=True)
        attempts = store.incidents.attempts(incident_id)
        if attempts and attempts[-1].phase == "done":
            last = attempts[-1]
            good = last.outcome == "succeeded"
            return CommandResult(good, f"{last.remedy}: {last.outcome}: {last.detail}")
        if attempts and attempts[-1].phase == "verifying":
            return CommandResult(True, f"{attempts[-1].remedy}: applied, verifying: {attempts[-1].detail}")
        time.sleep(1.0)
    return started
