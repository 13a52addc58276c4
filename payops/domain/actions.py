"""The action registry: one table feeds key bindings, help, the palette, the CLI and a scenario's `do`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .roles import OperatorRole

Scope = Literal["incident", "account", "engine"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can ask for.

    `roles` empty = reading only, no identity needed. `fields` are the words it takes besides the incident.
    """

    name: str
    title: str
    key: str
    scope: Scope
    roles: tuple[OperatorRole, ...]
    help: str
    fields: tuple[str, ...] = ()


_ACT: tuple[OperatorRole, ...] = ("operator", "coordinator", "security", "admin")
_COORDINATE: tuple[OperatorRole, ...] = ("coordinator", "security", "admin")

ACTIONS: tuple[Action, ...] = (
    Action(
        "ack", "Acknowledge", "a", "incident", _ACT, "Say that you have it; your name and the time are kept."
    ),
    Action("assign", "Assign", "o", "incident", _ACT, "Give the incident an owner.", ("to",)),
    Action("note", "Note", "n", "incident", _ACT, "Add a line to the timeline.", ("text",)),
    Action("fix", "Fix", "f", "incident", _ACT, "Run the next Level 1 remedy now; its plan is shown first."),
    Action(
        "approve",
        "Approve",
        "v",
        "incident",
        _ACT,
        "Approve the plan that waits for people; where two must, another operator approves as well.",
    ),
    Action(
        "hold",
        "Hold",
        "h",
        "incident",
        _ACT,
        "Keep the next remedy from acting by itself; fix lets it go. Level 1's time runs on.",
        ("reason",),
    ),
    Action(
        "skip",
        "Skip",
        "d",
        "incident",
        _ACT,
        "Go on without the next remedy, for this incident.",
        ("reason",),
    ),
    Action(
        "escalate",
        "Escalate",
        "e",
        "incident",
        _ACT,
        "Hand over to the next level with Problem, Attempted, Impact, Gateway, Request.",
        ("problem", "attempted", "impact", "gateway", "request"),
    ),
    Action("accept", "Accept", "y", "incident", _ACT, "Accept the handoff: it is yours now."),
    Action("return", "Return", "t", "incident", _ACT, "Return the handoff with a question.", ("question",)),
    Action(
        "resolve",
        "Resolve",
        "r",
        "incident",
        _ACT,
        "Close with a cause and what fixed it.",
        ("cause", "fixed", "note"),
    ),
    Action(
        "silence",
        "Silence",
        "z",
        "incident",
        _ACT,
        "Neither act nor call anybody for a while; it stays in the list and says until when.",
        ("for", "reason"),
    ),
    Action("unsilence", "End the silence", "", "incident", _ACT, "Act and call people again."),
    Action(
        "answer",
        "Answer",
        "",
        "incident",
        _COORDINATE,
        "Answer the handoff you accepted; what is to be done gets an owner and a date.",
        ("answer", "text", "owner", "due"),
    ),
    Action(
        "hand-down",
        "Hand down",
        "",
        "incident",
        _COORDINATE,
        "Hand the incident back to the level below, with a reason.",
        ("reason",),
    ),
    Action(
        "decide",
        "Decide",
        "",
        "incident",
        _COORDINATE,
        "Level 4: record the user's decision and why.",
        ("option", "why"),
    ),
    Action(
        "learn",
        "Learn",
        "",
        "incident",
        _ACT,
        "Say what the incident taught: a rule, test or runbook changed, an action, or nothing, because …",
        ("lesson", "text", "owner", "due"),
    ),
    Action(
        "done",
        "Follow-up done",
        "",
        "incident",
        _ACT,
        "Mark a follow-up done, by its number.",
        ("followup",),
    ),
    Action("export", "Export", "x", "incident", (), "Write the incident as a report."),
    Action(
        "stop",
        "Stop everything",
        "S",
        "engine",
        _ACT,
        "No remedy acts until resumed; survives a restart.",
        ("reason",),
    ),
    Action("resume", "Resume", "R", "engine", _ACT, "Let remedies act again.", ("reason",)),
    Action(
        "reload",
        "Reload rules",
        "",
        "engine",
        _ACT,
        "Read the rule files again; what would open or close is shown before anything is swapped.",
        ("hash",),
    ),
    Action(
        "arm",
        "Arm remedies",
        "",
        "account",
        _ACT,
        "Let named remedies act on an account.",
        ("remedies", "reason"),
    ),
    Action("disarm", "Disarm remedies", "", "account", _ACT, "Take that back.", ("remedies", "reason")),
)
WEBHOOK_ACTIONS: tuple[Action, ...] = (
    Action(
        "replay",
        "Replay",
        "",
        "engine",
        _ACT,
        "Process events from the inbox once more, or have the provider send them to an application again.",
        ("rows", "account", "endpoint", "events", "reason"),
    ),
)
"""Asked for by `payops webhooks` alone: what they act on is chosen by a filter, not on a screen of incidents."""
NOTIFY_ACTIONS: tuple[Action, ...] = (
    Action(
        "confirm",
        "Confirm a message",
        "",
        "engine",
        _ACT,
        "Say that a message reached you, by its number.",
        ("message",),
    ),
)
"""Asked for by `payops notify` alone."""
TOLD_ACTIONS: tuple[Action, ...] = (
    Action(
        "change",
        "Tell a change",
        "",
        "engine",
        _ACT,
        "Say that something of ours was changed; it is set beside the onset of what breaks.",
        ("text", "kind", "account", "at"),
    ),
)
"""Asked for by `payops note` alone."""
BY_NAME: dict[str, Action] = {
    action.name: action for action in (*ACTIONS, *WEBHOOK_ACTIONS, *NOTIFY_ACTIONS, *TOLD_ACTIONS)
}

CAUSES: tuple[str, ...] = (
    "provider outage",
    "provider change",
    "issuer",
    "our deploy",
    "our configuration",
    "credential",
    "traffic",
    "false alarm",
    "unknown",
)
"""Cause codes for a resolution; `false alarm` ends the incident as `false_alarm`."""
