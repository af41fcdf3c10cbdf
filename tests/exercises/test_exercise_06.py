from __future__ import annotations

import json
from pathlib import Path

import pytest

from probeta.cli import main
from tests.exercises.conftest import SHORT, Exercise, runs, table


def test_first_gradients_and_rises_are_those_of_the_curves(exercise: Exercise) -> None:
    folder = exercise(6)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        own, curve = rows[path.name], table(path / "metrics.csv")
        losses = [float(row["train/loss"]) for row in curve]
        rise = max(0.0, *(losses[i + 1] - losses[i] for i in range(len(losses) - 1)))
        assert float(own["first_loss"]) == losses[0]
        assert float(own["largest_rise"]) == pytest.approx(rise)
        assert float(own["first_grad_norm"]) == float(curve[0]["grad_norm/total"])


def test_divergence_is_a_finding_and_not_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["exercise", "6", f"output_dir={tmp_path}", "seed=1,2", *SHORT, "model.init_scale=0.1,1,1e30"]
    assert main(command) == 0
    told = json.loads((tmp_path / "06_initial_scale" / "answer.json").read_text())["en"]
    assert "2 failed" in told["states"]
    assert told["verdicts"]["holds"] >= 1
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.count("diverged before, and would again") == 2
