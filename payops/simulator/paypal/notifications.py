"""Webhooks, the list of events, resending and simulating them, and the check of a signature."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec

from payops.simulator.account import public_url
from payops.simulator.objects import Endpoint, Event
from payops.simulator.scenario_model import OWN_ENDPOINT

from . import certificates, errors, events
from .call import Answer, Call, Route, spanned
from .keys import WEBHOOKS
from .names import Shape, fine_instant, link

_WEBHOOKS = "/v1/notifications/webhooks"
_EVENTS = "/v1/notifications/webhooks-events"
_FAMILY = "VALIDATION_ERROR"
_MOST_WEBHOOKS = 10


class _Check(msgspec.Struct):
    webhook_event: msgspec.Raw


def _live(call: Call) -> list[Endpoint]:
    """The webhooks there are."""
    if not call.home:
        return []
    gone = call.account.beside.deleted
    return [endpoint for endpoint in call.account.endpoints.rows if endpoint.id not in gone]


def _webhook(call: Call, endpoint: Endpoint) -> Shape:
    path = f"{_WEBHOOKS}/{endpoint.secret}"
    return {
        "id": endpoint.secret,
        "url": endpoint.url,
        "event_types": [
            {"name": name, "description": name.replace(".", " ").capitalize(), "status": "ENABLED"}
            for name in endpoint.enabled_events
        ],
        "links": [
            link(call.base, path, "self"),
            link(call.base, path, "update", "PATCH"),
            link(call.base, path, "delete", "DELETE"),
        ],
    }


def _find(call: Call, webhook_id: str) -> Endpoint | None:
    return next((each for each in _live(call) if each.secret == webhook_id), None)


def _found(call: Call) -> Endpoint:
    endpoint = _find(call, call.id)
    if endpoint is None:
        raise call.missing()
    return endpoint


def _list_webhooks(call: Call) -> Answer:
    if call.query.get("anchor_type", "APPLICATION") not in ("APPLICATION", "ACCOUNT"):
        raise errors.malformed(_FAMILY, "anchor_type", call.query["anchor_type"], "query")
    return 200, {"webhooks": [_webhook(call, endpoint) for endpoint in _live(call)]}


def _read_webhook(call: Call) -> Answer:
    return 200, _webhook(call, _found(call))


def _url_of(call: Call, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise errors.malformed(_FAMILY, "url", url, "body")
    return url


def _create_webhook(call: Call) -> Answer:
    account, url = call.account, _url_of(call, call.body["url"])
    live = _live(call)
    if not call.home:
        raise errors.forbidden()
    if len(live) >= _MOST_WEBHOOKS:
        raise errors.named(400, _FAMILY, "WEBHOOK_NUMBER_LIMIT_EXCEEDED", field="url", location="body")
    if any(endpoint.url == url for endpoint in live):
        raise errors.named(
            400, _FAMILY, "WEBHOOK_URL_ALREADY_EXISTS", field="url", value=url, location="body"
        )
    ours = account.own_endpoint
    name = f"made-{len(account.endpoints) + 1}"
    made_id = account.endpoint_id(name)
    endpoint = Endpoint(
        id=made_id,
        at_ms=call.at_ms,
        name=name,
        url=url,
        own=urlsplit(url).path == urlsplit(public_url("", account.name, OWN_ENDPOINT)).path,
        secret=made_id,
        enabled_events=call.body["event_types"],
        home=ours.home if url == ours.home else url,
    )
    account.endpoints.add(endpoint)
    return 201, _webhook(call, endpoint)


def _change_webhook(call: Call) -> Answer:
    endpoint, wanted = _found(call), call.body[""]
    if "url" in wanted:
        endpoint.url = _url_of(call, wanted["url"])
    if "event_types" in wanted:
        endpoint.enabled_events = wanted["event_types"]
    return 200, _webhook(call, endpoint)


def _delete_webhook(call: Call) -> Answer:
    endpoint = _found(call)
    endpoint.enabled = False
    call.account.beside.deleted.add(endpoint.id)
    return 204, None


def _event(call: Call) -> Event:
    event = call.account.events.get(call.id) if call.home else None
    if event is None or not events.listed(call.account, event, call.at_ms):
        raise call.missing()
    return event


def _read_event(call: Call) -> Answer:
    return 200, events.looked_up(call.account, _event(call))


def _list_events(call: Call) -> Answer:
    """Newest first; what is not yet to be seen comes with a later call."""
    account, query = call.account, call.query
    rows = account.events.rows if call.home else []
    first_ms = query.get("start_time", 0)
    last_ms = min(query.get("end_time", call.at_ms), call.at_ms - account.list_lag_ms)
    places = spanned(rows, first_ms, last_ms)
    end = min(places.stop, _place(call, len(rows)))
    size, more = query.get("page_size", 10), False
    page: list[int] = []
    for place in range(end - 1, places.start - 1, -1):
        event = rows[place]
        if not first_ms <= event.at_ms <= last_ms or not _wanted(call, event):
            continue
        if len(page) == size:
            more = True
            break
        page.append(place)
    asked = {name: _as_sent(name, value) for name, value in query.items()}
    links = [link(call.base, f"{_EVENTS}?{urlencode(asked)}", "self")]
    if more:
        token = urlsafe_b64encode(f"{page[-1]}".encode()).decode("ascii")
        following = urlencode({**asked, "page_token": token})
        links.append(link(call.base, f"{_EVENTS}?{following}", "next"))
    return 200, {
        "events": [events.looked_up(account, rows[place]) for place in page],
        "count": len(page),
        "links": links,
    }


def _as_sent(name: str, value: object) -> object:
    return fine_instant(value) if name in ("start_time", "end_time") and isinstance(value, int) else value


def _place(call: Call, count: int) -> int:
    """Where in the log the page before this one ended; its end for the first page."""
    token = call.query.get("page_token")
    if token is None:
        return count
    try:
        place = int(urlsafe_b64decode(token.encode()))
    except (NotBase64, ValueError) as error:
        raise errors.malformed(_FAMILY, "page_token", token, "query") from error
    if not 0 <= place < count:
        raise errors.malformed(_FAMILY, "page_token", token, "query")
    return place


def _wanted(call: Call, event: Event) -> bool:
    query = call.query
    if query.get("event_type", event.type) != event.type:
        return False
    if not events.listed(call.account, event, call.at_ms):
        return False
    if "transaction_id" not in query:
        return True
    return bool(events.delivered(call.account, event)["resource"].get("id") == query["transaction_id"])


def _resend(call: Call) -> Answer:
    """One more delivery to each webhook, or to those that are named; none where the first is still to come."""
    account, event = call.account, _event(call)
    chosen = _live(call)
    if "webhook_ids" in call.body:
        named = [_find(call, webhook_id) for webhook_id in call.body["webhook_ids"]]
        if None in named:
            raise errors.malformed(_FAMILY, "webhook_ids", call.body["webhook_ids"], "body")
        chosen = [endpoint for endpoint in named if endpoint is not None]
    for endpoint in chosen:
        if endpoint.wants(event.type) and not events.pending(account, event, endpoint):
            account.deliveries.resend(event, endpoint, call.at_ms)
    return 202, events.looked_up(account, event)


def _simulate(call: Call) -> Answer:
    """A made-up event of a type: it shows that an address answers, and fails the check of its signature."""
    account, body = call.account, call.body
    if "webhook_id" in body:
        endpoint = _find(call, body["webhook_id"])
    else:
        endpoint = next((each for each in _live(call) if each.url == body.get("url")), None)
    if endpoint is None:
        raise errors.malformed(_FAMILY, "webhook_id", body.get("webhook_id") or body.get("url"), "body")
    like = next((e for e in reversed(account.events.rows) if e.type == body["event_type"]), None)
    if like is None:
        raise errors.malformed(_FAMILY, "event_type", body["event_type"], "body")
    number = len(account.beside.simulated)
    event = Event(
        account.names.event(f"simulated/{number}"),
        call.at_ms,
        like.type,
        like.subject,
        like.version,
        snapshot=like.snapshot,
        test=True,
    )
    account.beside.simulated.add(event.id)
    account.deliveries.resend(event, endpoint, call.at_ms)
    return 202, events.delivered(account, event)


def _verify(call: Call) -> Answer:
    """FAILURE for anything that is not a delivery of these very bytes to a webhook of this environment."""
    body = call.body
    sent = bytes(msgspec.json.decode(call.raw, type=_Check).webhook_event)
    expected = f"{call.base}{certificates.PATH}{certificates.certificate_id()}"
    fine = (
        body["auth_algo"] == certificates.ALGORITHM
        and body["cert_url"] == expected
        and _find(call, body["webhook_id"]) is not None
        and certificates.fits(
            body["transmission_sig"],
            body["transmission_id"],
            body["transmission_time"],
            body["webhook_id"],
            sent,
        )
    )
    return 200, {"verification_status": "SUCCESS" if fine else "FAILURE"}


ROUTES: Mapping[str, Route] = {
    f"GET {_WEBHOOKS}": Route(_list_webhooks, WEBHOOKS),
    f"POST {_WEBHOOKS}": Route(_create_webhook, WEBHOOKS, True),
    f"GET {_WEBHOOKS}/{{id}}": Route(_read_webhook, WEBHOOKS),
    f"PATCH {_WEBHOOKS}/{{id}}": Route(_change_webhook, WEBHOOKS, True),
    f"DELETE {_WEBHOOKS}/{{id}}": Route(_delete_webhook, WEBHOOKS, True),
    f"GET {_EVENTS}": Route(_list_events, WEBHOOKS),
    f"GET {_EVENTS}/{{id}}": Route(_read_event, WEBHOOKS),
    f"POST {_EVENTS}/{{id}}/resend": Route(_resend, WEBHOOKS, True),
    "POST /v1/notifications/simulate-event": Route(_simulate, WEBHOOKS, True),
    "POST /v1/notifications/verify-webhook-signature": Route(_verify, WEBHOOKS),
}
