"""The list of disputes, newest first, and each by its id."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from urllib.parse import urlencode

from payops.simulator.objects import Dispute

from . import errors
from .call import Answer, Call, Route
from .keys import DISPUTES
from .names import Shape, fine_instant, link

_PATH = "/v1/customer/disputes"
_REACH_MS = 180 * 24 * 3600 * 1000
_STATES = (
    "OPEN_INQUIRIES",
    "REQUIRED_ACTION",
    "REQUIRED_OTHER_PARTY_ACTION",
    "UNDER_PAYPAL_REVIEW",
    "APPEALABLE",
    "RESOLVED",
)


def _list(call: Call) -> Answer:
    query = call.query
    if "start_time" in query and "disputed_transaction_id" in query:
        raise errors.malformed("INVALID_REQUEST", "start_time", None, "query")
    for name in ("start_time", "update_time_after", "update_time_before"):
        if query.get(name, call.at_ms) < call.at_ms - _REACH_MS:
            raise errors.malformed("INVALID_REQUEST", name, fine_instant(query[name]), "query")
    for state in query.get("dispute_state", ()):
        if state not in _STATES:
            raise errors.malformed("INVALID_REQUEST", "dispute_state", state, "query")
    rows = list(reversed(call.account.disputes.rows)) if call.home else []
    chosen = [
        (row, shape) for row in rows if _wanted(call, row, shape := call.shapes.dispute(row, whole=False))
    ]
    first = _place(call, [row.id for row, _ in chosen])
    size = query.get("page_size", 10)
    page = chosen[first : first + size]
    links = [link(call.base, _address(call, None), "first")]
    if first + size < len(chosen):
        token = b64encode(page[-1][0].id.encode()).decode("ascii")
        links.append(link(call.base, _address(call, token), "next"))
    return 200, {"items": [shape for _, shape in page], "links": links}


def _place(call: Call, ids: list[str]) -> int:
    """Where the page begins: after the dispute its token names."""
    token = call.query.get("next_page_token")
    if token is None:
        return 0
    try:
        return ids.index(b64decode(token.encode(), validate=True).decode("ascii")) + 1
    except (NotBase64, ValueError) as error:
        raise errors.malformed("INVALID_REQUEST", "next_page_token", token, "query") from error


def _address(call: Call, token: str | None) -> str:
    asked: Shape = {}
    for name, value in call.query.items():
        if isinstance(value, tuple):
            asked[name] = ",".join(value)
        elif name != "next_page_token":
            asked[name] = fine_instant(value) if "time" in name else value
    if token is not None:
        asked["next_page_token"] = token
    return f"{_PATH}?{urlencode(asked)}" if asked else _PATH


def _wanted(call: Call, row: Dispute, shape: Shape) -> bool:
    query = call.query
    changed_ms = max(row.at_ms, row.changed_ms)
    charged_id = call.account.capture_id(row.charge)
    return (
        shape["dispute_state"] in query.get("dispute_state", (shape["dispute_state"],))
        and row.at_ms >= query.get("start_time", row.at_ms)
        and changed_ms >= query.get("update_time_after", changed_ms)
        and changed_ms <= query.get("update_time_before", changed_ms)
        and charged_id == query.get("disputed_transaction_id", charged_id)
    )


def _read(call: Call) -> Answer:
    dispute = call.account.disputes.get(call.id) if call.home else None
    if dispute is None:
        raise call.missing()
    return 200, call.shapes.dispute(dispute, whole=True)


ROUTES: Mapping[str, Route] = {
    f"GET {_PATH}": Route(_list, DISPUTES),
    f"GET {_PATH}/{{id}}": Route(_read, DISPUTES),
}
