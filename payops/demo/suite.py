"""A folder of scenarios, each with one or more seeds, run side by side and added up."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payops.domain.errors import UsageError
from payops.simulator import scenario as scenarios

from .headless import ActionFailed, run


@dataclass(frozen=True, slots=True)
class Job:
    """One scenario file with one seed."""

    path: str
    seed: int
    judged: bool


def jobs(folder: Path, only: str | None, seeds: int, first_seed: int | None, *, judged: bool) -> list[Job]:
    """What is to be run, in the order of file names and seeds; every file is read before anything runs."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        if only is None or only in path.stem:
            scenario = scenarios.load(str(path))
            start = scenario.seed if first_seed is None else first_seed
            found += [Job(str(path), start + step, judged) for step in range(seeds)]
    if not found:
        raise UsageError(
            f"{folder}: no scenario file (*.yaml){f' whose name contains {only!r}' if only else ''}"
        )
    return found


def run_job(job: Job) -> dict[str, Any]:
    """One run's document; an action that did not apply is a failed check, not the end of the suite."""
    scenario = scenarios.load(job.path)
    try:
        return run(scenario, job.seed, None, judged=job.judged).document
    except ActionFailed as error:
        return {
            "scenario": scenario.name,
            "seed": job.seed,
            "checks": [{"line": 0, "ok": False, "why": str(error)}],
        }


def run_suite(name: str, wanted: Sequence[Job], progress: Callable[[float], None]) -> dict[str, Any]:
    """`{suite, runs, totals}`; the order of `runs` is the order of the jobs, whichever ends first."""
    documents: dict[int, dict[str, Any]] = {}
    workers = max(1, min(len(wanted), os.cpu_count() or 1))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _quiet) as pool:
        futures = {pool.submit(run_job, job): index for index, job in enumerate(wanted)}
        for done, future in enumerate(as_completed(futures), start=1):
            documents[futures[future]] = future.result()
            progress(done / len(wanted))
    runs = [documents[index] for index in range(len(wanted))]
    return {"suite": name, "runs": runs, "totals": totals(runs)}


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def failed(document: dict[str, Any]) -> bool:
    return any(not check["ok"] for check in document.get("checks", ()))


def totals(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums over the runs; `failed` counts those with an unmet check."""
    sums: dict[str, Counter[str]] = {"webhooks": Counter(), "levels": Counter(), "outcomes": Counter()}
    for document in runs:
        for field, counter in sums.items():
            counter.update(document.get(field, {}))
    return {
        "runs": len(runs),
        "failed": sum(failed(document) for document in runs),
        "payments": sum(document.get("payments", 0) for document in runs),
        "incidents": sum(len(document.get("incidents", ())) for document in runs),
        **{field: dict(counter) for field, counter in sums.items()},
    }
