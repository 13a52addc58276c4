"""The small form: one input per field of an action, a list where the registry has one."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, OptionList

from payops.domain.actions import CAUSES, Action
from payops.domain.protocol import ANSWERS, LESSONS
from payops.engine.board import IncidentRow

from .. import ink
from ..widgets.line import Block, Line
from .base import Modal

HINTS: dict[str, str] = {
    "text": "what should stand in the timeline",
    "question": "what you need to know before you take it",
    "to": "name of the owner",
    "fixed": "what fixed it; the next incident like this shows it",
    "note": "anything else worth keeping (may stay empty)",
    "reason": "why; it is kept in the audit log",
    "for": "how long, at most 7d: 30m, 2h, 1d",
    "account": "name of the account",
    "remedies": "remedies, with commas between",
    "answer": "what kind of answer",
    "lesson": "what was changed",
    "owner": "who does it (empty: you)",
    "due": "until when, as 2026-01-31 (may stay empty)",
    "option": "the id of an option of the handoff, or the decision in words",
    "why": "the reason; it is kept with the decision",
    "followup": "its number, as the incident lists it",
}
OPTIONAL: frozenset[tuple[str, str]] = frozenset(
    {
        ("resolve", "note"),
        ("stop", "reason"),
        *((action, field) for action in ("answer", "learn") for field in ("owner", "due")),
    }
)
"""Stopping must not wait for a well-put reason."""
LISTS: dict[str, tuple[str, ...]] = {"cause": CAUSES, "answer": tuple(ANSWERS), "lesson": LESSONS}
DEFAULTS: dict[tuple[str, str], str] = {("stop", "reason"): "no reason given"}


class FormModal(Modal):
    """Fills the fields of `action`; enter on the last one sends, blank fields are not taken."""

    BINDINGS = [
        Binding("escape", "close", "Close", priority=True),
        Binding("ctrl+s,f2", "send", "Send", priority=True),
    ]

    def __init__(
        self, action: Action, row: IncidentRow | None, prefilled: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._action = action
        self._row = row
        fields = ("account", *action.fields) if action.scope == "account" else action.fields
        self._fields = fields
        self._prefilled = dict(prefilled or {})

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Block(id="what")
            for name in self._fields:
                yield Line(id=f"label-{name}", classes="label")
                if name in LISTS:
                    options = OptionList(*LISTS[name], id=f"field-{name}", markup=False, compact=True)
                    options.highlighted = 0
                    yield options
                else:
                    value = ink.line(self._prefilled.get(name, ""))
                    field = Input(
                        value, id=f"field-{name}", compact=True, select_on_focus=False, max_length=2000
                    )
                    field.cursor_blink = False
                    yield field
            yield Block(id="problem")
            yield Block(id="prompt")

    def on_mount(self) -> None:
        super().on_mount()
        about = (
            (ink.own("  "), ink.said(self._row.id, "strong"), ink.own("  "), ink.said(self._row.title))
            if self._row
            else ()
        )
        self.query_one("#what", Block).show_lines(
            [ink.join((ink.own(self._action.title, "strong"), *about)), ink.own(self._action.help, "dim")]
        )
        for name in self._fields:
            hint = HINTS.get(name, "")
            self.query_one(f"#label-{name}", Line).show(
                ink.join((ink.own(name), ink.own(f"  {hint}" if hint else "", "dim")))
            )
        self.query_one("#prompt", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own("enter", "key"),
                        ink.own(f" {self._action.title.lower()}   "),
                        ink.own("tab", "key"),
                        ink.own(" next field   "),
                        ink.own("esc", "key"),
                        ink.own(" close, nothing is done"),
                    )
                )
            ]
        )
        if self._fields:
            self.query_one(f"#field-{self._fields[0]}").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._next_or_send(str(event.input.id).removeprefix("field-"))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._next_or_send(str(event.option_list.id).removeprefix("field-"))

    def on_key(self, event: events.Key) -> None:
        """Without a field, enter comes here."""
        if event.key == "enter" and not self._fields:
            self.action_send()

    def _next_or_send(self, name: str) -> None:
        place = self._fields.index(name)
        if place + 1 < len(self._fields):
            self.query_one(f"#field-{self._fields[place + 1]}").focus()
        else:
            self.action_send()

    def action_send(self) -> None:
        if self.in_grace():
            return
        values: dict[str, str] = {}
        for name in self._fields:
            value = self._value(name)
            if not value and (self._action.name, name) not in OPTIONAL:
                self.query_one("#problem", Block).show_lines([ink.own(f"✖ {name} cannot be blank", "bad")])
                self.query_one(f"#field-{name}").focus()
                return
            values[name] = value or DEFAULTS.get((self._action.name, name), "")
        self.dismiss()
        self.payops.submit(self._action.name, self._row.id if self._row else None, values)

    def _value(self, name: str) -> str:
        if name in LISTS:
            chosen = self.query_one(f"#field-{name}", OptionList).highlighted
            return LISTS[name][chosen] if chosen is not None else ""
        return self.query_one(f"#field-{name}", Input).value.strip()

    def action_close(self) -> None:
        self.dismiss()
