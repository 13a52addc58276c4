"""`make bench`: every benchmark, or those named on the command line."""

from __future__ import annotations

import sys

from . import first_frame, tick
from .harness import HEAD

BENCHMARKS = {"tick": tick.figures, "first_frame": first_frame.figures}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(HEAD)
    for name in names or BENCHMARKS:
        for figure in BENCHMARKS[name]():
            print(figure, flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
