"""The level machine: who has the incident, what was handed over, and when it goes up.

`tick` sends a handoff by itself when the frozen rule says so or nobody accepted the last one, `audit` raises what
was left without a next step; the other functions are what people do. Every way up a level is a handoff: the store
allows no other.
"""

from __future__ import annotations

from .answers import answer, decide, hand_down
from .auditor import audit
from .drafting import draft
from .learning import done, learn
from .machine import tick
from .people import accept, ack, assign, escalate, note, resolve, return_
from .quiet import after as after_quiet
from .quiet import silence, unsilence
from .quiet import tick as keep_quiet

__all__ = [
    "accept",
    "ack",
    "after_quiet",
    "answer",
    "assign",
    "audit",
    "decide",
    "done",
    "draft",
    "escalate",
    "hand_down",
    "keep_quiet",
    "learn",
    "note",
    "resolve",
    "return_",
    "silence",
    "tick",
    "unsilence",
]
