"""`make bench`: every benchmark, or those named on the command line. A module with `figures()` is one."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

from . import __path__ as here
from .harness import HEAD

HELPERS = {
    "__main__",
    "harness",
    "world",
    "terminal",
    "floor_screen",
    "webhook_events",
    "webhook_sender",
    "webhook_servers",
}


def main(names: list[str]) -> int:
    known = [module.name for module in pkgutil.iter_modules(here) if module.name not in HELPERS]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    print(HEAD)
    for name in names or known:
        module = import_module(f"{__package__}.{name}")
        if hasattr(module, "figures"):
            for figure in module.figures():
                print(figure, flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
