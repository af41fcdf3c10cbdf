"""From the command to its end with one batch of each stage, over importing what it is built on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from typing import Any

from tests.benchmarks._timing import alternate


def wall(*command: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - started


def run() -> list[dict[str, Any]]:
    debug = ("-m", "probeta", "train", "trainer=debug")
    seconds = alternate(
        {
            "default": lambda: wall(*debug),
            "moons": lambda: wall(*debug, "experiment=moons_mlp"),
            "imports": lambda: wall("-c", "import torch, pytorch_lightning"),
        }
    )
    rows = (("startup", "default", "≤ 1.7"), ("startup_moons", "moons", "≤ 1.3"))
    return [
        {"name": name, "ratio": seconds[side] / seconds["imports"], "a": seconds[side], "b": seconds["imports"],
         "unit": "s", "target": target, "note": "probeta train trainer=debug / import torch, pytorch_lightning"}
        for name, side, target in rows
    ]  # fmt: skip
