from __future__ import annotations

from pathlib import Path

import pytest

from probeta.errors import RunDirectoryError
from probeta.runs.frame import load_sweep
from tests.report.synthetic import write_grid, write_run


def test_a_sweep_loads_as_a_row_a_run(tmp_path: Path) -> None:
    written = write_grid(tmp_path, {"optimizer.lr": [0.1, 0.2]}, [1, 2, 3])
    write_run(tmp_path, ["optimizer.lr=0.3", "seed=1"], {}, status="failed", error={"type": "E", "message": ""})
    frame = load_sweep(tmp_path)
    assert len(frame) == 7
    means = frame[frame.status == "completed"].groupby("optimizer.lr")["test/acc"].mean()
    for rate in (0.1, 0.2):
        assert means[rate] == pytest.approx(sum(written[f"optimizer.lr={rate}"].values()) / 3)
    assert frame["test/acc"].isna().sum() == 1
    assert all(Path(path).is_dir() for path in frame.path)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError):
        load_sweep(tmp_path)
