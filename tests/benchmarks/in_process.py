"""The second `probeta.sweep` of 64 moons runs in a process, over the command with joblib on 2 workers.

Both write what a multirun writes by default and train all 200 epochs; imports were paid by the first call.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Any

from tests.benchmarks._timing import alternate
from tests.benchmarks.vectorized_fit import RATES, RUNS
from tests.benchmarks.vectorized_wall import command

TARGET = 0.10

CALLS = f"""
import contextlib, os, sys, time, probeta
for folder in ("first", "second"):
    started = time.perf_counter()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        sweep = probeta.sweep(
            "experiment=moons_mlp", "trainer=cpu", "callbacks.early_stopping.patience=null",
            "optimizer.lr={",".join(map(str, RATES))}", f"output_dir={{folder}}", seeds=range(8),
        )
    seconds = time.perf_counter() - started
assert sweep.runs()["status"].eq("completed").sum() == {RUNS}
print(seconds)
"""


def second_call() -> float:
    """Seconds of the second call in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="probeta-bench-") as folder:
        answer = subprocess.run([sys.executable, "-c", CALLS], cwd=folder, check=True, capture_output=True, text=True)
    return float(answer.stdout)


def run() -> dict[str, Any]:
    joblib = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    a, b = alternate({"ours": second_call, "joblib": lambda: command(*joblib)}, repeats=3).values()
    return {
        "name": "in_process",
        "ratio": a / b,
        "a": a,
        "b": b,
        "unit": "s",
        "target": TARGET,
        "note": "64 moons runs: the second call from Python over the command with joblib on 2 workers",
    }
