"""What a remedy can do: one table that rules are checked against and remedies are built from."""

from __future__ import annotations

from dataclasses import dataclass

from .payments import PROVIDERS, Provider
from .plans import Effect


@dataclass(frozen=True, slots=True)
class RemedyAction:
    """One known fix. `undo` is empty where nothing restores the state."""

    name: str
    effect: Effect
    meaning: str
    undo: str
    providers: tuple[Provider, ...]
    source: str
    """The signal whose group it acts on."""


REMEDY_ACTIONS: dict[str, RemedyAction] = {
    action.name: action
    for action in (
        RemedyAction(
            "webhooks.enable_endpoint",
            "external",
            "enable the endpoint at the provider, then resend what it missed",
            "",
            ("stripe",),
            "endpoints",
        ),
        RemedyAction(
            "webhooks.resend_missing",
            "external",
            "ask the provider to send again every event that is not in the inbox, oldest first",
            "",
            ("stripe", "paypal"),
            "webhooks",
        ),
        RemedyAction(
            "webhooks.reconcile",
            "reversible",
            "rebuild the events that never came of what their objects show, where the provider cannot send them again",
            "take the rebuilt events out of the inbox again",
            ("braintree",),
            "webhooks",
        ),
        RemedyAction(
            "webhooks.update_url",
            "external",
            "set the endpoint that had the configured URL to it again, then resend what it missed",
            "set the former URL again",
            ("stripe", "paypal"),
            "endpoints",
        ),
        RemedyAction(
            "webhooks.subscribe_types",
            "external",
            "subscribe the endpoint to the event types payops reads as well, then resend what it missed",
            "take the added types from it again",
            ("stripe", "paypal"),
            "endpoints",
        ),
        RemedyAction(
            "webhooks.switch_secret",
            "external",
            "verify webhooks with another stored secret that an event proves, then resend what was refused",
            "verify with the secret in use before",
            PROVIDERS,
            "webhook_signatures",
        ),
        RemedyAction(
            "credentials.switch",
            "reversible",
            "use a stored credential that proves the same account and mode and may do no more",
            "switch back to the credential in use before",
            PROVIDERS,
            "credentials",
        ),
        RemedyAction(
            "objects.confirm_quarantine",
            "reversible",
            "put on record what came of the other mode and that it is in no rate",
            "nothing to undo: what is in quarantine stays there",
            PROVIDERS,
            "mode",
        ),
        RemedyAction(
            "webhooks.explain_forwarding",
            "read",
            "say what the application behind a relay answers, what waits for it, and whether it is there",
            "",
            PROVIDERS,
            "forwarding",
        ),
        RemedyAction(
            "payments.diagnose",
            "read",
            "slice the failures by code, brand and country and say whose fault they look like",
            "",
            PROVIDERS,
            "success",
        ),
        RemedyAction(
            "account.diagnose",
            "read",
            "say what payops knows of the account's connection: calls, credentials, webhooks, restrictions",
            "",
            PROVIDERS,
            "calls",
        ),
        RemedyAction(
            "objects.list",
            "read",
            "name the refunds, disputes, payouts, subscriptions or charges behind it, their money and deadlines",
            "",
            PROVIDERS,
            "failed_refunds",
        ),
        RemedyAction(
            "payments.refund_duplicate",
            "money",
            "give back the second of two charges for one order, once all its refunds are summed",
            "",
            PROVIDERS,
            "duplicates",
        ),
        RemedyAction(
            "payments.capture_authorization",
            "money",
            "take what was authorized before the authorization ends",
            "",
            PROVIDERS,
            "authorizations",
        ),
        RemedyAction(
            "refunds.reissue",
            "money",
            "make a refund that failed once more where it can succeed, once all refunds of the payment are summed",
            "",
            PROVIDERS,
            "failed_refunds",
        ),
        RemedyAction(
            "subscriptions.collect_once",
            "money",
            "ask once for what a subscription owes, never beside the provider's own next try within a day",
            "",
            PROVIDERS,
            "past_due_subscriptions",
        ),
        RemedyAction(
            "subscriptions.attach_payment_method",
            "external",
            "let a subscription be paid with what its customer has stored",
            "",
            ("stripe", "braintree"),
            "unpayable_subscriptions",
        ),
        RemedyAction(
            "subscriptions.finalize_invoice",
            "money",
            "finalize a draft that was stuck, so that the provider collects it",
            "",
            ("stripe",),
            "stuck_invoices",
        ),
    )
}
