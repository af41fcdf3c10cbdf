"""A sweep in a notebook: one data frame, one row per run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probeta.runs.table import read_sweep

if TYPE_CHECKING:
    import pandas as pd


def load_sweep(directory: str | Path) -> pd.DataFrame:
    """The runs of the sweep in `directory`: variant, seed, settings, status, metrics, seconds and path.

    Missing values are NaN. Raises `RunDirectoryError` where there are no runs.
    """
    import pandas as pd

    sweep = read_sweep(directory)
    rows = []
    for run in sweep.runs:
        settings = {key: run.settings.get(key) for key in sweep.axes}
        seconds = {key: run.result.get(key) for key in ("duration_s", "fit_s")}
        rows.append({"variant": run.variant, **run.seeds, **settings, "status": run.status, **run.metrics, **seconds})
        rows[-1]["path"] = str(run.path)
    return pd.DataFrame(rows)
