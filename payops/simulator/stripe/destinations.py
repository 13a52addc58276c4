"""Stripe's v2 event destinations: the same webhook endpoints, with the reason why one is off."""

from __future__ import annotations

from payops.clock import from_epoch
from payops.simulator.objects import Endpoint

from .call import Call, Handler, find
from .vocabulary import Shape

_WITH_URL = "webhook_endpoint.url"
_NOT_BY_USER = "delivery_failures"
"""Stripe names `user` and two causes at other clouds; for what it switches off by itself its word is not published."""


def _shape(call: Call, endpoint: Endpoint) -> Shape:
    at = from_epoch(endpoint.at_ms / 1000).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    details = None
    if not endpoint.enabled:
        details = {"disabled": {"reason": "user" if endpoint.disabled_by_user else _NOT_BY_USER}}
    shape: Shape = {
        "id": endpoint.id,
        "object": "v2.core.event_destination",
        "created": at,
        "description": endpoint.description or "",
        "enabled_events": list(endpoint.enabled_events),
        "event_payload": "snapshot",
        "events_from": ["@self"],
        "livemode": call.account.mode == "live",
        "metadata": endpoint.metadata,
        "name": endpoint.name,
        "snapshot_api_version": None,
        "status": "enabled" if endpoint.enabled else "disabled",
        "status_details": details,
        "type": "webhook_endpoint",
        "updated": at,
    }
    if _WITH_URL in call.params.get("include", ()):
        shape["webhook_endpoint"] = {"url": endpoint.url}
    return shape


def _found(call: Call) -> Endpoint:
    return find(call, "webhook_endpoints", call.account.endpoints, call.id)


def _list(call: Call) -> Shape:
    rows = call.account.endpoints.rows if call.home else []
    data = [_shape(call, endpoint) for endpoint in reversed(rows)]
    return {"data": data, "next_page_url": None, "previous_page_url": None}


def _read(call: Call) -> Shape:
    return _shape(call, _found(call))


def _enable(call: Call) -> Shape:
    endpoint = _found(call)
    endpoint.enabled, endpoint.disabled_by_user = True, False
    return _shape(call, endpoint)


def _disable(call: Call) -> Shape:
    endpoint = _found(call)
    endpoint.enabled, endpoint.disabled_by_user = False, True
    return _shape(call, endpoint)


def _ping(call: Call) -> Shape:
    return call.shapes.event(call.account.ping(call.at_ms, _found(call)))


HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "/v2/core/event_destinations"): _list,
    ("GET", "/v2/core/event_destinations/{id}"): _read,
    ("POST", "/v2/core/event_destinations/{id}/enable"): _enable,
    ("POST", "/v2/core/event_destinations/{id}/disable"): _disable,
    ("POST", "/v2/core/event_destinations/{id}/ping"): _ping,
}
