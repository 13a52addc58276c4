"""Whether somebody who has not seen the screen could act on a handoff: each field is specific, none is boilerplate."""

from __future__ import annotations

import re
from typing import Any

FIVE = ("problem", "attempted", "impact", "gateway", "request")
_EMPTY = ("n/a", "tbd", "unknown.", "none.", "see above", "nothing.")


def faults(document: dict[str, Any]) -> list[str]:
    """What is wrong with the handoffs of a run, as sentences; empty when each can be acted on."""
    found = []
    texts: dict[str, set[str]] = {name: set() for name in FIVE}
    for incident in document["incidents"]:
        for handoff in incident["handoffs"]:
            where = f"{incident['id']} ({incident['rule']}) to {handoff['to']}"
            found += [f"{where}: {fault}" for fault in _of(incident, handoff)]
            for name in FIVE:
                texts[name].add(handoff[name])
    return found


def _of(incident: dict[str, Any], handoff: dict[str, Any]) -> list[str]:
    found = []
    for name in FIVE:
        text = handoff[name]
        if len(text.split()) < 6 or text.strip().lower() in _EMPTY:
            found.append(f"{name} says too little: {text!r}")
    provider = {"stripe": "Stripe", "braintree": "Braintree", "paypal": "PayPal"}[incident["provider"]]
    if provider not in handoff["gateway"] or incident["account"] not in handoff["gateway"]:
        found.append(f"gateway does not name {provider} and {incident['account']}: {handoff['gateway']!r}")
    if "monitor credential" not in handoff["gateway"] or "application's key" not in handoff["gateway"]:
        found.append(f"gateway does not say which credential was looked at: {handoff['gateway']!r}")
    if not re.search(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC", handoff["problem"]):
        found.append(f"problem has no time: {handoff['problem']!r}")
    if not re.search(r"Attempt \d of \d|Nothing was applied: .{10}", handoff["attempted"]):
        found.append(f"attempted names no attempt and no reason: {handoff['attempted']!r}")
    if not re.search(r"\d", handoff["impact"]) and "nknown" not in handoff["impact"]:
        found.append(f"impact has no number: {handoff['impact']!r}")
    if re.search(r"[uU]nknown", handoff["impact"]) and ":" not in handoff["impact"]:
        found.append(f"impact does not say what was tried to learn it: {handoff['impact']!r}")
    if "?" not in handoff["request"]:
        found.append(f"request asks nothing: {handoff['request']!r}")
    return found
