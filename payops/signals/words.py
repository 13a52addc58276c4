"""What a signal's values say, in the words a person would use: for handoffs and reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from payops.domain.incidents import Value
from payops.text import safe_line

from .grammar import be, minutes, per_cent, plural
from .object_words import OBJECT_SPEAKERS

__all__ = ["be", "minutes", "per_cent", "plural", "spoken"]

Values = Mapping[str, Value | None]
Told = tuple[list[str], set[str]]
"""The phrases, and the fields they speak of or make needless."""
SLOW_MS = 3_000
"""An answer that takes longer is worth a word."""
SKEWED_S = 30


def spoken(source: str, values: Values, *, whole: bool = True) -> list[str]:
    """Phrases for the values that are known; a field without a phrase of its own is named with its value.

    Not `whole`: only what is out of the ordinary.
    """
    speak = _SPEAKERS.get(source)
    told, used = speak(values) if speak else ([], set())
    rest = [
        f"{name} is {_plain(value)}"
        for name, value in values.items()
        if whole and name not in used and value is not None
    ]
    return [*told, *rest]


def _success(values: Values) -> Told:
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
        told.append(f"by chance alone less than once in {stretch(30 * evidence)}, given the learned baseline")
    return told, {
        name for name in values if name.startswith(("n_", "rate_")) or name in ("expected", "evidence")
    }


def _rejections(values: Values) -> Told:
    told = []
    n, rejected, share = (values.get(name) for name in ("n_15m", "rejected_15m", "share_15m"))
    if isinstance(n, int) and isinstance(rejected, int) and rejected:
        of = f" ({per_cent(share)})" if isinstance(share, float) else ""
        told.append(f"our own rules stopped {rejected} of {plural(n, 'first attempt')} in 15 min{of}")
    usual, reason = values.get("usual"), values.get("reason")
    if isinstance(usual, float):
        told.append(f"{per_cent(usual)} are usual")
    if isinstance(reason, str) and reason:
        told.append(f"most with {safe_line(reason, limit=40)}")
    return told, set(values)


def _webhooks(values: Values) -> Told:
    told = []
    missing, oldest = values.get("missing"), values.get("missing_oldest_s")
    if isinstance(missing, int):
        age = f", the oldest {oldest // 60} min old" if isinstance(oldest, int) and missing else ""
        told.append(f"{plural(missing, 'generated event')} {be(missing)} not in our inbox{age}")
    quiet, gives_up = values.get("quiet_s"), values.get("give_up_s")
    if values.get("silent") is True and isinstance(quiet, int):
        told.append(f"nothing has come for {quiet // 60} min though the provider shows activity")
    if isinstance(gives_up, int):
        told.append(
            f"the provider stops trying for the first of them in about {gives_up // 3600} h (an estimate)"
        )
    told += _draining(values)
    return told, {
        "missing",
        "missing_oldest_s",
        "quiet_s",
        "activity",
        "silent",
        "give_up_s",
        "growth_per_min",
        "drain_s",
    }


def _forwarding(values: Values) -> Told:
    told = []
    failing, since, dead, answers = (values.get(name) for name in ("failing", "failing_s", "dead", "answers"))
    if isinstance(failing, int) and failing:
        said = f" ({safe_line(answers)})" if answers else ""
        age = f", the longest for {minutes(since)}" if isinstance(since, int) else ""
        told.append(f"{plural(failing, 'event')} {be(failing)} forwarded in vain{said}{age}")
    if isinstance(dead, int) and dead:
        told.append(f"{plural(dead, 'event')} {be(dead)} given up as dead letters")
    taken = values.get("taken_s")
    if isinstance(taken, int):
        told.append(f"the application last took one {minutes(taken)} ago")
    return told, {"failing", "failing_s", "dead", "answers", "taken_s"}


def _draining(values: Values) -> list[str]:
    growth, drain = values.get("growth_per_min"), values.get("drain_s")
    if isinstance(growth, float) and growth > 0:
        return [f"what is not processed grows by {growth:.1f} events a minute"]
    if isinstance(drain, int) and drain > 0:
        return [f"what is not processed is done in about {max(1, drain // 60)} min"]
    return []


def _endpoints(values: Values) -> Told:
    told = []
    if values.get("disabled") is True:
        told.append("the provider reports it as disabled and sends nothing to it")
    if values.get("sent_here") is False:
        told.append("the provider sends its events to another address than the configured one")
    missing = values.get("missing")
    if isinstance(missing, int) and missing:
        told.append(f"{plural(missing, 'generated event')} {be(missing)} not in our inbox")
    if values.get("ours") is False:
        told.append("what its application received is unknown to payops")
    dropped = values.get("types_missing")
    if isinstance(dropped, int) and dropped:
        told.append(f"it is not subscribed to {plural(dropped, 'event type')} that payops reads")
    return told, {"disabled", "missing", "ours", "types_missing", "present", "sent_here"}


def _signatures(values: Values) -> Told:
    told = []
    failed, age = values.get("since_good"), values.get("last_good_s")
    if isinstance(failed, int) and failed:
        since = f"the last good one {minutes(age)} ago" if isinstance(age, int) else "no good one yet"
        told.append(f"{plural(failed, 'webhook')} failed the signature check: {since}")
    kinds = ("timestamp", "header", "body")
    counts = {kind: values.get(f"{kind}_15m") for kind in kinds}
    also = [f"{count} for the {kind}" for kind, count in counts.items() if isinstance(count, int) and count]
    if also:
        told.append(f"also refused in 15 min: {', '.join(also)}")
    causes = values.get("causes")
    if isinstance(causes, str) and causes:
        told.append(safe_line(f"why: {causes}", limit=400))
    other = values.get("other_mode_15m")
    if isinstance(other, int) and other:
        told.append(f"{plural(other, 'webhook')} of the other mode came in 15 min")
    missing = values.get("missing")
    if isinstance(missing, int) and missing:
        told.append(f"{plural(missing, 'generated event')} {be(missing)} not in our inbox")
    return told, set(values)


def _credentials(values: Values) -> Told:
    told = []
    if values.get("rejected") is True:
        code = values.get("code")
        why = " as expired" if values.get("expired") is True else f" with {code}" if code else ""
        told.append(f"the provider rejects the monitor credential{why}")
    if values.get("wrong_mode") is True:
        told.append("the monitor credential is accepted but proved to belong to the other mode")
    refused = values.get("missing_permissions")
    if isinstance(refused, int) and refused:
        told.append(f"it lacks {plural(refused, 'permission')}")
    if values.get("application_failing") is True:
        told.append("the application's own credential fails as well: the checkout may be down")
    return told, set(values) - {"fallbacks"}


def _permissions(values: Values) -> Told:
    told = []
    names, missing, feeds = (values.get(name) for name in ("names", "missing", "refused_feeds"))
    if isinstance(names, str) and names:
        told.append(f"the provider refuses by name: {safe_line(names)}")
    elif isinstance(missing, int) and missing:
        told.append(f"the credential lacks {plural(missing, 'permission')}")
    if isinstance(feeds, int) and feeds:
        told.append(f"{plural(feeds, 'feed')} {be(feeds)} refused with 403")
    return told, set(values)


def _mode(values: Values) -> Told:
    evidence, left = values.get("evidence"), values.get("unconfirmed_1h")
    told = [safe_line(evidence)] if isinstance(evidence, str) and evidence else []
    if isinstance(left, int) and left:
        told.append(f"{left} of the other mode {be(left)} not confirmed as kept apart yet")
    ours = values.get("ours_verified_15m")
    if told and isinstance(ours, int):
        told.append(f"{plural(ours, 'event')} of the account's own mode came in 15 min")
    return told, set(values)


def _calls(values: Values) -> Told:
    told = []
    n = values.get("n_5m")
    kinds = (
        ("outage", "answered with errors of the provider"),
        ("network", "not answered"),
        ("rate_limited", "turned away as too many"),
        ("auth", "refused as not authorized"),
    )
    for kind, said in kinds:
        share = values.get(f"{kind}_share")
        if isinstance(share, float) and share > 0:
            of = f" of {plural(n, 'call')} in 5 min" if isinstance(n, int) else " of the calls in 5 min"
            told.append(f"{per_cent(share)}{of} {said}")
    failing = values.get("failing_min")
    if isinstance(failing, int) and failing:
        told.append(f"nothing could be read for {failing} min")
    p95, usual, skew = values.get("p95_ms"), values.get("usual_ms"), values.get("skew_s")
    if isinstance(p95, int) and p95 >= SLOW_MS:
        beside = f", {usual} ms are usual" if isinstance(usual, int) else ""
        told.append(f"one answer in 20 takes {p95} ms or longer{beside}")
    if isinstance(skew, int) and abs(skew) >= SKEWED_S:
        told.append(f"the provider's clock is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} ours")
    return told, set(values)


def _account(values: Values) -> Told:
    told = []
    if values.get("charges_enabled") is False:
        told.append("the provider lets the account take no payments")
    if values.get("payouts_enabled") is False:
        told.append("the provider pays nothing out")
    if not told and values.get("restricted") is True:
        told.append("the provider restricts the account")
    names = values.get("names")
    if isinstance(names, str) and names:
        told.append(f"it says: {safe_line(names).rstrip('; ')}")
    return told, set(values)


_KINDS = {"pan": "card numbers", "cvv": "security codes", "track": "track data"}


def _card_data(values: Values) -> Told:
    told = []
    confirmed, suspected = values.get("confirmed"), values.get("suspected")
    kinds = [_KINDS.get(kind, kind) for kind in str(values.get("kinds") or "").split(", ") if kind]
    what = f" of {' and '.join(kinds)}" if kinds else ""
    if isinstance(confirmed, int) and confirmed:
        told.append(f"{plural(confirmed, 'finding')}{what} {be(confirmed)} confirmed")
    if isinstance(suspected, int) and suspected:
        told.append(
            f"{plural(suspected, 'finding')}{what} {be(suspected)} suspected, an issuer or the context is lacking"
        )
    for name, said in (("fields", "in"), ("places", "by"), ("closed", "nothing is kept any more of")):
        value = values.get(name)
        if told and isinstance(value, str) and value:
            told.append(f"{said} {safe_line(value)}")
    if told:
        told.append(
            "our own copy is masked, what the provider and the application keep is not; whether raw cards or tokens are "
            "used cannot be seen from here: ask for the checkout's code, its logs and the provider's copy"
        )
    return told, set(values)


def _orders(values: Values) -> Told:
    told = []
    approved, left, usual = (values.get(name) for name in ("approved_1h", "uncaptured_1h", "usual"))
    if isinstance(approved, int) and isinstance(left, int) and left:
        told.append(f"nothing was tried of {left} of {plural(approved, 'approved order')} in an hour")
        if isinstance(usual, float):
            told.append(f"{per_cent(usual)} are usual")
    return told, set(values)


def _platform(values: Values) -> Told:
    told = []
    free, share, late = (values.get(name) for name in ("free_mb", "free_share", "late_s"))
    if isinstance(free, int):
        of = f", {per_cent(share)} of it" if isinstance(share, float) else ""
        told.append(f"the store's disk has {free:,} MB left{of}")
    if isinstance(late, int) and late:
        told.append(f"a tick came {minutes(late)} too late")
    if values.get("audit_ok") is False:
        told.append("the end of the audit chain is not what payops wrote last")
    return told, set(values)


def _api_version(values: Values) -> Told:
    told = []
    version, meant, since = (values.get(name) for name in ("version", "meant", "since_s"))
    if values.get("drifted") is True:
        age = f", since {minutes(since)} ago" if isinstance(since, int) else ""
        told.append(f"events are rendered in API version {version}, {meant} is meant{age}")
        if isinstance(values.get("reads"), str):
            told.append(f"payops reads {values['reads']}")
    pinned = values.get("endpoints")
    if isinstance(pinned, str) and pinned:
        told.append(f"endpoints pinned to another release: {safe_line(pinned)}")
    return told, set(values)


_SPEAKERS: dict[str, Callable[[Values], Told]] = {
    "success": _success,
    "rejections": _rejections,
    "webhooks": _webhooks,
    "endpoints": _endpoints,
    "forwarding": _forwarding,
    "webhook_signatures": _signatures,
    "credentials": _credentials,
    "permissions": _permissions,
    "mode": _mode,
    "calls": _calls,
    "account": _account,
    "card_data": _card_data,
    **OBJECT_SPEAKERS,
    "api_version": _api_version,
    "platform": _platform,
    "orders": _orders,
}


def stretch(days: float) -> str:
    """`40 days`, `12 years`."""
    return f"{days / 365:,.0f} years" if days >= 730 else f"{days:,.0f} days"


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
