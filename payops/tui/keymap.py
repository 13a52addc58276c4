"""Keys from one table: the action registry and the screen's own few; bindings, help and key bar are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

from payops.domain.actions import ACTIONS


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the screen itself; `action` is what Textual runs."""

    key: str
    shown: str
    action: str
    title: str
    help: str
    name: str


OWN: tuple[Key, ...] = (
    Key("enter", "enter", "open", "Open", "Why it fired, what was tried, with proof.", "open"),
    Key("p", "p", "pause", "Pause", "Freeze the picture; collecting goes on. Again: the present.", "pause"),
    Key("question_mark,f1", "?", "help", "Help", "This page.", "help"),
    Key("q", "q", "leave", "Quit", "Leave the screen.", "quit"),
)
ELSEWHERE: tuple[tuple[str, str], ...] = (
    ("up down j k", "move the cursor; home, end, page up, page down too"),
    ("esc", "back, or leave a form without doing anything"),
    ("tab", "next field of a form"),
    ("ctrl+p", "palette: every action, arm and disarm, themes, export as JSON"),
)
"""Keys that Textual or a widget binds, for the help page."""

BAR: tuple[str, ...] = (
    "open",
    "fix",
    "approve",
    "ack",
    "escalate",
    "stop",
    "resume",
    "export",
    "pause",
    "accept",
    "hold",
    "skip",
    "note",
    "resolve",
    "return",
    "assign",
)
"""What the key bar shows first when there is not room for all; help and quit always stay."""


def own_bindings() -> list[Binding]:
    """The screen's own keys."""
    return [Binding(key.key, key.action, key.title, tooltip=key.help, id=f"screen.{key.name}") for key in OWN]


def action_bindings() -> list[Binding]:
    """One binding per action of the registry that has a key."""
    return [
        Binding(
            action.key, f"ask('{action.name}')", action.title, tooltip=action.help, id=f"action.{action.name}"
        )
        for action in ACTIONS
        if action.key
    ]


def shown_keys() -> dict[str, tuple[str, str]]:
    """Name → the key as printed and the word beside it, the same as the command's, for key bar and advice."""
    table = {key.name: (key.shown, key.name) for key in OWN}
    table.update({action.name: (action.key, action.name) for action in ACTIONS if action.key})
    return table
