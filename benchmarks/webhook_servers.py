"""The receiver and what it is measured against, each served in a process of its own.

`python -m benchmarks.webhook_servers NAME STORE [PORT]` prints its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .webhook_events import ACCOUNT, SECRET

PAYOPS, PROCESSING = "payops", "payops, processing"
BARE, FRAMEWORK, USUAL = "bare ASGI", "Starlette", "construct_event"


def _receiver(path: Path, port: int, *, processes: bool) -> None:
    from payops.clock import utc_now
    from payops.config import AccountSettings
    from payops.providers import open_verifier
    from payops.receiver import Receiver, serve
    from payops.store import Store

    account = AccountSettings.model_validate(
        {
            "name": ACCOUNT,
            "provider": "stripe",
            "mode": "live",
            "api_key": "env:K",
            "webhook_secrets": ["env:W"],
        }
    )
    store = Store.open(path, now=utc_now())
    receiver = Receiver(store, {ACCOUNT: open_verifier(account, lambda _: SECRET)}, utc_now)
    print(serve(receiver, port=port).port, flush=True)
    while not threading.Event().wait(0.05 if processes else 3600):
        receiver.process_pending(utc_now())


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """The floor: an application that answers 200 and does not even read the body."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
    )
    await send({"type": "http.response.body", "body": b"ok"})


def _framework() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def nothing(request: Any) -> Any:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route(f"/webhooks/{ACCOUNT}", nothing, methods=["POST"])])


def _usual(path: Path) -> Any:
    """What most applications do: the SDK's objects, and a commit for each request."""
    stripe = importlib.import_module("stripe")
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE inbox (id TEXT PRIMARY KEY, type TEXT, created INTEGER, body TEXT)")

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        signature = dict(scope["headers"])[b"stripe-signature"].decode()
        event = stripe.Webhook.construct_event(body, signature, SECRET)
        database.execute(
            "INSERT OR IGNORE INTO inbox VALUES (?, ?, ?, ?)",
            (event.id, event.type, event.created, json.dumps(event.to_dict())),
        )
        await _nothing(scope, receive, send)

    return handler


def _served(app: Any, port: int) -> None:
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=port,
            http="httptools",
            loop="uvloop",
            lifespan="off",
            log_level="warning",
            access_log=False,
            ws="none",
        )
    )

    async def main() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await serving

    asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop).run(main())


SERVERS: dict[str, Callable[[Path, int], None]] = {
    PAYOPS: lambda path, port: _receiver(path, port, processes=False),
    PROCESSING: lambda path, port: _receiver(path, port, processes=True),
    BARE: lambda _, port: _served(_nothing, port),
    FRAMEWORK: lambda _, port: _served(_framework(), port),
    USUAL: lambda path, port: _served(_usual(path), port),
}

if __name__ == "__main__":
    name, store, *rest = sys.argv[1:]
    SERVERS[name](Path(store), int(rest[0]) if rest else 0)
