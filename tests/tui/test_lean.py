"""What the first picture may cost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import asyncio, sys
sys.path.insert(0, {here!r})
from payops.tui.app import PayopsApp
from fake_desk import BUSY, FakeDesk
async def main():
    app = PayopsApp(FakeDesk(BUSY))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
asyncio.run(main())
print(len(sys.modules))
print(" ".join(sorted(name.split(".")[0] for name in sys.modules)))
"""
FORBIDDEN = (
    "stripe", "braintree", "paypalrestsdk", "apprise", "jinja2", "starlette", "uvicorn", "numpy", "sqlite_utils",
    "sqlite3", "typer", "click", "pydantic", "pydantic_settings", "apscheduler", "babel", "cel_expr_python", "requests",
)  # fmt: skip


def test_the_first_picture_imports_little() -> None:
    script = SCRIPT.format(here=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    count, names = done.stdout.splitlines()[-2:]
    assert int(count) <= 480, count
    assert not set(FORBIDDEN) & set(names.split())
