"""The one border untrusted text crosses before it is shown: provider strings, webhook bodies, notes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# C0 but tab and newline, DEL, C1, and the bidi and invisible format controls that reorder or hide text.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# A whole terminal sequence is dropped, not only its ESC: its letters would read as text.
_SEQUENCES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"
    r"|\x1b[PX^_][^\x1b\x9c]{0,4096}(?:\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
# JSON itself escapes C0; its line breaks are layout.
_UNSAFE_IN_JSON = re.compile(f"{_SURROGATES.pattern}|{_CONTROLS.pattern}")


def safe_text(value: object, *, limit: int = 2000) -> str:
    """`value` as text that no terminal can act on, at most `limit` characters; newlines and tabs stay."""
    text = _SURROGATES.sub("\ufffd", str(value))
    text = _CONTROLS.sub("", _SEQUENCES.sub("", text).replace("\r\n", "\n"))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def safe_line(value: object, *, limit: int = 200) -> str:
    """`safe_text` on one line: for table cells, titles and log lines."""
    return " ".join(safe_text(value, limit=limit * 4).split())[:limit]


def safe_json(document: str) -> str:
    """JSON text that no terminal can act on: the same values, with what could act written as escapes."""
    return _UNSAFE_IN_JSON.sub(_escaped, document)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` when something known is close, else an empty string."""
    close = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def mask(secret: str) -> str:
    """A credential as it may be shown: what kind it is and its last four characters."""
    if len(secret) < 12:
        return "…"
    prefix = re.match(r"[a-z]{2,6}_(?:live_|test_)?", secret)
    return f"{prefix.group(0) if prefix else ''}…{secret[-4:]}"
