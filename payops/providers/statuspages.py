"""The providers' public status pages: a hint beside our own measurements, never a condition to act.

Shapes (third-party confirmed, no published contract): Stripe `status.stripe.com/current`, PayPal
`paypal-status.com/api/v1/components`, Braintree's Statuspage `api/v2/status.json`. What reads differently is `unknown`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from payops.domain.payments import Provider
from payops.text import safe_line

from .port import Patience

HintState = Literal["up", "degraded", "down", "unknown"]
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Where a provider says how it is. The tool may be offline: nothing waits for it."""

    provider: Provider
    url: str


@dataclass(frozen=True, slots=True)
class Hint:
    """What a status page says, in its own words, and what that amounts to."""

    provider: Provider
    state: HintState
    said: str


def read_page(page: StatusPage) -> Hint:
    """Ask once, with short patience; every failure is an `unknown` hint with its reason."""
    from .web import NoAnswer, Web

    web = Web(Patience(connect_s=2.0, read_s=3.0), use_environment=page.url.startswith("https:"))
    try:
        answer = web.send("status page", "GET", page.url, headers={"Accept": "application/json"})
    except NoAnswer as error:
        return Hint(page.provider, "unknown", f"the status page does not answer: {error}")
    finally:
        web.close()
    if answer.status != 200 or len(answer.body) > _MOST_BYTES:
        return Hint(page.provider, "unknown", f"the status page answers HTTP {answer.status}")
    return parse(page.provider, answer.body)


def parse(provider: Provider, body: bytes) -> Hint:
    """The hint in a status page's JSON."""
    try:
        found = json.loads(body)
        state, said = _READERS[provider](found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Hint(provider, "unknown", "the status page says nothing payops can read")
    return Hint(provider, state, safe_line(said, limit=200))


def _stripe(found: Mapping[str, Any]) -> tuple[HintState, str]:
    said = str(found.get("message") or found["largestatus"])
    return {"up": "up", "degraded": "degraded", "down": "down"}.get(found["largestatus"], "unknown"), said  # type: ignore[return-value]


def _braintree(found: Mapping[str, Any]) -> tuple[HintState, str]:
    status = found["status"]
    states: dict[str, HintState] = {"none": "up", "minor": "degraded", "major": "down", "critical": "down"}
    return states.get(status["indicator"], "unknown"), str(status["description"])


_PAYPAL: dict[str, HintState] = {
    "operational": "up",
    "under maintenance": "degraded",
    "service disruption": "degraded",
    "service outage": "down",
}


def _paypal(found: Mapping[str, Any]) -> tuple[HintState, str]:
    worst: tuple[HintState, str] = ("up", "all components operational")
    order = ("up", "unknown", "degraded", "down")
    for component in found["result"]:
        said = str(component["status"]["production"])
        state = _PAYPAL.get(said.lower(), "up" if said.lower() == "informational" else "unknown")
        if order.index(state) > order.index(worst[0]):
            worst = (state, f"{component['name']}: {said}")
    return worst


_READERS: dict[Provider, Callable[[Mapping[str, Any]], tuple[HintState, str]]] = {
    "stripe": _stripe,
    "braintree": _braintree,
    "paypal": _paypal,
}
