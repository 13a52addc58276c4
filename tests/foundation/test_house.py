"""Laws of the house that a reader relies on everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "payops"
SOURCES = sorted(PACKAGE.rglob("*.py"))
CLOCK_CALLS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "perf_counter"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_clock_reads_a_clock(path: Path) -> None:
    if path == PACKAGE / "clock.py":
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = (
                owner.id
                if isinstance(owner, ast.Name)
                else owner.attr
                if isinstance(owner, ast.Attribute)
                else ""
            )
            assert (name, node.func.attr) not in CLOCK_CALLS, f"{path}:{node.lineno} reads a clock"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{path} has no docstring"


def _modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_engine_and_status_never_load_textual() -> None:
    loaded = _modules_after(
        "import payops.engine.host, payops.engine.local, payops.cli.look, payops.engine.documents"
    )
    assert "textual" not in loaded


def test_importing_the_engine_loads_no_heavy_room() -> None:
    loaded = _modules_after("import payops.engine.host, payops.engine.local")
    heavy = {
        "stripe",
        "braintree",
        "paypalrestsdk",
        "sqlite_utils",
        "jinja2",
        "apscheduler",
        "starlette",
        "uvicorn",
    }
    assert not heavy & loaded


def test_only_known_modules_print() -> None:
    allowed = {PACKAGE / "cli" / "out.py"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert path in allowed, f"{path}:{node.lineno} prints"


def test_the_wheel_holds_every_room_and_the_rules() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    rooms = {".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in SOURCES}
    assert set(project["tool"]["setuptools"]["packages"]) == rooms | {"payops_rules"}
