"""What a signal's values say, in the words a person would use: for handoffs and reports."""

from __future__ import annotations

from collections.abc import Mapping

from payops.domain.incidents import Value

Values = Mapping[str, Value | None]


def spoken(source: str, values: Values) -> list[str]:
    """Phrases for the values that are known; a field without a phrase of its own is named with its value."""
    speak = _SPEAKERS.get(source)
    told, used = speak(values) if speak else ([], set())
    rest = [
        f"{name} is {_plain(value)}"
        for name, value in values.items()
        if name not in used and value is not None
    ]
    return [*told, *rest]


def _success(values: Values) -> tuple[list[str], set[str]]:
    windows = []
    for name, span in (("5m", "5 min"), ("15m", "15 min"), ("1h", "1 h")):
        n, rate = values.get(f"n_{name}"), values.get(f"rate_{name}")
        if isinstance(n, int) and isinstance(rate, float):
            windows.append(f"{per_cent(rate)} of {plural(n, 'first attempt')} in {span}")
    told = [f"accepted {', '.join(windows)}"] if windows else []
    expected = values.get("expected")
    if isinstance(expected, float):
        told.append(f"expected {per_cent(expected)}")
    evidence = values.get("evidence")
    if isinstance(evidence, float) and evidence >= 1.0:
        told.append(f"by chance alone less than once in {_days(30 * evidence)}, given the learned baseline")
    return told, {
        name for name in values if name.startswith(("n_", "rate_")) or name in ("expected", "evidence")
    }


def _webhooks(values: Values) -> tuple[list[str], set[str]]:
    told = []
    missing, oldest = values.get("missing"), values.get("missing_oldest_s")
    if isinstance(missing, int):
        age = f", the oldest {oldest // 60} min old" if isinstance(oldest, int) and missing else ""
        told.append(f"{plural(missing, 'generated event')} {be(missing)} not in our inbox{age}")
    return told, {"missing", "missing_oldest_s"}


def _endpoints(values: Values) -> tuple[list[str], set[str]]:
    told = []
    if values.get("disabled") is True:
        told.append("the provider reports it as disabled and sends nothing to it")
    missing = values.get("missing")
    if isinstance(missing, int) and missing:
        told.append(f"{plural(missing, 'generated event')} {be(missing)} not in our inbox")
    if values.get("ours") is False:
        told.append("what its application received is unknown to payops")
    return told, {"disabled", "missing", "ours"}


def _credentials(values: Values) -> tuple[list[str], set[str]]:
    told = []
    if values.get("rejected") is True:
        code = values.get("code")
        told.append(f"the provider rejects the monitor credential{f' with {code}' if code else ''}")
    if values.get("wrong_mode") is True:
        told.append("the monitor credential is accepted but proved to belong to the other mode")
    return told, {"rejected", "accepted", "wrong_mode", "code"}


_SPEAKERS = {
    "success": _success,
    "webhooks": _webhooks,
    "endpoints": _endpoints,
    "credentials": _credentials,
}


def per_cent(share: float) -> str:
    """A share of 0..1 as `45.0 %`."""
    return f"{100 * share:.1f} %"


def plural(count: int, noun: str) -> str:
    """`1 event`, `1,200 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def be(count: int, *, past: bool = False) -> str:
    """The verb that goes with `count` things."""
    if past:
        return "was" if count == 1 else "were"
    return "is" if count == 1 else "are"


def _days(days: float) -> str:
    return f"{days / 365:,.0f} years" if days >= 730 else f"{days:,.0f} days"


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
