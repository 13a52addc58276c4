"""`status` and `poll`: what is not known is said to be unknown, never 0."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click.testing
import pytest

from payops import config
from payops.cli.main import payops
from payops.clock import utc_now
from payops.domain.errors import ProviderError
from payops.domain.events import CredentialProof
from payops.engine import passes
from payops.providers.port import FeedPage
from payops.store import Breaker, Store

CONFIG = """
schema = "payops.config/v1"
store = "payops.db"
mode = "armed"
[[operators]]
name = "ana"
roles = ["operator"]
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "file:key"
api_base = "http://127.0.0.1:9"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "payops.toml"
    written.write_text(CONFIG)
    key = tmp_path / "key"
    key.write_text("rk_live_1234567890abcdefghijkl")
    key.chmod(0o600)
    return written


def answer(path: Path, *args: str) -> str:
    result = click.testing.CliRunner().invoke(payops, [*args, "--config", str(path)])
    assert result.exit_code == 0, result.output
    return result.stdout


def status(path: Path) -> dict[str, Any]:
    document = json.loads(answer(path, "status", "--json"))
    assert isinstance(document, dict)
    return document


def open_store(path: Path) -> Store:
    return Store.open(config.load(str(path)).store_path, now=utc_now())


def read_once(path: Path) -> None:
    with open_store(path) as store:
        store.facts.apply_page("stripe-live", FeedPage(feed="events", read=0, requests=1), utc_now())


def test_counts_are_null_until_something_was_read(path: Path) -> None:
    success = status(path)["accounts"][0]["success"]
    assert {name: window["n"] for name, window in success.items()} == {"5m": None, "1h": None, "24h": None}
    assert "not read yet" in answer(path, "status")
    read_once(path)
    success = status(path)["accounts"][0]["success"]
    assert {window["n"] for window in success.values()} == {0}
    shown = answer(path, "status")
    assert "not read yet" not in shown and "no payments" in shown


def test_the_text_says_how_the_account_is_read(path: Path) -> None:
    shown = answer(path, "status")
    assert "payops's requests: 0 of 2,500 in 30 days" in shown
    assert "every charge Stripe made an event for" in shown
    error = ProviderError("outage", "no answer", provider="stripe", account="stripe-live")
    now = utc_now()
    with open_store(path) as store:
        store.facts.feed_error("stripe-live", "events", error, now)
        store.facts.save_breaker("stripe-live", Breaker(5, now, now + timedelta(seconds=30)))
    shown = answer(path, "status")
    assert "cannot be reached since" in shown and "outage: no answer" in shown
    assert status(path)["accounts"][0]["budget"]["breaker"] == "open"


def test_the_text_says_what_may_act(path: Path) -> None:
    assert "observing" in answer(path, "status")
    path.write_text(path.read_text() + '[[arm]]\naccount = "stripe-live"\nremedies = ["resend-missing"]\n')
    assert "armed: resend-missing" in answer(path, "status")


def test_the_text_speaks_of_commands_not_of_keys(path: Path) -> None:
    with open_store(path) as store:
        store.switches.stop("ana", "drill", utc_now() - timedelta(minutes=1))
    shown = answer(path, "status")
    assert "payops resume" in shown and "press" not in shown


@pytest.mark.parametrize(("ok", "said"), [(False, "rejected: api_key_expired"), (True, "live proven")])
def test_poll_says_what_the_credential_proved(
    path: Path, monkeypatch: pytest.MonkeyPatch, ok: bool, said: str
) -> None:
    proof = CredentialProof(
        "stripe-live",
        0,
        "rk_live_…ijkl",
        utc_now(),
        ok,
        mode="live" if ok else None,
        error=None if ok else "auth",
        code=None if ok else "api_key_expired",
        message="" if ok else "Expired API key",
    )

    def read_feed(store: Store, provider: Any, feed: str, now: Any, keep_going: Any) -> passes.FeedReport:
        page = FeedPage(feed=feed, read=1, requests=1, proof=proof if feed == "credential" else None)
        store.facts.apply_page("stripe-live", page, now())
        return passes.FeedReport("stripe-live", feed, True, 1, 0, 1)

    monkeypatch.setattr(passes, "read_feed", read_feed)
    shown = answer(path, "poll")
    assert said in shown
    assert ("not proven" in shown) is not ok
