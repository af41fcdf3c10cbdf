"""Run directories as a sweep leaves them, without training anything."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from probeta.sweeps.naming import job_name


def write_run(
    root: Path,
    overrides: Sequence[str],
    metrics: Mapping[str, float | None],
    *,
    status: str = "completed",
    error: Mapping[str, str] | None = None,
    epochs: int = 0,
    seed: int = 1,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """One run directory; its curves fall (losses) or rise (the rest) towards `metrics`."""
    path = root / job_name(overrides)
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra" / "overrides.yaml").write_text("".join(f"- {line}\n" for line in overrides))
    result = {
        "status": status, "metrics": dict(metrics), "overrides": list(overrides), "config_sha256": "0" * 64,
        "seed": seed, "duration_s": 1.5, "fit_s": 1.0, "device": "cpu", "launcher": "basic",
        "versions": {"probeta": "0.1.0", "torch": "2.13.0"}, "git": None, "data_sha256": None,
        "best_checkpoint": None, "error": error, **(extra or {}),
    }  # fmt: skip
    (path / "result.json").write_text(json.dumps(result))
    if epochs:
        noise = random.Random(seed)
        rows = ["step,epoch,train/loss,val/loss,val/acc,lr"]
        for epoch in range(epochs):
            loss = math.exp(-3 * epoch / epochs) * noise.uniform(0.9, 1.1)
            rows.append(f"{epoch},{epoch},{loss:.6f},{loss * 1.1:.6f},{1 - loss / 2:.6f},0.1")
        (path / "metrics.csv").write_text("\n".join(rows) + "\n")
    return path


def write_grid(
    root: Path, axes: Mapping[str, Sequence[Any]], seeds: Sequence[int], epochs: int = 0
) -> dict[str, dict[int, float]]:
    """A sweep over `axes` × `seeds`; returns what was written as test/acc: settings → seed → value."""
    written: dict[str, dict[int, float]] = {}
    for point in product(*axes.values()):
        settings = [f"{key}={value}" for key, value in zip(axes, point, strict=True)]
        for seed in seeds:
            noise = random.Random(f"{settings}{seed}")
            level = 0.8 + 0.02 * sum(list(axes[k]).index(v) for k, v in zip(axes, point, strict=True))
            value = round(level + noise.gauss(0, 0.01), 6)
            written.setdefault(" ".join(settings), {})[seed] = value
            metrics = {"test/acc": value, "test/loss": 1 - value, "val/loss": 1.1 - value}
            write_run(root, [*settings, f"seed={seed}"], metrics, epochs=epochs, seed=seed)
    return written
