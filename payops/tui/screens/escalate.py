"""The handoff: five fields prefilled from facts, edited, previewed as the receiver will read it, then sent."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.widgets import TextArea

from payops.domain.roles import LEVEL_NAMES
from payops.engine.board import HandoffDraft, IncidentRow
from payops.text import safe_text

from .. import ink
from ..messages import DraftArrived, Failed
from ..widgets.line import Block, Line
from .base import Inked, Modal, scroll

FIELDS: dict[str, str] = {
    "problem": "what is wrong, where, since when",
    "attempted": "what was tried, with what result",
    "impact": "customers, payments, money at risk",
    "gateway": "provider, endpoint, API version, request ids",
    "request": "what you ask of them",
}
LIMIT = 4000


class EscalateScreen(Inked):
    """The form. What was typed survives leaving it without sending; what was not is prefilled anew."""

    BINDINGS = [
        Binding("escape", "back", "Back", priority=True),
        Binding("ctrl+s,f2", "preview", "Preview", priority=True),
    ]

    def __init__(self, row: IncidentRow) -> None:
        super().__init__()
        self._row = row
        self._draft: HandoffDraft | None = None
        self._prefilled: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield Block(id="what")
        with VerticalScroll(id="fields", can_focus=False):
            for name in FIELDS:
                yield Line(id=f"label-{name}", classes="label")
                area = TextArea(
                    id=f"field-{name}",
                    soft_wrap=True,
                    show_line_numbers=False,
                    tab_behavior="focus",
                    compact=True,
                    disabled=True,
                )
                area.cursor_blink = False
                yield area
        yield Block(id="problem-line")
        yield Line(id="prompt")

    def on_mount(self) -> None:
        self._what("Asking for the facts…")
        for name, hint in FIELDS.items():
            self.query_one(f"#label-{name}", Line).show(
                ink.join((ink.own(name.capitalize(), "accent"), ink.own(f"  {hint}", "dim")))
            )
        self.query_one("#prompt", Line).show(
            ink.join(
                (
                    ink.own(" f2", "key"),
                    ink.own(" preview, then send   "),
                    ink.own("tab", "key"),
                    ink.own(" next field   "),
                    ink.own("esc", "key"),
                    ink.own(" leave, nothing is sent"),
                )
            )
        )
        desk, incident_id = self.payops.desk, self._row.id
        self.payops.work.start(f"draft {incident_id}", lambda: DraftArrived(desk.draft(incident_id)), self)

    def _what(self, to: str) -> None:
        self.query_one("#what", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own(" Escalate ", "strong"),
                        ink.said(self._row.id, "strong"),
                        ink.own("  "),
                        ink.said(self._row.title),
                    )
                ),
                ink.join((ink.own(" "), ink.said(to))),
            ]
        )

    @on(DraftArrived)
    def _draft_arrived(self, message: DraftArrived) -> None:
        draft = self._draft = message.draft
        self._what(
            f"To {draft.to}, {LEVEL_NAMES.get(draft.level, f'Level {draft.level}')}. Prefilled from what payops knows."
        )
        kept = self.payops.kept_drafts.get(self._row.id, {})
        for name in FIELDS:
            area = self.query_one(f"#field-{name}", TextArea)
            area.disabled = False
            self._prefilled[name] = safe_text(getattr(draft, name), limit=LIMIT)
            area.text = kept.get(name, self._prefilled[name])
        self.query_one("#field-problem").focus()

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self.query_one("#problem-line", Block).show_lines(
            [ink.join((ink.own(" ✖ No draft: ", "bad"), ink.told(message.error)))]
        )

    def _values(self) -> dict[str, str]:
        return {name: self.query_one(f"#field-{name}", TextArea).text.strip() for name in FIELDS}

    def action_preview(self) -> None:
        if self._draft is None:
            return
        values = self._values()
        blank = [name for name in FIELDS if not values[name]]
        problem = self.query_one("#problem-line", Block)
        if blank:
            what = ", ".join(name.capitalize() for name in blank)
            problem.show_lines(
                [
                    ink.own(
                        f" ✖ {what} cannot be blank: write what is unknown and what was tried to learn it.",
                        "bad",
                    )
                ]
            )
            self.query_one(f"#field-{blank[0]}").focus()
            return
        problem.show_lines([])
        self.app.push_screen(PreviewModal(self, self._row, self._draft, values))

    def send(self, values: dict[str, str]) -> None:
        """Send what the preview showed, and leave."""
        self.payops.kept_drafts.pop(self._row.id, None)
        self.dismiss()
        level = {"level": str(self._draft.level)} if self._draft is not None else {}
        self.payops.submit("escalate", self._row.id, {**values, **level})

    def action_back(self) -> None:
        if self._draft is not None:
            # What nobody touched is drawn anew from the facts next time: kept, it would be stale by then.
            self.payops.kept_drafts[self._row.id] = {
                name: text for name, text in self._values().items() if text != self._prefilled[name].strip()
            }
        self.dismiss()


class PreviewModal(Modal):
    """The handoff as its receiver reads it; `y` sends exactly this."""

    def __init__(
        self, form: EscalateScreen, row: IncidentRow, draft: HandoffDraft, values: dict[str, str]
    ) -> None:
        super().__init__()
        self._form, self._row, self._draft, self._values = form, row, draft, values

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Block(id="what")
            with VerticalScroll(id="plan-scroll", can_focus=False):
                yield Block(id="plan")
            yield Block(id="prompt")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#what", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own(f"Level {self._draft.level} handoff to "),
                        ink.said(self._draft.to, "strong"),
                        ink.own("  "),
                        ink.said(self._row.id),
                    )
                )
            ]
        )
        lines = []
        for name, text in self._values.items():
            lines += [ink.own(name.capitalize(), "accent"), ink.told(text, limit=LIMIT)]
        self.query_one("#plan", Block).show_lines(lines)
        self.query_one("#prompt", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own("y", "key"),
                        ink.own(" send exactly this  ·  "),
                        ink.own("esc", "key"),
                        ink.own(" back to the form  ·  "),
                        ink.own("up down", "key"),
                        ink.own(" scroll"),
                    )
                )
            ]
        )

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss()
        elif scroll(self.query_one("#plan-scroll", VerticalScroll), event.key):
            return
        elif event.key == "y" and not self.in_grace():
            self.dismiss()
            self._form.send(self._values)
