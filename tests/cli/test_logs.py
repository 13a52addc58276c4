"""What reaches the log is masked, private and bounded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from payops.cli import logs


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    path = tmp_path / "payops.log"
    path.touch(0o644)
    logs.log_to(path, debug=False)
    yield path
    for handler in list(root.handlers):
        handler.close()
        root.removeHandler(handler)
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_what_providers_say_is_masked_and_only_the_owner_reads_it(log: Path) -> None:
    logging.getLogger("payops.test").error(
        "no such token %s for rk_live_%s\x1b]0;title\x07", "4242 4242 4242 4242", "a" * 24
    )
    written = log.read_text()
    assert "no such token" in written
    assert "4242 4242" not in written and "a" * 24 not in written and "\x1b" not in written
    assert log.stat().st_mode & 0o077 == 0


def test_the_log_is_bounded(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = next(each for each in logging.getLogger().handlers if hasattr(each, "maxBytes"))
    monkeypatch.setattr(handler, "maxBytes", 2_000)
    for number in range(200):
        logging.getLogger("payops.test").error("the same trouble again, %d", number)
    files = sorted(log.parent.glob("payops.log*"))
    assert len(files) == 1 + logs.KEPT
    assert all(file.stat().st_size <= 2_000 and file.stat().st_mode & 0o077 == 0 for file in files)
