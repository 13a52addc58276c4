"""Prints the table; every seed is the text it is named by, so each run gives the same figures but for the cost."""

from __future__ import annotations

import sys
import time

from . import cost, delays, explaining, false_alarms, learned

PARTS = {
    "cost": cost,
    "delays": delays,
    "false-alarms": false_alarms,
    "learned": learned,
    "explaining": explaining,
}


def main(args: list[str]) -> int:
    quick = "--quick" in args
    wanted = [arg for arg in args if arg != "--quick"]
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        print(f"no part {unknown[0]!r}; there are: {', '.join(PARTS)} and --quick", file=sys.stderr)
        return 2
    missed = 0
    for name in wanted or PARTS:
        began = time.monotonic()
        for line in PARTS[name].lines(quick):
            print(line, flush=True)
            missed += not line.met
        print(f"-- {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"{missed} goals missed" if missed else "every goal met")
    return 0


sys.exit(main(sys.argv[1:]))
