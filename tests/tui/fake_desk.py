"""A desk that answers from what it is given, and boards frozen at one moment, for the screen's tests and its demo."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from payops.domain.approvals import Approval
from payops.domain.incidents import FixAttempt, Handoff, Incident, TimelineEntry, Why
from payops.domain.money import Money
from payops.domain.plans import Plan, Refusal, plan_json
from payops.engine.board import (
    AccountCard,
    Backlog,
    Board,
    CommandResult,
    EngineState,
    HandoffDraft,
    IncidentDetail,
    IncidentRow,
    Levels,
    NextItem,
    PlanView,
    ReloadView,
    WindowRate,
)

NOW = datetime(2026, 1, 15, 14, 2, 10, tzinfo=UTC)


def rate(n: int, succeeded: int, half: float) -> WindowRate:
    share = succeeded / n
    return WindowRate(n, succeeded, share, max(0.0, share - half), min(1.0, share + half))


def minutes(drop_at: int | None) -> tuple[float | None, ...]:
    usual = [0.95, 1.0, 0.92, 0.97, 0.9, 0.94]
    low = [0.55, 0.4, 0.62, 0.48]
    found: list[float | None] = []
    for minute in range(60):
        if minute in (7, 8):
            found.append(None)
        else:
            found.append(low[minute % 4] if drop_at is not None and minute >= drop_at else usual[minute % 6])
    return tuple(found)


CARD = AccountCard(
    account="stripe-live",
    provider="stripe",
    mode="live",
    mode_proven="live",
    armed=("enable-endpoint", "resend-missed"),
    success={"5m": rate(61, 58, 0.05), "1h": rate(722, 686, 0.016), "24h": rate(17_311, 16_428, 0.003)},
    expected=0.949,
    spark=minutes(None),
    spark_n=(12,) * 60,
    backlog=Backlog(0, 0, 0, 0, None),
    topology="observer",
    budget="payops's reads: 1,204 of 65,000 in 30 days; the application's are unknown",
    reads_month=1_204,
    reads_allowed=65_000,
    fresh_at=NOW,
    state="live",
    problem="",
    retry_at=None,
    progress=None,
    sees="charges and refunds with their declines, within 30 s",
)
ENGINE = EngineState("main@here", True, NOW, 0, None, True, True, "listens on http://127.0.0.1:8787")
FIXED = IncidentRow(
    id="inc-1",
    severity="sev2",
    state="resolved",
    level=1,
    title="Webhook endpoint disabled at stripe (stripe-live)",
    challenge="webhook_miss",
    provider="stripe",
    account="stripe-live",
    opened_at=NOW - timedelta(minutes=9),
    resolved_at=NOW - timedelta(minutes=6, seconds=50),
    ended_as="fixed_by_payops",
    owner=None,
    money=(),
    next_action="",
    next_at=None,
    needs_human=False,
    status="fixed at Level 1 by payops",
)
WAITING = IncidentRow(
    id="inc-2",
    severity="sev2",
    state="open",
    level=2,
    title="Success rate dropped at stripe (stripe-live)",
    challenge="transaction_fail",
    provider="stripe",
    account="stripe-live",
    opened_at=NOW - timedelta(minutes=4, seconds=30),
    resolved_at=None,
    ended_as=None,
    owner=None,
    money=(Money(1_234_050, "EUR"), Money(88_000, "USD")),
    next_action="Level 3 handoff",
    next_at=NOW + timedelta(minutes=28),
    needs_human=True,
    status="waits for backend-coordinator",
    waits_for="backend-coordinator",
)
WORKING = replace(
    WAITING,
    id="inc-3",
    severity="sev3",
    level=1,
    title="Events are missing here (stripe-live)",
    challenge="webhook_miss",
    opened_at=NOW - timedelta(minutes=1),
    money=(),
    next_action="verify resend-missed",
    next_at=NOW + timedelta(seconds=30),
    needs_human=False,
    status="fixing, attempt 1 of 2",
    waits_for="",
)
HEALTHY = Board(
    at=NOW,
    headline="Nothing is wrong that payops can see.",
    tone="ok",
    engine=ENGINE,
    operator="ana",
    view_only="",
    accounts=(CARD,),
    incidents=(),
    recent=(),
    next=(
        NextItem(NOW + timedelta(seconds=20), "read events of stripe-live"),
        NextItem(NOW + timedelta(seconds=50), "read endpoints of stripe-live"),
    ),
    levels=Levels(0, 0, 0, 0, 0),
)
LOADING = replace(
    HEALTHY,
    headline="Reading for the first time: nothing is known yet.",
    tone="unknown",
    loading="stripe-live: reading history",
    accounts=(
        replace(
            CARD,
            success={
                "5m": rate(61, 58, 0.05),
                "1h": rate(402, 382, 0.02),
                "24h": WindowRate(0, 0, None, None, None),
            },
            expected=None,
            spark=(None,) * 24 + minutes(None)[24:],
            state="backfilling",
            progress=0.43,
            backlog=Backlog(None, 0, 0, None, None),
        ),
    ),
)
BUSY = replace(
    HEALTHY,
    headline="inc-2 needs a person: Success rate dropped at stripe (stripe-live); 1 more open.",
    tone="bad",
    accounts=(
        replace(
            CARD,
            success={
                "5m": rate(59, 30, 0.125),
                "1h": rate(722, 632, 0.024),
                "24h": rate(17_311, 16_374, 0.003),
            },
            spark=minutes(52),
            backlog=Backlog(12, 3, 0, 37, 260),
        ),
    ),
    incidents=(WAITING, WORKING),
    recent=(FIXED,),
    next=(
        NextItem(NOW + timedelta(seconds=20), "read events of stripe-live"),
        NextItem(NOW + timedelta(seconds=30), "inc-3: verify resend-missed", "Events are missing here"),
        NextItem(NOW + timedelta(minutes=28), "inc-2: Level 3 handoff", "Success rate dropped"),
    ),
    levels=Levels(3, 1, 0, 1, 2),
)
BROKEN = replace(
    BUSY,
    headline="The engine is late by 75 s: what is shown may be old.",
    tone="bad",
    engine=replace(
        ENGINE,
        mine=False,
        holder="night@web-2",
        late_s=75,
        last_tick_at=NOW - timedelta(seconds=75),
        audit_ok=False,
        receiver="",
    ),
    accounts=(
        replace(
            CARD,
            state="failed",
            problem="events: auth: Invalid API Key provided: rk_live_…4f2a",
            retry_at=NOW + timedelta(seconds=50),
            fresh_at=NOW - timedelta(minutes=4),
            backlog=Backlog(None, 3, 1, None, 4_000),
        ),
        replace(
            CARD,
            account="stripe-eu",
            mode_proven="test",
            armed=(),
            state="stale",
            problem="no answer for 20 minutes",
            fresh_at=NOW - timedelta(minutes=22),
        ),
    ),
)
STOPPED = replace(
    BUSY,
    headline="STOPPED by ana at 14:01 UTC: provider asked us to. No remedy acts; press R to resume.",
    engine=replace(ENGINE, stopped="ana at 14:01 UTC: provider asked us to"),
)
OBSERVING = replace(
    BUSY,
    headline="inc-3 needs a person: payops only observes stripe-live: Events are missing here (stripe-live).",
    engine=replace(ENGINE, armed=False),
    accounts=(replace(BUSY.accounts[0], armed=()),),
    incidents=(
        replace(
            WORKING,
            money=(Money(47_554, "USD"), Money(1_234_050, "EUR"), Money(900, "JPY")),
            needs_human=True,
            blocked="observing",
            status="observing: resend-missed is not armed on stripe-live (payops arm stripe-live resend-missed). "
            "Would have done: POST /v1/events/evt_0001/retry as the canary",
        ),
    ),
)


REFUND = Plan(
    remedy="refund-duplicate",
    action="payments.refund_duplicate",
    effect="money",
    steps=(
        "refund ch_0107, EUR 42.00: ch_0101 took the same for order 5512 38 s before it",
        "refund ch_0110, EUR 19.90: ch_0104 took the same for order 5519 31 s before it",
    ),
    targets=2,
    money=(Money(6_190, "EUR"),),
    undo="none: money that was given back cannot be taken again without the customer",
)
APPROVING = replace(
    BUSY,
    headline="inc-3 needs a person: Level 1 waits for an operator: Customers were charged twice (stripe-live).",
    incidents=(
        replace(
            WORKING,
            title="Customers were charged twice (stripe-live)",
            challenge="transaction_fail",
            money=(Money(6_190, "EUR"),),
            needs_human=True,
            blocked="operator",
            status="waits for approval until 14:06:00 UTC, 1 of 2 approved",
            next_action="refund-duplicate waits for another operator than ben to approve it, plan 5f0c2a9be1d44c07",
            next_at=NOW + timedelta(minutes=3, seconds=50),
            approval=Approval(
                "inc-3", 1, "refund-duplicate", "operator", 2, plan_json(REFUND), "5f0c2a9be1d44c07",
                NOW - timedelta(seconds=10), NOW + timedelta(minutes=3, seconds=50), by=("ben",),
            ),
        ),
    ),
)  # fmt: skip


def completed(n: int) -> WindowRate:
    """What is known where declines leave no trace: how many were completed, of nobody knows how many."""
    return WindowRate(n, n, None, None, None)


THREE = replace(
    BUSY,
    accounts=(
        BUSY.accounts[0],
        replace(
            CARD,
            account="braintree-live",
            provider="braintree",
            success={"5m": rate(30, 28, 0.09), "1h": rate(361, 337, 0.026), "24h": rate(8_640, 8_035, 0.005)},
            expected=0.933,
            backlog=Backlog(None, 0, 0, None, None),
            sees="every transaction found by search: declines and gateway rejections included",
        ),
        replace(
            CARD,
            account="paypal-live",
            provider="paypal",
            success={"5m": completed(21), "1h": completed(240), "24h": completed(5_702)},
            expected=None,
            spark=(None,) * 60,
            spark_n=(4,) * 60,
            sees="completions; wallet declines not visible; card captures denied/declined; reporting up to 3 h late",
            declines_visible=False,
        ),
    ),
)
"""One account of each provider; PayPal shows what was completed, and never a rate."""
VIEW_ONLY = replace(
    BUSY, operator=None, view_only="no operator: start with --operator NAME or set PAYOPS_OPERATOR"
)

PLAN = Plan(
    remedy="enable-endpoint",
    action="webhooks.enable",
    effect="external",
    steps=(
        "POST /v1/webhook_endpoints/we_1 disabled=false",
        "GET /v1/webhook_endpoints/we_1 until it reads enabled",
    ),
    targets=1,
    undo="POST /v1/webhook_endpoints/we_1 disabled=true",
)
RESEND = Plan(
    remedy="resend-missed",
    action="webhooks.resend",
    effect="external",
    steps=(
        "POST /v1/events/evt_0001/retry as the canary, and wait until it is in the inbox",
        "POST /v1/events/{id}/retry for 36 more, oldest first",
    ),
    targets=37,
    money=(Money(1_234_050, "EUR"),),
)


def detail_of(row: IncidentRow) -> IncidentDetail:
    incident = Incident(
        id=row.id,
        version=3,
        rule="success-rate-drop",
        challenge="transaction_fail",
        provider=row.provider,
        account=row.account,
        mode="live",
        title=row.title,
        severity="sev2",
        state="open",
        level=row.level,
        dedup_key=row.account,
        labels={"account": row.account},
        opened_at=row.opened_at,
        updated_at=row.opened_at,
        why=(
            Why("n_5m >= 20", 59),
            Why("high_5m < expected - 0.05", 0.634),
            Why("provider_outage == false", None),
        ),
        next_action=row.next_action,
        next_action_at=row.next_at,
        l1_reason="Level 1 is diagnosis here: nothing to switch back was found",
    )
    attempt = FixAttempt(
        incident_id=row.id,
        n=1,
        remedy="enable-endpoint",
        action="webhooks.enable",
        effect="external",
        by="payops",
        idempotency_key="payops-inc-1-1",
        plan="{}",
        phase="done",
        started_at=row.opened_at + timedelta(seconds=20),
        applied_at=row.opened_at + timedelta(seconds=22),
        ended_at=row.opened_at + timedelta(seconds=70),
        outcome="succeeded",
        verified=True,
        request_ids=("req_8aQ1", "req_8aQ2"),
        detail="endpoint we_1 reads enabled; 37 of 37 events are in the inbox",
    )
    handoff = Handoff(
        incident_id=row.id,
        seq=1,
        level=2,
        to="backend-coordinator",
        problem="Acceptance at stripe-live fell from 94.9 % to 50.8 % since 13:57.",
        attempted="Level 1 looked at key, mode, endpoint and decline codes; nothing to switch back.",
        impact="29 payments of 27 customers, 12,340.50 EUR and 880.00 USD since 13:57.",
        gateway="stripe, API 2026-10-28.endive, request ids req_7Z, req_80.",
        request="Which error handling strategy: route Visa elsewhere, or wait for the issuer?",
        sent_at=row.opened_at + timedelta(minutes=2),
        sent_by="payops",
        accept_by=NOW + timedelta(minutes=28),
    )
    return IncidentDetail(
        incident=incident,
        row=row,
        timeline=(
            TimelineEntry(row.opened_at, "opened", "payops", "opened by success-rate-drop, sev2"),
            TimelineEntry(
                row.opened_at + timedelta(seconds=20), "level", "payops", "Level 1: diagnosis started"
            ),
            TimelineEntry(
                row.opened_at + timedelta(minutes=2),
                "handoff",
                "payops",
                "Level 2: handed to backend-coordinator",
            ),
        ),
        attempts=(attempt,) if row.id != "inc-2" else (),
        handoffs=(handoff,) if row.level > 1 else (),
        runbook="Look at the slice first: one issuer means wait, all issuers mean us or the provider.",
        evidence=(
            ("slice", "card_brand=visa, 41 of 59"),
            ("decline codes", "do_not_honor 24, insufficient_funds 3"),
        ),
    )


class FakeDesk:
    """Behind the port. `hang` makes every blocking call wait until the test ends."""

    def __init__(self, board: Board | None = None) -> None:
        self._board = board
        self._listeners: list[Callable[[Board], None]] = []
        self.asked: list[tuple[str, str | None, dict[str, str]]] = []
        self.hang = threading.Event()
        self.hang.set()
        self.plan_view = PlanView(PLAN, None, True, "", "hash-1")
        self.reload_view = ReloadView(
            "hash-r", ("success-rate-drop: changed", "would open now: Success fell"), ()
        )
        self.answer = CommandResult(True, "done")
        self.error: Exception | None = None
        self.details: dict[str, IncidentDetail] = {}
        self.draft_value = HandoffDraft(
            3,
            "tech-lead-orchestrator",
            "Acceptance at stripe-live fell from 94.9 % to 50.8 % since 13:57.",
            "Level 1 looked at key, mode, endpoint and decline codes; Level 2 did not answer.",
            "29 payments of 27 customers, 12,340.50 EUR and 880.00 USD since 13:57.",
            "stripe, API 2026-10-28.endive, request ids req_7Z, req_80.",
            "Redesign of recovery needed?",
        )

    def publish(self, board: Board) -> None:
        """As the engine does it: from another thread."""
        self._board = board
        thread = threading.Thread(target=lambda: [listener(board) for listener in list(self._listeners)])
        thread.start()
        thread.join()

    def _wait(self) -> None:
        self.hang.wait(60)
        if self.error is not None:
            raise self.error

    def board(self) -> Board | None:
        return self._board

    def subscribe(self, listener: Callable[[Board], None]) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[Board], None]) -> None:
        self._listeners.remove(listener)

    def incident(self, incident_id: str) -> IncidentDetail:
        self._wait()
        if incident_id in self.details:
            return self.details[incident_id]
        board = self._board
        assert board is not None
        return detail_of(next(row for row in (*board.incidents, *board.recent) if row.id == incident_id))

    def plan(self, incident_id: str) -> PlanView:
        self._wait()
        return self.plan_view

    def draft(self, incident_id: str) -> HandoffDraft:
        self._wait()
        return self.draft_value

    def reload(self) -> ReloadView:
        self._wait()
        return self.reload_view

    def unlock(self, given: str) -> CommandResult:
        self._wait()
        self.asked.append(("unlock", None, {"given": given}))
        return CommandResult(given == "4711", "unlocked" if given == "4711" else "wrong PIN; 4 more tries")

    def submit(self, action: str, incident_id: str | None, fields: Mapping[str, str]) -> CommandResult:
        self.asked.append((action, incident_id, dict(fields)))
        self._wait()
        return self.answer

    def export(self, incident_id: str, format_: str, directory: Path) -> Path:
        self._wait()
        path = directory / f"{incident_id}.{format_}"
        path.write_text("report", "utf-8")
        return path

    def close(self) -> None:
        self.hang.set()


REFUSED = PlanView(
    None, Refusal("a person disabled this endpoint; only a person enables it again"), False, "", ""
)
OBSERVED = PlanView(
    PLAN,
    None,
    False,
    "stripe-live is observing: `payops arm stripe-live enable-endpoint` lets it act",
    "hash-1",
)
BULK = PlanView(RESEND, None, True, "", "hash-2")
