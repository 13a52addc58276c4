from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from payops.config import Settings, parse
from payops.domain.handoffs import Draft
from payops.domain.incidents import Incident
from payops.escalation.machine import send
from payops.rulebook import load, shipped_dir
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
RULE = load([shipped_dir()]).rules["webhook-endpoint-disabled"]
ROLE = "integration-coordinator"


class Targets:
    """A web server that takes messages: /ok does, /bad answers 500, /hang never answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict]] = []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append((self.path, json.loads(body)))
                self._answer()

            def do_GET(self) -> None:
                outer.got.append((self.path, {}))
                self._answer()

            def _answer(self) -> None:
                if self.path.startswith("/hang"):
                    outer.release.wait(30)
                    return
                self.send_response(500 if self.path.startswith("/bad") else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/{path}"

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def targets() -> Iterator[Targets]:
    server = Targets()
    yield server
    server.close()


class Desk:
    """A store with one incident, people to tell, and a clock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW

    def settings(self, *contacts: dict) -> Settings:
        return parse({"schema": "payops.config/v1", "contacts": list(contacts)}, base=Path(), source="test")

    def open(self, severity: str = "sev3", **changes: object) -> Incident:
        values: dict[str, object] = {
            "id": "", "version": 0, "rule": RULE.id, "challenge": "webhook_miss", "provider": "stripe",
            "account": "stripe-live", "mode": "live", "title": "Endpoint own is disabled", "severity": severity,
            "state": "open", "level": 1, "dedup_key": "k", "labels": {}, "opened_at": self.now,
            "updated_at": self.now, "policy": RULE.policy_json(), "rule_hash": RULE.hash, **changes,
        }  # fmt: skip
        made = self.store.incidents.open(Incident(**values), "test", self.now)
        assert made is not None
        return made

    def hand_over(self, incident_id: str = "inc-1", level: int = 2, to: str = ROLE) -> Incident:
        made = Draft(
            level,
            to,
            "it is off",
            "we tried",
            "12 payments",
            "stripe we_1",
            "what now?",
            timedelta(minutes=30),
        )
        return send(
            self.store, self.store.incidents.get(incident_id), made, self.now, by="payops", cause="rule"
        )

    @property
    def timeline(self) -> str:
        return "\n".join(entry.text for entry in self.store.incidents.timeline("inc-1"))


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Store.in_memory(NOW, seed="notify") as store:
        yield Desk(store)


@pytest.fixture
def contact() -> Callable[..., dict]:
    def make(name: str, *roles: str, targets: tuple[str, ...] = ("env:T",), **more: object) -> dict:
        return {"name": name, "roles": list(roles or (ROLE,)), "targets": list(targets), **more}

    return make
