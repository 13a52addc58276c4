"""A receiver process to be killed: serves, processes its inbox all the time, prints its port."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from payops.clock import utc_now
from payops.config import AccountSettings
from payops.providers import open_verifier
from payops.receiver import Receiver, serve
from payops.store import Store

path, port, account, secret = sys.argv[1:]
store = Store.open(Path(path), now=utc_now())
settings = AccountSettings.model_validate(
    {"name": account, "provider": "stripe", "mode": "live", "api_key": "env:K", "webhook_secrets": ["env:W"]}
)
receiver = Receiver(store, {account: open_verifier(settings, lambda _: secret)}, utc_now)
print(serve(receiver, port=int(port)).port, flush=True)
while not threading.Event().wait(0.02):
    receiver.process_pending(utc_now())
