"""All calls of Stripe's API that the simulator knows, and which of them a path names."""

from __future__ import annotations

from . import collecting, destinations, errors, reads, writes
from .call import Handler

HANDLERS: dict[tuple[str, str], Handler] = {
    **reads.HANDLERS,
    **writes.HANDLERS,
    **collecting.HANDLERS,
    **destinations.HANDLERS,
}
_V2 = "v2"


def route(method: str, path: str) -> tuple[tuple[str, str], str]:
    """The call a path names, as a key of `HANDLERS`, and the id in it; `ApiError` 404 when there is none."""
    parts = path.strip("/").split("/")
    # /v1/things/ID/action, /v2/area/things/ID/action
    place = 3 if parts[0] == _V2 else 2
    object_id = parts[place] if len(parts) > place else ""
    pattern = "/" + "/".join([*parts[:place], *(["{id}"] if object_id else []), *parts[place + 1 :]])
    if (method, pattern) not in HANDLERS:
        raise errors.unknown_url(method, path)
    return (method, pattern), object_id
