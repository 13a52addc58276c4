"""Rules: loaded whole or not at all, judged against signals, opening and resolving incidents.

`load` reads `rules/*.yaml` strictly and reports every mistake at its place; `evaluate` judges them purely;
`apply` does that once per tick and changes incidents. An incident keeps the rule it opened with.
"""

from __future__ import annotations

from .apply import Applied, apply
from .errors import RuleError, RuleFileErrors
from .evaluate import Evaluation, evaluate
from .loader import RuleSet, load, shipped_dir
from .model import Rule
from .preview import Foreseen, Preview, preview
from .verdict import Verdict

__all__ = [
    "Applied",
    "Evaluation",
    "Foreseen",
    "Preview",
    "Rule",
    "RuleError",
    "RuleFileErrors",
    "RuleSet",
    "Verdict",
    "apply",
    "evaluate",
    "load",
    "preview",
    "shipped_dir",
]
