"""Titles: text with `{label}` in it. Only whole labels; no attributes, indexes or formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from payops.domain.payments import PROVIDER_NAMES
from payops.text import did_you_mean, safe_line

_PROVIDERS: Mapping[str, str] = {str(provider): name for provider, name in PROVIDER_NAMES.items()}
_PART = re.compile(r"\{([^{}]*)\}|[{}]")


def problems(template: str, labels: Iterable[str]) -> list[tuple[int, str]]:
    """Column (from 1) and message of everything in `template` that is not text or a known label."""
    known = tuple(labels)
    found = []
    for match in _PART.finditer(template):
        name = match.group(1)
        if name is None:
            found.append(
                (match.start() + 1, f"a lone '{match.group()}': write a label such as {{{known[0]}}}")
            )
        elif name not in known:
            found.append(
                (
                    match.start() + 1,
                    f"no label '{safe_line(name, limit=40)}'{did_you_mean(name, known)}; labels: {', '.join(known)}",
                )
            )
    return found


def render(template: str, labels: Mapping[str, str]) -> str:
    """The template with its labels filled in, on one line and safe to show; a provider by the name people write."""
    return safe_line(_PART.sub(lambda match: _filled(match.group(1) or "", labels), template))


def _filled(name: str, labels: Mapping[str, str]) -> str:
    value = labels.get(name, "")
    return _PROVIDERS.get(value, value) if name == "provider" else value
