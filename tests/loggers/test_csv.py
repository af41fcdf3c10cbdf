from __future__ import annotations

import csv
from pathlib import Path

import pytest

from probeta.loggers.csv import MetricsCSV


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_metric_that_comes_later_gets_a_column(tmp_path: Path) -> None:
    log = MetricsCSV(tmp_path)
    log.log_metrics({"epoch": 0, "a": 1.0}, step=1)
    log.save()
    log.log_metrics({"epoch": 1, "a": 2.0, "b": 3.0}, step=2)
    log.finalize("success")
    assert rows(tmp_path) == [
        {"step": "1", "epoch": "0", "a": "1.0", "b": ""},
        {"step": "2", "epoch": "1", "a": "2.0", "b": "3.0"},
    ]


def test_rows_after_the_checkpoint_are_cut_and_written_again(tmp_path: Path) -> None:
    first = MetricsCSV(tmp_path)
    for step in range(1, 6):
        first.log_metrics({"epoch": step - 1, "a": float(step)}, step=step)
    first.save()
    again = MetricsCSV(tmp_path, resume_step=3)
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2", "3"]
    again.log_metrics({"epoch": 3, "a": 40.0}, step=4)
    again.save()
    assert [row["a"] for row in rows(tmp_path)] == ["1.0", "2.0", "3.0", "40.0"]


def test_rows_that_are_missing_before_the_checkpoint_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Cut where a line ends, a file looks whole."""
    first = MetricsCSV(tmp_path)
    for step in range(1, 6):
        first.log_metrics({"epoch": step - 1, "a": float(step)}, step=step)
    first.save()
    MetricsCSV(tmp_path, resume_step=4, resume_epochs=4)
    assert not caplog.records
    lines = (tmp_path / "metrics.csv").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.csv").write_text("".join(lines[:3]))
    MetricsCSV(tmp_path, resume_step=4, resume_epochs=4)
    assert "the rows of 2 epochs before the checkpoint are missing; 2 rows of it are kept" in caplog.text


def test_numbers_read_back_exactly(tmp_path: Path) -> None:
    log, value = MetricsCSV(tmp_path), 0.1 + 0.2
    log.log_metrics({"epoch": 0, "a": value}, step=1)
    log.save()
    assert float(rows(tmp_path)[0]["a"]) == value
