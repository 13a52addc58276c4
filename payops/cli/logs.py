"""The log file beside the store: the whole story for a developer, masked and bounded like everything on disk."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from payops.text import safe_text

MAX_BYTES = 5_000_000
KEPT = 2


def log_to(path: Path, debug: bool) -> None:
    """A developer always finds the whole story in this file, beside the store; the screen stays clean."""
    handler = _Private(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
    handler.setFormatter(_Masked("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # A full disk must not be told on the terminal, in the middle of the screen.
    logging.raiseExceptions = False
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for noisy in ("urllib3", "stripe", "asyncio", "apscheduler"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Masked(logging.Formatter):
    """Providers' words are in here, too: no card number, secret or terminal sequence."""

    def format(self, record: logging.LogRecord) -> str:
        from payops.store.redaction import redact_text

        return redact_text(safe_text(super().format(record), limit=20_000))


class _Private(RotatingFileHandler):
    """Only its owner may read it."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        os.fchmod(descriptor, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding=self.encoding, errors=self.errors)
