"""A runner in a process of its own, to be killed: one command a line from stdin, `ok` when it is done."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from pathlib import Path

from money_house import play_scenario

from payops.demo.headless import PATIENT
from payops.demo.settings import world_settings
from payops.domain.errors import PayopsError
from payops.engine.outside import Outside
from payops.engine.polls import StepPolls
from payops.engine.wiring import open_providers, open_runner
from payops.signals import read
from payops.store import Store

path, provider, url = sys.argv[1:]
scene = play_scenario(provider)
settings, secrets = world_settings(scene, 1, {provider: url}, Path(path))
store = Store.open(Path(path), now=scene.start)
outside = Outside(secrets.__getitem__, patience=PATIENT, now=None)
providers = open_providers(settings, outside, store)
polls = StepPolls(store, providers)
runner = open_runner(store, settings, outside, providers)
print("ready", flush=True)
for line in sys.stdin:
    what, at, *words = line.split()
    now = datetime.fromisoformat(at)
    with contextlib.suppress(PayopsError):
        if what == "tick":
            polls.run(now)
            runner.tick(read(store, settings, now), now, may_act=True)
        else:
            runner.approve(words[0], words[1], read(store, settings, now), now)
    print("ok", flush=True)
