"""The whole command for 64 moons runs, as ensembles and by joblib on 2 workers, and against 64 plain torch loops.

Both commands write what a multirun writes by default and train all 200 epochs.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.vectorized_fit import RATES, RUNS, members, plain_loop, trees

REPEATS = 2
PLAIN = 4
COMMAND = (
    "train", "-m", "experiment=moons_mlp", "trainer=cpu", "callbacks.early_stopping.patience=null",
    f"optimizer.lr={','.join(map(str, RATES))}", "seed=range(8)",
)  # fmt: skip


def command(*arguments: str) -> float:
    """Seconds of the command; its runs must all have completed."""
    folder = Path(tempfile.mkdtemp(prefix="probeta-bench-"))
    try:
        line = [sys.executable, "-m", "probeta", *COMMAND, f"output_dir={folder}", *arguments]
        started = time.perf_counter()
        subprocess.run(line, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        results = [json.loads(path.read_text()) for path in folder.glob("*/*/result.json")]
        assert [r["status"] for r in results] == ["completed"] * RUNS
        assert {r["metrics"]["epochs"] for r in results} == {200.0}
        return seconds
    finally:
        shutil.rmtree(folder)


def run() -> list[dict[str, Any]]:
    splits = members(trees(1))[0].data.splits
    vectorized, joblib, plain = [], [], []
    for _ in range(REPEATS):
        vectorized.append(command("hydra/launcher=vectorized"))
        joblib.append(command("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"))
        plain.append(RUNS / PLAIN * sum(plain_loop(splits, RATES[i]) for i in range(PLAIN)))
    a = statistics.median(vectorized)
    return [
        {
            "name": name,
            "ratio": a / statistics.median(b),
            "a": a,
            "b": statistics.median(b),
            "unit": "s",
            "target": target,
            "note": f"{RUNS} runs of 200 epochs, whole command over {what}",
        }
        for name, b, target, what in (
            ("vectorized_wall", joblib, "<= 0.15", "the same by joblib on 2 workers"),
            ("vectorized_wall_plain", plain, "<= 3", "64 plain loops"),
        )
    ]
