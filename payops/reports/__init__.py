"""One incident as a document: JSON for machines (INTERFACE), Markdown for somebody who was not there.

Both are read from the store alone, so the same store gives the same bytes.
"""

from __future__ import annotations

from .document import incident_json
from .markdown import incident_markdown, incident_text

__all__ = ["incident_json", "incident_markdown", "incident_text"]
