"""`incidents export`: to stdout, to a file, to a directory; private, whole, and in one format."""

from __future__ import annotations

import json
from pathlib import Path

import click.testing
import pytest

from payops import config
from payops.cli.main import payops
from payops.clock import utc_now
from payops.domain.errors import UsageError
from payops.domain.incidents import Incident
from payops.store import Store

CONFIG = """
schema = "payops.config/v1"
store = "payops.db"
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "file:key"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "payops.toml"
    written.write_text(CONFIG)
    now = utc_now()
    draft = Incident(
        "",
        0,
        "r",
        "webhook_miss",
        "stripe",
        "stripe-live",
        "live",
        "key",
        "sev3",
        "open",
        1,
        "title",
        {},
        now,
        now,
    )
    with Store.open(config.load(str(written)).store_path, now=now) as store:
        store.incidents.open(draft, "test", now)
    return written


def export(path: Path, *args: str) -> str:
    words = ["incidents", "export", "inc-1", *args, "--config", str(path)]
    result = click.testing.CliRunner().invoke(payops, words, catch_exceptions=False, standalone_mode=False)
    return result.stdout


def test_json_is_short_for_its_format(path: Path) -> None:
    def unsealed(text: str) -> dict:
        return {key: value for key, value in json.loads(text).items() if key != "seal"}

    assert unsealed(export(path, "--json")) == unsealed(export(path, "--format", "json"))
    assert json.loads(export(path, "--json"))["id"] == "inc-1"


@pytest.mark.parametrize(("name", "starts"), [("report.md", "#"), ("report.json", "{")])
def test_a_name_with_a_suffix_is_a_file_of_that_format(path: Path, name: str, starts: str) -> None:
    target = path.parent / "new" / name
    assert export(path, "--output", str(target)).strip() == str(target)
    assert target.read_text().startswith(starts)
    assert target.stat().st_mode & 0o077 == 0
    assert [each.name for each in target.parent.iterdir()] == [name]


def test_another_name_is_a_directory(path: Path) -> None:
    export(path, "--output", str(path.parent / "reports"))
    assert [each.name for each in (path.parent / "reports").iterdir()] == ["inc-1.md"]


@pytest.mark.parametrize(
    "args", [("--json", "--format", "md"), ("--json", "--output", "x.md"), ("--output", "payops.toml/x")]
)
def test_what_cannot_be_is_usage(path: Path, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(UsageError, match="export: "):
        export(path, *args)
