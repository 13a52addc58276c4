"""Stripe's writes about webhooks and refunds."""

from __future__ import annotations

import re

from payops.simulator.objects import Charge

from . import errors
from .call import Call, Handler, expanded, find, merged
from .errors import ApiError
from .reads import EVENT_LIFE_S
from .vocabulary import Shape

_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def _update_endpoint(call: Call) -> Shape:
    endpoint = find(call, "webhook_endpoints", call.account.endpoints, call.id)
    params = call.params
    if "enabled_events" in params and not params["enabled_events"]:
        raise errors.invalid("enabled_events", "You must specify at least one event type.")
    if "url" in params and not re.match(r"https?://[^\s/]", params["url"]):
        raise errors.invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided.")
    endpoint.url = params.get("url", endpoint.url)
    endpoint.enabled_events = tuple(params.get("enabled_events", endpoint.enabled_events))
    if "disabled" in params:
        endpoint.enabled = not params["disabled"]
        endpoint.disabled_by_user = params["disabled"]
    endpoint.description = params.get("description", endpoint.description) or None
    if "metadata" in params:
        endpoint.metadata = merged(endpoint.metadata, params["metadata"])
    return call.shapes.endpoint(endpoint)


def _retry_event(call: Call) -> Shape:
    account = call.account
    event = find(call, "events", account.events, call.id)
    if "webhook_endpoint" not in call.params:
        raise errors.missing_parameter("webhook_endpoint")
    endpoint = find(
        call,
        "webhook_endpoints",
        account.endpoints,
        call.params["webhook_endpoint"],
        param="webhook_endpoint",
    )
    if not endpoint.enabled:
        raise errors.invalid(
            "webhook_endpoint", f"The webhook endpoint {endpoint.id} is disabled; enable it first."
        )
    if call.at_ms - event.at_ms > EVENT_LIFE_S * 1000:
        raise errors.missing("event", call.id)
    account.deliveries.resend(event, endpoint, call.at_ms)
    return call.shapes.event(event)


def _create_refund(call: Call) -> Shape:
    charge = _refundable(call)
    left = charge.amount_taken - charge.amount_refunded
    amount = call.params.get("amount", left)
    reason = call.params.get("reason")
    if "amount" in call.params and amount < 1:
        raise errors.invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if reason is not None and reason not in _REASONS:
        raise errors.invalid("reason", f"Invalid reason: must be one of {', '.join(_REASONS)}")
    if charge.dispute is not None and charge.dispute.status != "won":
        raise ApiError(
            400,
            f"Charge {charge.id} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            executed=True,
        )
    if left == 0:
        raise ApiError(
            400,
            f"Charge {charge.id} has already been refunded.",
            code="charge_already_refunded",
            executed=True,
        )
    if amount > left:
        raise ApiError(
            400,
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
            executed=True,
        )
    refund = call.account.refund(
        call.at_ms, charge, amount, reason=reason, metadata=call.params.get("metadata"), key=call.key
    )
    return expanded(call, call.shapes.refund(refund))


def _refundable(call: Call) -> Charge:
    account, params = call.account, call.params
    if "charge" in params:
        charge = find(call, "charges", account.charges, params["charge"], param="charge")
        if charge.decline is not None:
            raise ApiError(400, f"Charge {charge.id} did not succeed and cannot be refunded.", executed=True)
        return _captured(charge)
    if "payment_intent" not in params:
        raise ApiError(
            400,
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    intent = params["payment_intent"]
    payment = find(call, "payment_intents", account.payments, intent, param="payment_intent")
    if payment.paid is None:
        raise ApiError(
            400,
            f"This PaymentIntent ({payment.id}) does not have a successful charge to refund.",
            executed=True,
        )
    return _captured(payment.paid)


def _captured(charge: Charge) -> Charge:
    if not charge.captured:
        raise ApiError(
            400, f"Charge {charge.id} is not captured: cancel its PaymentIntent instead.", executed=True
        )
    return charge


def _cancel_refund(call: Call) -> Shape:
    refund = find(call, "refunds", call.account.refunds, call.id)
    raise ApiError(
        400,
        f"Refund {refund.id} cannot be canceled because it has a status of {refund.status}. Only a refund with the "
        "following status may be canceled: requires_action.",
        executed=True,
    )


HANDLERS: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/webhook_endpoints/{id}"): _update_endpoint,
    ("POST", "/v1/events/{id}/retry"): _retry_event,
    ("POST", "/v1/refunds"): _create_refund,
    ("POST", "/v1/refunds/{id}/cancel"): _cancel_refund,
}
