"""`payops backtest` as people run it: sentences, one document, exit codes, and a stop when they ask for one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import exports
import pytest
from click.testing import CliRunner
from house import wait_for

from payops.cli.main import payops

DROP = {"drop": (600.0, 720.0), "where": {"card_brand": "visa"}}
COUNTS = ("rows", "counted", "uncounted", "duplicates", "retries", "streams", "watches", "recoveries")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "export.csv"
    exports.written(path, exports.payments(minutes=900, per_minute=2, **DROP))
    with path.open("a") as file:
        file.write("\x1b[31mgarbage\n")
    return path


def run(*args: str) -> str:
    done = CliRunner().invoke(payops, ["backtest", *args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_document_has_the_shape_that_is_fixed(export: Path) -> None:
    document = json.loads(run(str(export), "--expected-success", "0.95", "--json"))
    assert all(isinstance(document[name], int) for name in COUNTS)
    (skipped,) = document["skipped"]
    assert skipped["line"] == document["rows"] + 1
    (alarm,) = document["alarms"]
    times = [alarm["onset"], alarm["at"], alarm["recovered_at"]]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)
    assert times == sorted(times)
    assert alarm["slice"] == {"card_brand": "visa"}
    assert all(isinstance(alarm[name], int) for name in ("observed", "failed"))
    assert all(isinstance(alarm[name], float) for name in ("expected", "evidence_years"))
    assert {tuple(money) for money in alarm["money"]} == {("currency", "lost_minor", "se_minor")}


def test_the_sentences_say_what_when_how_much_and_given_what(export: Path) -> None:
    said = run(str(export), "--expected-success", "0.95")
    for words in (
        "1 skipped",
        "has 1 fields",
        "1. card_brand visa",
        "payments failed",
        "Chance alone: less than once in",
        "given the stated baseline",
        "extra are",
        "EUR not collected",
        "at most one false alarm in 30 days",
    ):
        assert words in said
    assert "\x1b" not in said


def test_a_healthy_export_says_so(tmp_path: Path) -> None:
    path = exports.written(tmp_path / "calm.csv", exports.payments(minutes=400, per_minute=2))
    assert "No alarm" in run(str(path))


@pytest.mark.parametrize("share", ["0", "1", "95", "-0.5", "nan", "x"])
def test_an_expected_success_that_is_no_share_is_a_usage_error(export: Path, share: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "payops", "backtest", str(export), f"--expected-success={share}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", "payops", "backtest", str(path)], capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        assert done.returncode == 2
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr


def test_it_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "endless.csv"
    path.write_text("at,status\n" + "".join(f"{1_767_600_000 + n},failed\n" for n in range(400_000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "payops", "--debug", "backtest", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # Begun for certain once it has opened the file.
    opened = Path(f"/proc/{process.pid}/fd")
    wait_for(lambda: path in [link.resolve() for link in opened.iterdir()], "the export is being read")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in stderr
