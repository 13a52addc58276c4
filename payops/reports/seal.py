"""Seals: a report carries the audit chain's last hash, and its own digest under that hash.

Whoever holds the store can tell later that a report is the one payops wrote, at which point of the chain, and that
no word of it was changed since: `payops audit verify --report FILE`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payops.store import Store

_LINE = re.compile(
    r"(?:<!-- |# )?payops seal: row (\d{1,18}), head ([0-9a-f]{64}), sha256 ([0-9a-f]{64})(?: -->)?\n?\Z"
)
_IN: dict[str, str] = {"md": "<!-- {} -->\n", "html": "<!-- {} -->\n", "csv": "# {}\n"}


@dataclass(frozen=True, slots=True)
class Seal:
    """Row and hash of the chain's end when the report was written, and the report's digest under it."""

    row: int
    head: str
    digest: str

    def __str__(self) -> str:
        return f"payops seal: row {self.row}, head {self.head}, sha256 {self.digest}"


def seal(store: Store, text: str) -> Seal:
    """The seal of a report's text as of now."""
    row, head = store.audit.head()
    return Seal(row, head, _digest(head, text))


def sealed(store: Store, text: str, format_: str) -> str:
    """The report with its seal as the last line, as a comment of its format."""
    return text + _IN[format_].format(seal(store, text))


def sealed_json(store: Store, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its seal under `seal`; the digest is of the canonical JSON without it."""
    made = seal(store, _canonical(document))
    return {**document, "seal": {"row": made.row, "head": made.head, "sha256": made.digest}}


def fault_of(store: Store, text: str) -> str | None:
    """Why this is not a report as payops wrote it from this store, as a sentence; None when it is."""
    if text.lstrip().startswith("{"):
        return _fault_of_json(store, text)
    found = _LINE.search(text.replace("\r\n", "\n"))
    if found is None:
        return "it has no seal at its end"
    row, head, digest = int(found[1]), found[2], found[3]
    if store.audit.hash_at(row) != head:
        return f"its seal names row {row} of an audit chain that is not this store's"
    if _digest(head, text.replace("\r\n", "\n")[: found.start()]) != digest:
        return "it was changed after it was sealed"
    return None


def _fault_of_json(store: Store, text: str) -> str | None:
    try:
        document = json.loads(text)
        kept = document.pop("seal")
        row, head, digest = kept["row"], kept["head"], kept["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "it has no seal"
    if not isinstance(row, int) or store.audit.hash_at(row) != head:
        return f"its seal names row {row} of an audit chain that is not this store's"
    return None if _digest(head, _canonical(document)) == digest else "it was changed after it was sealed"


def _canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(head: str, text: str) -> str:
    return hashlib.sha256((head + text).encode("utf-8", "surrogatepass")).hexdigest()
