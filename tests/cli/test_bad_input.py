"""What goes wrong at the command line is one clear line and an exit code, never a traceback."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

PAYOPS = [sys.executable, "-m", "payops"]
CONFIG = """
schema = "payops.config/v1"
store = "payops.db"
[receiver]
port = {port}
[[operators]]
name = "ana"
roles = ["operator"]
[[operators]]
name = "vic"
roles = ["viewer"]
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "file:key"
api_base = "http://127.0.0.1:9"
webhook_secrets = ["file:key"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "payops.toml").write_text(CONFIG.format(port=0))
    key = tmp_path / "key"
    key.write_text("rk_live_1234567890abcdefghijkl")
    key.chmod(0o600)
    return tmp_path


def payops(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PAYOPS_")}
    return subprocess.run(
        [*PAYOPS, *args],
        cwd=folder,
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fails(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def test_no_configuration_says_how_to_get_one(tmp_path: Path) -> None:
    fails(payops(tmp_path, "status"), 2, "payops init")


def test_an_unknown_command_gets_a_suggestion(folder: Path) -> None:
    fails(payops(folder, "statsu"), 2, "statsu", "did you mean 'status'")


@pytest.mark.parametrize(
    ("group", "verb", "meant"),
    [("incidents", "lst", "list"), ("rules", "chek", "check"), ("audit", "verfy", "verify")],
)
def test_unknown_subcommands_are_refused_in_one_style(
    folder: Path, group: str, verb: str, meant: str
) -> None:
    fails(payops(folder, group, verb), 2, f"no command '{verb}' (did you mean '{meant}'?)")


def test_without_a_command_the_help_is_the_answer(folder: Path) -> None:
    for words in ((), ("incidents",)):
        done = payops(folder, *words)
        assert done.returncode == 0
        assert done.stderr == ""
        assert "Usage:" in done.stdout and done.stdout.count("\n") > 8


def test_a_damaged_store_is_a_bad_answer_with_a_way_out(folder: Path) -> None:
    assert payops(folder, "status").returncode == 0
    whole = payops(folder, "store", "check")
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, "The store is whole.\n", "")
    store = folder / "payops.db"
    database = sqlite3.connect(store)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(store.read_bytes())
    content[100:] = b"\xa5" * (len(content) - 100)
    store.write_bytes(content)
    done = payops(folder, "store", "check")
    assert done.returncode == 1, done.stderr
    assert "payops.db" in done.stdout and "malformed" in done.stdout
    assert "payops store backup" in done.stderr and "store check" not in done.stderr
    assert payops(folder, "store", "check", "--json").returncode == 1


def test_a_missing_store_is_no_bad_store(folder: Path) -> None:
    fails(payops(folder, "store", "check"), 2, "no store there")


def test_init_writes_once_and_never_overwrites(tmp_path: Path) -> None:
    assert payops(tmp_path, "init").returncode == 0
    before = (tmp_path / "payops.toml").read_bytes()
    fails(payops(tmp_path, "init"), 2, "exists already")
    assert (tmp_path / "payops.toml").read_bytes() == before


def test_ports_that_would_count_up_beyond_the_last_are_refused(folder: Path) -> None:
    done = payops(folder, "simulate", "--scenario", "default", "--port", "65535")
    fails(done, 2, "--port 65535", "3 providers", "65535")
    assert done.stdout == ""


def test_status_says_each_reason_once_and_keeps_what_belongs_to_an_account_indented(folder: Path) -> None:
    (folder / "payops.toml").write_text(
        CONFIG.format(port=0) + '[[accounts]]\nname = "bt"\nprovider = "braintree"\nmode = "live"\n'
        'merchant_id = "file:key"\npublic_key = "file:key"\nprivate_key = "file:key"\n'
    )
    done = payops(folder, "status")
    assert done.returncode == 0
    reasons = [line for line in done.stdout.splitlines() if line.startswith("  not possible: ")]
    assert reasons
    assert len(reasons) == len(set(reasons))


def test_a_store_that_is_no_store_is_left_alone(folder: Path) -> None:
    store = folder / "payops.db"
    store.write_text("shopping list\n" * 200)
    store.chmod(0o600)
    fails(payops(folder, "status"), 2, "payops.db")
    assert store.read_text().startswith("shopping list")


def test_a_newer_store_is_not_touched(folder: Path) -> None:
    assert payops(folder, "status").returncode == 0
    store = folder / "payops.db"
    database = sqlite3.connect(store)
    database.execute("PRAGMA user_version = 9999")
    database.commit()
    database.close()
    before = store.read_bytes()
    fails(payops(folder, "status"), 2, "newer")
    assert store.read_bytes() == before


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fails(payops(folder, "receive", "--port", str(port)), 2, str(port), "in use")


def test_a_missing_secret_is_named_and_not_guessed(folder: Path) -> None:
    (folder / "key").unlink()
    fails(payops(folder, "poll"), 2, "file:key")


def test_an_unknown_incident_and_an_unknown_account(folder: Path) -> None:
    fails(payops(folder, "incidents", "show", "inc-9"), 2, "inc-9")
    fails(payops(folder, "poll", "--account", "stripe-liv"), 2, "did you mean 'stripe-live'")


def test_acting_needs_a_listed_operator_with_a_role(folder: Path) -> None:
    fails(payops(folder, "stop"), 2, "--operator")
    fails(payops(folder, "stop", "--operator", "anna"), 2, "did you mean 'ana'")
    fails(payops(folder, "stop", PAYOPS_OPERATOR="vic"), 2, "viewer")
    done = payops(folder, "stop", "--reason", "test", "--operator", "ana")
    assert done.returncode == 0, done.stderr


def test_arming_something_unknown_is_usage(folder: Path) -> None:
    def arm(account: str, remedy: str, verb: str = "arm") -> subprocess.CompletedProcess[str]:
        return payops(folder, verb, account, remedy, "--reason", "seen right", PAYOPS_OPERATOR="ana")

    fails(arm("stripe-liv", "enable-endpoint"), 2, "did you mean 'stripe-live'")
    fails(arm("stripe-live", "enable-endpoit"), 2, "did you mean 'enable-endpoint'")
    fails(arm("stripe-live", "enable-endpoit", "disarm"), 2, "did you mean 'enable-endpoint'")
    assert arm("stripe-live", "enable-endpoint").returncode == 0


def test_resuming_what_is_not_stopped_is_a_refusal(folder: Path) -> None:
    fails(payops(folder, "resume", "--operator", "ana"), 1, "nothing is stopped")


def test_a_configured_remedy_with_a_typo_is_found_wherever_it_would_matter(folder: Path) -> None:
    path = folder / "payops.toml"
    arm = '[[arm]]\naccount = "stripe-live"\nremedies = ["resend-mising"]\n'
    path.write_text(CONFIG.format(port=0) + arm)
    words = ("payops.toml", "arm[0].remedies", "did you mean 'resend-missing'")
    fails(payops(folder, "status"), 2, *words)
    fails(payops(folder, "engine"), 2, *words)
    (folder / "own").mkdir()
    path.write_text(CONFIG.format(port=0).replace("[receiver]", 'rules = "own"\n[receiver]', 1) + arm)
    fails(payops(folder, "engine"), 2, "arm[0].remedies", "did you mean 'resend-missing'")


def test_stop_survives_and_is_shown_and_audited(folder: Path) -> None:
    payops(folder, "stop", "--reason", "night", "--operator", "ana")
    assert "STOPPED by ana" in payops(folder, "status").stdout
    assert payops(folder, "audit", "verify").returncode == 0
    assert payops(folder, "resume", "--operator", "ana").returncode == 0
    assert "STOPPED" not in payops(folder, "status").stdout


def test_an_unreachable_provider_is_a_bad_answer_not_a_crash(folder: Path) -> None:
    done = payops(folder, "poll", "--json")
    assert done.returncode == 1
    assert '"network": 1' in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema: payops.scenario/v1\nname: x\nproviders: {stripe: {}}\nfaults: [{kind: decline_surg, provider: stripe, at: 1m}]\n", ["decline_surge"]),
        ("schema: payops.scenario/v1\nname: x\nprovidrs: {}\n", ["providrs", "providers"]),
        ("schema: payops.scenario/v1\nname: x\nproviders: {stripe: {}}\nexpect: [{rule: no-such-rule}]\n", ["bad.yaml:4: expect[0].rule", "no-such-rule"]),
    ],
)  # fmt: skip
def test_a_scenario_with_a_typo(folder: Path, text: str, words: list[str]) -> None:
    (folder / "bad.yaml").write_text(text)
    fails(payops(folder, "demo", "--headless", "--scenario", "bad.yaml", "--json"), 2, *words)


def test_a_scenario_may_arm_and_disarm_by_provider(folder: Path) -> None:
    (folder / "arm.yaml").write_text(
        "schema: payops.scenario/v1\nname: x\nwarmup: 1m\nduration: 1m\nproviders: {stripe: {}}\nactions:\n"
        "  - {at: 10s, do: disarm, provider: stripe, remedies: diagnose, reason: drill}\n"
        "  - {at: 20s, do: arm, remedies: [diagnose, resend-missing], reason: drill}\n"
    )
    done = payops(
        folder, "demo", "--headless", "--scenario", "arm.yaml", "--json", "--store", str(folder / "x.db")
    )
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(folder / "x.db") as database:
        rows = database.execute("SELECT account, remedy, armed FROM arming ORDER BY remedy").fetchall()
    database.close()
    assert rows == [("stripe-live", "diagnose", 1), ("stripe-live", "resend-missing", 1)]


def test_a_screen_without_a_terminal_is_refused_with_an_alternative(folder: Path) -> None:
    fails(payops(folder, "run"), 2, "terminal", "payops status")
    fails(payops(folder, "demo"), 2, "terminal")


def test_debug_gives_the_traceback(tmp_path: Path) -> None:
    done = payops(tmp_path, "status", "--debug")
    assert "Traceback" in done.stderr
    assert done.returncode == 2


def test_debug_keeps_the_exit_code_of_a_refusal(folder: Path) -> None:
    done = payops(folder, "--debug", "resume", "--operator", "ana")
    assert "Traceback" in done.stderr
    assert done.returncode == 1


def test_a_bad_rule_file_names_its_place(folder: Path) -> None:
    rule = folder / "bad.yaml"
    rule.write_text("schema: payops.rule/v1\nid: x\nchalenge: api_auth\n")
    done = payops(folder, "rules", "check", "bad.yaml")
    assert done.returncode == 1
    assert "bad.yaml:3" in done.stdout + done.stderr
    assert "did you mean 'challenge'" in done.stdout + done.stderr


def test_every_action_of_the_registry_is_a_verb_of_the_command_line() -> None:
    from payops.cli.incidents import incidents
    from payops.cli.main import COMMANDS
    from payops.cli.rules import rules
    from payops.domain.actions import ACTIONS

    verbs = set(incidents.commands)
    for action in ACTIONS:
        assert action.name in (verbs if action.scope == "incident" else {*COMMANDS, *rules.commands}), (
            action.name
        )
