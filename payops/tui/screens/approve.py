"""The approval: what waits for people, exactly as it was asked, until when, and who has said yes so far."""

from __future__ import annotations

from typing import ClassVar

from payops.domain.approvals import Approval
from payops.domain.plans import plan_of
from payops.engine.board import IncidentRow, PlanView

from ..pictures import plan as picture
from ..widgets.line import Block
from .fix import FixModal


class ApproveModal(FixModal):
    """As the fix, for the plan that waits: nothing is read, and what is shown is what is approved."""

    asks_for: ClassVar[str] = "approve"
    heading: ClassVar[str] = "Approval asked for "

    def __init__(self, row: IncidentRow, approval: Approval) -> None:
        super().__init__(row)
        self._approval = approval

    def show_plan(self) -> None:
        asked = self._approval
        self._view = PlanView(plan_of(asked.plan), None, True, "", asked.plan_hash)
        self.query_one("#plan", Block).show_lines(
            [*picture.asked(asked, self.payops.times), *picture.lines(self._view)]
        )
        self._prompt()
