"""Series of a rule's tests: `0x5 12x20 _x3` is five times 0, twenty times 12, three times nothing."""

from __future__ import annotations

import math
import re

from payops.domain.incidents import Value
from payops.signals.schema import FieldType

MAX_SAMPLES = 5_000
_SAMPLE = re.compile(r"(?P<value>'[^']*'|\S+?)(?:x(?P<count>[0-9]{1,6}))?")
_INT = re.compile(r"-?[0-9]{1,18}")
_DOUBLE = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE]-?[0-9]{1,3})?")


def parse_series(text: str, kind: FieldType) -> tuple[Value | None, ...]:
    """The samples, exactly N for `vxN`, the first at 0 m; None is no data. ValueError names the wrong part."""
    samples: list[Value | None] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        end = _end(text, position)
        match = _SAMPLE.fullmatch(text, position, end)
        if match is None:
            raise ValueError(f"'{text[position:end][:40]}' is not a sample: write 0x5, 12x20 or _x3")
        count = int(match["count"] or 1)
        if len(samples) + count > MAX_SAMPLES:
            raise ValueError(f"more than {MAX_SAMPLES} samples: choose a longer `every`")
        samples.extend([_value(match["value"], kind)] * count)
        position = end
    if not samples:
        raise ValueError("the series is empty: write samples such as 0x5 12x20")
    return tuple(samples)


def _end(text: str, start: int) -> int:
    """Where the sample that begins at `start` ends: at white space outside quotes."""
    quoted = False
    for index in range(start, len(text)):
        if text[index] == "'":
            quoted = not quoted
        elif text[index].isspace() and not quoted:
            return index
    return len(text)


def _value(text: str, kind: FieldType) -> Value | None:
    if text == "_":
        return None
    if kind == "bool":
        if text in ("true", "false"):
            return text == "true"
        raise ValueError(f"'{text[:40]}' is not a bool: write true or false")
    if kind == "int":
        if _INT.fullmatch(text):
            return int(text)
        raise ValueError(f"'{text[:40]}' is not an int")
    if kind == "double":
        if _DOUBLE.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        raise ValueError(f"'{text[:40]}' is not a number")
    return text[1:-1] if text.startswith("'") else text
