"""Wall time of a 32-job multirun of jobs that return at once: ours, with all it does, over plain Hydra's.

Both are whole processes on the same configuration and job function, which writes a run's record. Ours
checks every job as `probeta train` does (which takes the import of torch), and writes the summary and
the page; plain Hydra's basic sweeper and launcher compose every job twice.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
REPEATS = 5
AXES = ["optimizer.lr=0.1,0.2,0.3,0.4", "seed=1,2,3,4,5,6,7,8"]
PLAIN = ["hydra/sweeper=basic", "hydra.sweep.dir=plain", "hydra.sweep.subdir=${hydra.job.num}"]


def once(arguments: list[str]) -> float:
    """Seconds of one multirun in a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks._sweep_job", "-m", *arguments]
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        jobs = list(Path(folder).rglob("config.yaml"))
        assert len(jobs) == 32, len(jobs)
    return seconds


def run() -> dict[str, Any]:
    """One warm-up of each, then alternated; medians."""
    ours, theirs = [], []
    for repeat in range(REPEATS + 1):
        a, b = once(AXES), once([*AXES, *PLAIN])
        if repeat:
            ours.append(a)
            theirs.append(b)
    a, b = statistics.median(ours), statistics.median(theirs)
    return {
        "name": "sweep_overhead",
        "ratio": a / b,
        "a": a,
        "b": b,
        "unit": "s",
        "target": 0.8,
        "note": "32 jobs that return at once, on this project's own configuration; ours with checks, summary and page",
    }
