"""Reports for people who were not there: an incident, a shift, the protocol's scorecard, a decision to take.

All are read from the store alone, so the same store gives the same bytes; each is sealed with the end of the audit
chain, so that it can be proved later.
"""

from __future__ import annotations

from .document import incident_json
from .markdown import incident_markdown, incident_text
from .seal import fault_of
from .story import VIEWS, View
from .written import FORMATS, REPORT_FORMATS, brief_report, incident_report, protocol_report, shift_report

__all__ = [
    "FORMATS",
    "REPORT_FORMATS",
    "VIEWS",
    "View",
    "brief_report",
    "fault_of",
    "incident_json",
    "incident_markdown",
    "incident_report",
    "incident_text",
    "protocol_report",
    "shift_report",
]
