"""Rules: loaded whole or not at all, judged against signals, opening and resolving incidents."""

from __future__ import annotations

from .errors import RuleError, RuleFileErrors
from .loader import RuleSet, load, shipped_dir
from .model import Rule

__all__ = ["Rule", "RuleError", "RuleFileErrors", "RuleSet", "load", "shipped_dir"]
