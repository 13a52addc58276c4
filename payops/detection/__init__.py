"""The mathematics of noticing a drop: pure, from payments to alarms, onset, place and money.

A `Stream` is fed one payment after the other. Its `Baseline` says what share fails normally at this hour of the
week, its `Detector` how strongly the payments speak against that, with a stated number of false alarms. `onset`,
`scan`, `ranked_codes` and `AtRisk` explain an alarm; `Traffic` watches what does not come; `chain` says how fast any
detector could be. Nothing here reads a clock, a file or a store.
"""

from __future__ import annotations

from .baseline import Baseline, Fixed, Norm
from .codes import CodeExcess, ranked_codes
from .detector import NEVER, ODDS, WATCH, Detector, Turn, once_in_years, threshold
from .money import AtRisk
from .onset import LOOK_BACK, likelihood_ratio, onset
from .scan import TOTAL, Located, Seen, Slice, Suspect, compatible, nested, scan, slices_of
from .shares import beta_share, raised, upper_bound
from .silence import Traffic, cautious, silence_limit
from .stream import Stream

__all__ = [
    "LOOK_BACK",
    "NEVER",
    "ODDS",
    "TOTAL",
    "WATCH",
    "AtRisk",
    "Baseline",
    "CodeExcess",
    "Detector",
    "Fixed",
    "Located",
    "Norm",
    "Seen",
    "Slice",
    "Stream",
    "Suspect",
    "Traffic",
    "Turn",
    "beta_share",
    "cautious",
    "compatible",
    "likelihood_ratio",
    "nested",
    "once_in_years",
    "onset",
    "raised",
    "ranked_codes",
    "scan",
    "silence_limit",
    "slices_of",
    "threshold",
    "upper_bound",
]
