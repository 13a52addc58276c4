from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from payops import config
from payops.cli.setup import TEMPLATE
from payops.domain.errors import UsageError

ACCOUNT = """
schema = "payops.config/v1"
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "env:KEY"
"""

BRAINTREE = """
schema = "payops.config/v1"
[[accounts]]
name = "bt"
provider = "braintree"
mode = "live"
merchant_id = "env:A"
public_key = "env:B"
private_key = "env:C"
"""
PAYPAL = """
schema = "payops.config/v1"
[[accounts]]
name = "pp"
provider = "paypal"
mode = "live"
client_id = "env:A"
client_secret = "env:B"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "payops.toml"
    path.write_text(text)
    return str(path)


def test_the_template_of_init_is_valid_and_only_observes(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, TEMPLATE))
    assert settings.mode == "observe"
    assert settings.arm == ()
    account = settings.accounts[0]
    assert account.receives(account.endpoints[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (ACCOUNT.replace("mode =", "moed ="), ["accounts[0]", "stripe-live", "moed", "did you mean 'mode'"]),
        (ACCOUNT.replace("env:KEY", "rk_live_12345678901234567890"), ["api_key", "env:NAME"]),
        (ACCOUNT.replace('api_key = "env:KEY"', ""), ["stripe needs api_key"]),
        (ACCOUNT.replace('"live"', '"prod"'), ["accounts[0].mode"]),
        (ACCOUNT + 'api_base = "http://stripe.example"\n', ["http only on loopback"]),
        (
            ACCOUNT + 'client_id = "env:X"\n',
            ["accounts[0]", "client_id is not of stripe", "api_key, webhook_secrets", "remove it"],
        ),
        (
            ACCOUNT + 'fallback_credentials = [{ api_key = "env:A" }, { webhook_id = "env:B" }]\n',
            ["fallback_credentials[1].webhook_id is not of stripe"],
        ),
        (
            BRAINTREE + 'webhook_secrets = ["env:X"]\n',
            [
                "accounts[0] (bt)",
                "webhook_secrets is not of braintree",
                "merchant_id, public_key, private_key",
            ],
        ),
        (
            PAYPAL + 'api_base = "http://127.0.0.1:9"\nwebhook_ca = "ca.pem"\n',
            ["accounts[0] (pp)", "webhook_ca must be a certificate as PEM text"],
        ),
        (
            ACCOUNT + '[[arm]]\naccount = "stripe-liv"\nremedies = []\n',
            ["stripe-liv", "did you mean 'stripe-live'"],
        ),
        (ACCOUNT + ACCOUNT.partition('v1"\n')[2], ["two accounts", "stripe-live"]),
        ('schema = "payops.config/v2"\n', ["schema", "payops.config/v1"]),
        ("schema = \n", ["not valid TOML"]),
        ('schema = "payops.config/v1"\nstor = "x"\n', ["stor", "did you mean 'store'"]),
        (
            'schema = "payops.config/v1"\n[receiver]\nport = 70000\n',
            ["receiver.port: must be at most 65535, got 70000"],
        ),
        (
            'schema = "payops.config/v1"\n[receiver]\nport = "8787"\n',
            ["receiver.port: must be a whole number, got '8787'"],
        ),
        (
            'schema = "payops.config/v1"\nmode = "obsrve"\n',
            ["mode: must be 'observe' or 'armed', got 'obsrve' (did you mean 'observe'?)"],
        ),
        (ACCOUNT + 'accept_unrestricted_key = "no"\n', ["true or false, got 'no'"]),
        (ACCOUNT.replace('name = "stripe-live"', 'name = "a b"'), ["letters, digits", "got 'a b'"]),
        ('schema = "payops.config/v1"\naccounts = 3\n', ["accounts: must be a list, got 3"]),
        ('schema = "payops.config/v1"\naccounts = [3]\n', ["accounts[0]: must be a table, got 3"]),
        (
            ACCOUNT + '[[arm]]\naccount = "stripe-live"\nremedies = ["resend-mising"]\n',
            ["arm[0].remedies", "did you mean 'resend-missing'"],
        ),
        ('schema = "payops.config/v1"\nbase = "/"\n', ["base"]),
    ],
)
def test_a_mistake_names_file_field_and_remedy(tmp_path: Path, text: str, wanted: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        config.load(path)
    message = str(caught.value)
    assert message.startswith(path)
    assert "\n" not in message
    for part in wanted:
        assert part in message


def test_a_secret_given_directly_is_never_repeated(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config.load(write(tmp_path, ACCOUNT.replace("env:KEY", "rk_live_12345678901234567890")))
    assert "rk_live" not in str(caught.value)


@pytest.mark.parametrize("given", ['["rk_live_12345678901234567890"]', "12345678901234567890"])
def test_a_secret_of_the_wrong_type_is_not_repeated_either(tmp_path: Path, given: str) -> None:
    with pytest.raises(UsageError, match=r"api_key .*must be text") as caught:
        config.load(write(tmp_path, ACCOUNT.replace('"env:KEY"', given)))
    assert "1234567890" not in str(caught.value)


@pytest.mark.parametrize("text", ['fallback_credentials = ["{}"]', 'endpoints = ["{}"]', 'endpoints = "{}"'])
def test_a_secret_in_a_place_for_tables_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="must be a") as caught:
        config.load(write(tmp_path, ACCOUNT + text.format("rk_live_12345678901234567890") + "\n"))
    assert "rk_live" not in str(caught.value)


def test_the_environment_is_named_where_it_chose_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOPS_CONFIG", "zz.toml")
    with pytest.raises(UsageError, match=r"zz\.toml \(named by \$PAYOPS_CONFIG\)"):
        config.load()
    with pytest.raises(UsageError) as caught:
        config.load(str(tmp_path / "none.toml"))
    assert "PAYOPS_CONFIG" not in str(caught.value)


def test_without_a_file_the_next_step_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAYOPS_CONFIG", raising=False)
    with pytest.raises(UsageError, match="payops init"):
        config.load()


def test_the_environment_names_the_file_and_the_option_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    write(first, ACCOUNT)
    monkeypatch.setenv("PAYOPS_CONFIG", str(first / "payops.toml"))
    assert config.load().base == first
    assert config.load(write(second, ACCOUNT)).base == second


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, ACCOUNT))
    assert settings.store_path == tmp_path / "payops.db"


def test_secret_references_resolve_and_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOPS_TEST_KEY", "value")
    assert config.resolve_secret("env:PAYOPS_TEST_KEY", tmp_path) == "value"
    monkeypatch.delenv("PAYOPS_TEST_KEY")
    with pytest.raises(UsageError, match="PAYOPS_TEST_KEY is not set"):
        config.resolve_secret("env:PAYOPS_TEST_KEY", tmp_path)
    secret = tmp_path / "key"
    secret.write_text("hidden\n")
    secret.chmod(0o600)
    assert config.resolve_secret("file:key", tmp_path) == "hidden"
    secret.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600") as caught:
        config.resolve_secret("file:key", tmp_path)
    assert "hidden" not in str(caught.value)


MAINTENANCE = """
[[maintenance]]
name = "import"
reason = "the ERP reads all orders"
timezone = "Europe/Vienna"
days = ["sun"]
start = "01:30"
end = "03:00"
accounts = ["stripe-live"]
"""


def test_maintenance_is_read_in_the_time_of_its_zone(tmp_path: Path) -> None:
    (window,) = config.load(write(tmp_path, ACCOUNT + MAINTENANCE)).windows
    assert window.open_until(datetime(2026, 1, 18, 0, 30, tzinfo=UTC)) == datetime(2026, 1, 18, 2, tzinfo=UTC)
    once = MAINTENANCE.replace('days = ["sun"]\n', "")
    once = once.replace('start = "01:30"', "from = 2026-01-18T01:30:00").replace(
        'end = "03:00"', "until = 2026-01-18T03:00:00"
    )
    (window,) = config.load(write(tmp_path, ACCOUNT + once)).windows
    assert window.open_until(datetime(2026, 1, 18, 0, 30, tzinfo=UTC)) == datetime(2026, 1, 18, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Europe/Vienna", "Europe/Viena", "did you mean 'Europe/Vienna'"),
        ("Europe/Vienna", "../etc/passwd", "no zone"),
        ('end = "03:00"', "", "from and until, or start and end"),
        ('end = "03:00"', 'end = "01:30"', "must differ"),
        ('end = "03:00"', 'end = "25:00"', "end"),
        ("reason =", "raeson =", "did you mean 'reason'"),
        ('"sun"', '"sunday"', "did you mean 'sun'"),
        ('["stripe-live"]', '["stripe-life"]', "did you mean 'stripe-live'"),
        ('days = ["sun"]', "days_of_month = [0]", "no day 0"),
    ],
)
def test_wrong_maintenance_is_refused_in_words(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in MAINTENANCE
    with pytest.raises(UsageError, match="maintenance") as refused:
        config.load(write(tmp_path, ACCOUNT + MAINTENANCE.replace(old, new)))
    assert says in str(refused.value)


ENDPOINT = (
    ACCOUNT
    + """
[[accounts.endpoints]]
name = "shop"
url = "{url}"
topology = "{topology}"
{more}
"""
)
OURS = "https://ops.example/webhooks/stripe-live"


@pytest.mark.parametrize(
    ("topology", "url", "more", "wanted"),
    [
        ("relay", OURS, "", "needs forward_to"),
        ("relay", OURS, 'forward_to = "http://shop.example/hook"', "http:// on loopback"),
        ("relay", OURS, 'forward_to = "ftp://127.0.0.1/hook"', "https://"),
        ("relay", OURS, 'forward_to = "https://ana:secret@shop.example/hook"', "user name or a password"),
        ("relay", OURS, 'forward_to = "https://[::1/hook"', "must be a URL"),
        (
            "relay",
            "https://shop.example/",
            'forward_to = "https://shop.example/hook"',
            "must end in /webhooks/",
        ),
        ("observer", OURS, 'forward_to = "https://shop.example/hook"', "forward_to is of topology"),
        ("import", "https://shop.example/", "", "needs source"),
        ("import", "https://shop.example/", 'source = "sqlite:shop.db"', "sqlite:PATH?view=NAME"),
        ("import", "https://shop.example/", "source = 'sqlite:shop.db?view=a\"b'", "sqlite:PATH?view=NAME"),
        (
            "import",
            "https://shop.example/",
            'source = "sqlite:shop.db?view=a&mode=rw"',
            "sqlite:PATH?view=NAME",
        ),
        ("import", OURS, 'source = "inbox.jsonl"', "payops itself receives"),
        ("observer", OURS, 'source = "inbox.jsonl"', "source is of topology"),
        ("relay", OURS, 'forward_to = "https://a.example/"\nresign_secret = "whsec_1234567890"', "env:NAME"),
    ],
)
def test_an_endpoint_that_could_not_work_as_its_topology_is_refused(
    tmp_path: Path, topology: str, url: str, more: str, wanted: str
) -> None:
    with pytest.raises(UsageError) as refused:
        config.load(write(tmp_path, ENDPOINT.format(topology=topology, url=url, more=more)))
    assert wanted in str(refused.value) and "secret@" not in str(refused.value)
    assert "whsec_1234567890" not in str(refused.value)


def test_relay_and_import_say_where_the_application_is(tmp_path: Path) -> None:
    relay = ENDPOINT.format(topology="relay", url=OURS, more='forward_to = "http://127.0.0.1:3000/hook?x=1"')
    settings = config.load(write(tmp_path, relay))
    assert settings.relays == (("stripe-live", "shop"),)
    view = ENDPOINT.format(
        topology="import",
        url="https://shop.example/",
        more='source = "sqlite:data/shop.db?view=webhook_inbox"',
    )
    (endpoint,) = config.load(write(tmp_path, view)).accounts[0].endpoints
    assert endpoint.inbox_source == config.SqlView("data/shop.db", "webhook_inbox")
