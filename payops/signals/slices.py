"""What a slice is called."""

from __future__ import annotations

from payops.store.streams import Slice
from payops.text import safe_line

NAMES = {"card_brand": "card brand", "decline_code": "code"}


def said(slice_: Slice) -> str:
    """`card brand visa, country US`; empty for the whole."""
    return ", ".join(f"{NAMES.get(column, column)} {safe_line(value, limit=40)}" for column, value in slice_)
