"""Looking at what is done: a finished sweep's command again, over making it; and `probeta report` per run.

Vectorized moons, 5 epochs each. Both commands are whole processes, started from nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

JOBS = int(os.environ.get("REPEAT_SWEEP_JOBS", "2000"))


def seconds(folder: Path, *arguments: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "probeta", *arguments]
    subprocess.run(command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    return time.perf_counter() - started


def run() -> list[dict[str, Any]]:
    sweep = ["experiment=moons_mlp", "trainer=cpu", "trainer.max_epochs=5", f"seed=range({JOBS})"]
    command = ["train", "-m", *sweep, "hydra/launcher=vectorized", "output_dir=.", "name=sweep"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made, again = seconds(folder, *command), seconds(folder, *command)
        reported = seconds(folder, "report", "sweep")
    note = f"{JOBS} finished runs"
    return [
        {
            "name": "repeat_sweep",
            "ratio": again / made,
            "a": again,
            "b": made,
            "unit": "s",
            "target": 0.05,
            "note": note,
        },
        {
            "name": "repeat_report",
            "ratio": None,
            "a": 1000 * reported / JOBS,
            "unit": "ms per run",
            "target": 5,
            "note": note,
        },
    ]
