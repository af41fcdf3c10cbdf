from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from probeta.report.curvature import explain_curvature
from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep


def leave_run(root: Path, variant: str, seed: int, curves: dict[str, list[float]]) -> str:
    run = root / f"{variant}-{seed}"
    (run / ".hydra").mkdir(parents=True)
    overrides = [f"optimizer.lr={variant}", f"seed={seed}"]
    record = {"status": "completed", "metrics": {"test/acc": 0.9}, "overrides": overrides, "seed": seed}
    (run / "result.json").write_text(json.dumps(record))
    with (run / "metrics.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", *curves])
        table.writerows([epoch, *values] for epoch, values in enumerate(zip(*curves.values(), strict=True)))
    return run.name


def sharpness(relative: list[float], edge: float, decay: float = 0.0) -> dict[str, list[float]]:
    """As the callback logs it: `relative` is (λ + decay) / 2η⁻¹, and `edge` the λ at which that is 1."""
    largest = [(edge + decay) * r - decay for r in relative]
    return {"curvature/largest": largest, "curvature/relative": relative, "curvature/edge": [edge] * len(relative)}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    jobs = {}
    late = {
        "0.7": [1.04, 1.05, 1.06, 1.05],
        "1.0": [0.97, 0.99, 1.01, 1.03],
        "0.1": [0.5, 0.52, 0.48, 0.51],
        "2.0": [1.5, 1.6, 1.7, 1.55],
    }
    for variant, values in late.items():
        for seed, value in enumerate(values):
            begin = 3.0 if variant == "2.0" else 0.2
            curves = sharpness([begin, 0.4, 2.0, 0.9, value, value], 2 / float(variant), decay=0.5)
            name = leave_run(tmp_path, variant, seed, curves)
            jobs[name] = {"overrides": [f"optimizer.lr={variant}", f"seed={seed}"], "variant": f"rate {variant}"}
    (tmp_path / "sweep.json").write_text(json.dumps({"name": "edges", "command": "train", "jobs": jobs}))
    return tmp_path


def test_the_answer_says_on_which_side_of_the_line_each_variant_is(sweep: Path) -> None:
    answer = explain_curvature(summarise(read_sweep(sweep)), Language())
    assert answer is not None
    on, near, above, below, first, fell, *_ = answer.sentences
    assert on.startswith("On the line")
    assert "rate 1.0 (1; 95 % interval 0.9589" in on
    assert near.startswith("Just above the line")
    assert "rate 0.7 (1.05;" in near
    assert "rate 2.0" in above
    assert fell.endswith("come down to it: rate 2.0 (from 3).")
    assert "rate 0.1" in below
    assert "rate 0.1 at epoch 3" in first
    [table] = answer.tables
    assert {row[0].text: row[1].text for row in table.rows} == {
        "rate 0.7": "2.86",
        "rate 1.0": "2",
        "rate 0.1": "20",
        "rate 2.0": "1",
    }
    assert [chart.data["kind"] for chart in answer.charts] == ["lines", "lines"]
    assert len(answer.charts[1].data["series"]) == 8
    for series in (series for chart in answer.charts for series in chart.data["series"]):
        assert (series["x"][0], series["x"][-1]) == (1, 6)


def test_the_line_is_that_of_the_runs_that_measured_it(tmp_path: Path) -> None:
    jobs = {}
    for seed, curves in enumerate([{"train/loss": [1.0, 0.5]}, sharpness([0.5, 1.0], 4), sharpness([0.5, 1.1], 4)]):
        name = leave_run(tmp_path, "0.5", seed, curves)
        jobs[name] = {"overrides": ["optimizer.lr=0.5", f"seed={seed}"], "variant": "rate 0.5"}
    (tmp_path / "sweep.json").write_text(json.dumps({"name": "edges", "command": "train", "jobs": jobs}))
    answer = explain_curvature(summarise(read_sweep(tmp_path)), Language())
    assert answer is not None
    [table] = answer.tables
    assert table.rows[0][1].text == "4"


def test_critical_batches_are_geometric_means(tmp_path: Path) -> None:
    jobs = {}
    for seed, scale in enumerate((0.5, 2.0)):
        name = leave_run(tmp_path, "1", seed, {"curvature/critical_batch": [10 * scale, 50, 1000 * scale]})
        jobs[name] = {"overrides": ["optimizer.lr=1", f"seed={seed}"], "variant": "full batch"}
    (tmp_path / "sweep.json").write_text(json.dumps({"name": "noise", "command": "train", "jobs": jobs}))
    answer = explain_curvature(summarise(read_sweep(tmp_path)), Language())
    assert answer is not None
    assert answer.sentences[0].startswith("full batch: the critical batch goes from 10 (")
    assert " to 1000 (" in answer.sentences[0]


def test_a_sweep_without_curvature_has_no_such_answer(tmp_path: Path) -> None:
    name = leave_run(tmp_path, "1", 1, {"train/loss": [1.0, 0.5]})
    (tmp_path / "sweep.json").write_text(json.dumps({"name": "none", "command": "train", "jobs": {name: {}}}))
    assert explain_curvature(summarise(read_sweep(tmp_path)), Language()) is None
