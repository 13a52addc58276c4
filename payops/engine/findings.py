"""What `payops doctor` finds: one line for each thing that was looked at, with what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from payops.clock import iso
from payops.domain.events import ApiCall
from payops.domain.payments import Mode, Provider

State = Literal["ok", "wrong", "unknown", "note"]
"""`unknown`: it could not be looked at, and nothing says that it is wrong. `note`: worth knowing, not wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` is what was looked at, `said` what was seen, `next` what to do (never empty when `wrong`)."""

    check: str
    state: State
    said: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """One account. `mode_proven` None: nothing proved it. `calls` are the requests the look cost."""

    account: str
    provider: Provider
    mode: Mode
    mode_proven: Mode | None
    findings: tuple[Finding, ...]
    calls: tuple[ApiCall, ...] = ()

    @property
    def ok(self) -> bool:
        return all(finding.state != "wrong" for finding in self.findings)


def document(examined: Sequence[Examined], now: datetime) -> dict[str, Any]:
    """`payops doctor --json`."""
    return {
        "at": iso(now),
        "ok": all(each.ok for each in examined),
        "accounts": [
            {
                "account": each.account,
                "provider": each.provider,
                "mode": each.mode,
                "mode_proven": each.mode_proven,
                "checks": [
                    {
                        "check": found.check,
                        "state": found.state,
                        "said": found.said,
                        "next": found.next or None,
                    }
                    for found in each.findings
                ],
            }
            for each in examined
        ],
    }
