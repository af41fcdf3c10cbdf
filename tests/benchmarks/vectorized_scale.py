"""Cost a run of the fit at 16, 64, 256 and 1,024 runs, and the memory it takes.

Each size runs in a command of its own, so that the peak of memory (of the largest process) is that size's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

SIZES = (16, 64, 256, 1024)
EPOCHS, REPEATS = 50, 3

PROBE = """
import json, resource, sys
from tests.benchmarks.vectorized_fit import fit_together, trees
runs, epochs = int(sys.argv[1]), int(sys.argv[2])
fit_together(trees(16, 5))
seconds, size = fit_together(trees(runs, epochs))
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"seconds": seconds / runs, "chunk": size, "peak_mib": peak}))
"""


def measure(runs: int) -> dict[str, Any]:
    line = [sys.executable, "-c", PROBE, str(runs), str(EPOCHS)]
    answer = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found


def run() -> list[dict[str, Any]]:
    found: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    for _ in range(REPEATS):
        for size in SIZES:
            found[size].append(measure(size))
    costs = {size: statistics.median(f["seconds"] for f in many) for size, many in found.items()}
    peaks = {size: statistics.median(f["peak_mib"] for f in many) for size, many in found.items()}
    return [
        {
            "name": f"vectorized_scale_{size}",
            "ratio": costs[size] / costs[64],
            "a": 1000 * costs[size],
            "b": 1000 * costs[64],
            "unit": f"ms a run of {EPOCHS} epochs",
            "target": "<= 1.1" if size > 64 else "-",
            "note": f"{size} runs, a process peaks at {peaks[size]:.0f} MiB, chunks of {found[size][-1]['chunk']}",
        }
        for size in SIZES
    ]
