from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from probeta.report.answer import Verdict
from probeta.report.landscape import DOWNHILL, NEGATIVE, explain_landscape
from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.runs.artifacts import Artifacts
from probeta.runs.table import read_sweep

GRID = np.linspace(-1, 1, 5)
PLANES = {"a": GRID, "b": GRID, "loss": 10.0 ** (GRID[None] ** 2 + GRID[:, None])}
PATH = {
    "path_a": GRID, "path_b": GRID, "path_loss": np.full((5, 5), 0.1), "path_at": np.array([[0.5, 0.5], [0.1, 0.0]]),
    "path_shares": np.array([0.7, 0.25]),
}  # fmt: skip


def leave_runs(root: Path, rough: dict[tuple[int, bool], list[float]]) -> None:
    """Runs of (depth, residual) whose plane bends downwards in the given shares, by seed."""
    jobs = {}
    for (depth, residual), values in rough.items():
        for seed, value in enumerate(values):
            overrides = [f"model.depth={depth}", *["model.residual=true"] * residual, f"seed={seed}"]
            name = f"{depth}-{residual}-{seed}"
            (root / name / ".hydra").mkdir(parents=True)
            metrics = {NEGATIVE: value, DOWNHILL: 0.1}
            record = {"status": "completed", "metrics": metrics, "overrides": overrides, "seed": seed}
            (root / name / "result.json").write_text(json.dumps(record))
            Artifacts(root / name / "artifacts").write({"landscape": PLANES | (PATH if residual else {})})
            jobs[name] = {"overrides": overrides, "variant": f"{depth} layers{', residual' * residual}"}
    definition = {"name": "planes", "command": "train", "jobs": jobs, "metrics": [NEGATIVE, DOWNHILL]}
    (root / "sweep.json").write_text(json.dumps(definition))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    smooth = [0.30, 0.31, 0.29, 0.32, 0.30, 0.31]
    rough = {
        (2, False): [0.31, 0.29, 0.30, 0.31, 0.32, 0.29], (2, True): smooth,
        (8, False): [value + 0.4 + 0.01 * (i % 2) for i, value in enumerate(smooth)], (8, True): smooth,
    }  # fmt: skip
    leave_runs(tmp_path, rough)
    return tmp_path


def test_the_answer_says_at_which_depths_the_plane_is_rougher(sweep: Path) -> None:
    answer = explain_landscape(summarise(read_sweep(sweep)), Language())
    assert answer is not None
    first = answer.sentences[0]
    assert "Without residual connections more of the plane bends downwards: 8 layers." in first
    assert "differs by no more than noise: 2 layers." in first
    assert "With residual" not in first
    verdicts = [c.verdict for c in answer.claims]
    assert verdicts == [Verdict.OPEN, Verdict.HOLDS, Verdict.OPEN, Verdict.OPEN]
    assert answer.sentences[1].startswith("Share of the plane that bends downwards: from 0.303 (2 layers")


def test_charts_show_means_by_depth_and_planes_on_one_scale(sweep: Path) -> None:
    answer = explain_landscape(summarise(read_sweep(sweep)), Language())
    assert answer is not None
    negative, _, random, paths = answer.charts
    assert [series["x"] for series in negative.data["series"]] == [[2, 8], [2, 8]]
    plain = negative.data["series"][0]
    assert plain["mean"][1] == pytest.approx(0.71, abs=0.01)
    assert plain["low"][1] < plain["mean"][1] < plain["high"][1]
    assert [one["name"] for one in random.data["planes"]] == [
        "2 layers", "2 layers, residual", "8 layers", "8 layers, residual"
    ]  # fmt: skip
    assert random.data["planes"][0]["z"][3] == pytest.approx([1.5, 0.75, 0.5, 0.75, 1.5])
    assert "−1 to 1 lengths" in random.hint
    assert [one["name"] for one in paths.data["planes"]] == [
        "2 layers, residual: 95 %", "8 layers, residual: 95 %"
    ]  # fmt: skip
    assert paths.data["planes"][0]["path"] == [[0.5, 0.1], [0.5, 0.0]]
    assert paths.data["planes"][0]["z"][0][0] == pytest.approx(math.log10(0.1))


def test_a_sweep_of_one_depth_has_no_chart_against_it(tmp_path: Path) -> None:
    leave_runs(tmp_path, {(2, False): [0.3, 0.4], (2, True): [0.3, 0.2]})
    answer = explain_landscape(summarise(read_sweep(tmp_path)), Language())
    assert answer is not None
    assert [chart.data["kind"] for chart in answer.charts] == ["planes", "planes"]


def test_a_sweep_without_planes_has_no_such_answer(tmp_path: Path) -> None:
    leave_runs(tmp_path, {(2, False): [0.3]})
    record = tmp_path / "2-False-0" / "result.json"
    record.write_text(record.read_text().replace("landscape/", "other/"))
    assert explain_landscape(summarise(read_sweep(tmp_path)), Language()) is None
