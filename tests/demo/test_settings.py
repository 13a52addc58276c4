"""The simulated world's configuration, as the demo makes it and as `payops simulate` writes it."""

from __future__ import annotations

from pathlib import Path

from payops import config
from payops.demo.settings import world_settings
from payops.simulator import scenario as scenarios
from payops.simulator import settings_file


def test_the_demo_and_the_written_file_arm_the_same(tmp_path: Path) -> None:
    scenario = scenarios.load("healthy")
    made, _ = world_settings(scenario, 1, {"stripe": "http://127.0.0.1:9"}, tmp_path / "x.db")
    path = tmp_path / "payops.toml"
    settings_file.write(
        path,
        scenario,
        1,
        api_bases={"stripe": "http://127.0.0.1:9"},
        public_bases={"stripe": "http://127.0.0.1:8787"},
        application_bases={"stripe": "http://127.0.0.1:9"},
        receiver_host="127.0.0.1",
        receiver_port=8787,
    )
    assert {(e.account, frozenset(e.remedies)) for e in config.load(str(path)).arm} == {
        (e.account, frozenset(e.remedies)) for e in made.arm
    }
    assert made.arm
