from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution, distribution_to_json

from probeta.report.language import Language
from probeta.report.search import explain_search, rank_importance, read_trials
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep
from probeta.sweeps.naming import job_name
from probeta.sweeps.report import write_report
from tests.report.synthetic import write_run

SPACE = {"optimizer.lr": FloatDistribution(1e-4, 1e-1, log=True), "model.width": IntDistribution(4, 64)}


def write_search(root: Path, best_at: float = 0.1) -> list[float]:
    """24 trials of two seeds, best at a rate of `best_at`; the last is pruned."""
    rng, jobs, values = np.random.default_rng(0), {}, []
    rates = [*(10 ** rng.uniform(-4, -1.1, 22)), best_at, 0.01]
    for trial, rate in enumerate(rates):
        width = int(rng.integers(5, 64))
        loss = abs(math.log10(rate / best_at)) + 0.001 * width / 64 + 0.1
        for seed in (1, 2):
            lines = ["experiment=moons_mlp", f"optimizer.lr={rate}", f"model.width={width}", f"seed={seed}"]
            path = write_run(root, lines, {"val/loss": loss + 0.01 * seed})
            jobs[job_name(lines)] = {"overrides": lines, "variant": f"trial {trial}", "trial": trial}
        values.append(loss + 0.015)
    (path / "pruned.json").write_text("{}")
    space = {key: distribution_to_json(known) for key, known in SPACE.items()}
    command = "probeta train -m --config-dir conf hydra/sweeper=optuna"
    document = {"name": "search", "metrics": ["val/loss"], "compare": False, "space": space, "jobs": jobs}
    (root / "sweep.json").write_text(json.dumps({**document, "command": command}))
    return values


def test_the_best_trial_is_named_with_the_edge_that_it_lies_on_and_the_command_that_repeats_it(tmp_path: Path) -> None:
    values = write_search(tmp_path)
    answer = explain_search(summarise(read_sweep(tmp_path)), Language())
    assert answer is not None
    best, edge, repeat = answer.sentences
    assert best.startswith("Best of 23 completed trials: number 22, optimizer.lr=0.1, model.width=")
    assert edge == "optimizer.lr=0.1 lies at the upper edge of the search (0.0001 to 0.1): above it may be better."
    assert "probeta train --config-dir conf -m experiment=moons_mlp optimizer.lr=0.1 model.width=" in repeat
    assert repeat.endswith("'seed=range(10)'")
    [chart] = answer.charts
    trials, so_far = chart.data["series"]
    assert trials["x"] == list(range(23))
    assert trials["mean"] == pytest.approx(values[:-1], rel=1e-4)
    assert so_far["mean"] == pytest.approx(np.minimum.accumulate(values[:-1]), rel=1e-4)
    assert "1 trials that were pruned" in chart.hint


def test_what_matters_is_ranked_first_with_its_spread(tmp_path: Path) -> None:
    write_search(tmp_path, best_at=0.003)
    summary = summarise(read_sweep(tmp_path))
    answer = explain_search(summary, Language("es"))
    assert answer is not None
    assert not any("borde" in sentence for sentence in answer.sentences)
    [table] = answer.tables
    assert [row[0].text for row in table.rows] == ["optimizer.lr", "model.width"]
    share = table.rows[0][1].sort
    done = [trial for trial in read_trials(summary, "val/loss") if trial.value is not None]
    points = [{key: trial.runs[0].settings[key] for key in SPACE} for trial in done]
    found = rank_importance(points, [trial.value or 0.0 for trial in done], SPACE)
    assert isinstance(share, float)
    assert share == found["optimizer.lr"][0] > 0.8
    assert found["optimizer.lr"][1][0] <= share <= found["optimizer.lr"][1][-1]


def test_the_page_has_trials_and_importance_and_damage_is_named(tmp_path: Path) -> None:
    write_search(tmp_path)
    page = write_report(tmp_path).page.read_text()
    assert "Importance" in page
    assert "best so far" in page
    document = json.loads((tmp_path / "sweep.json").read_text())
    (tmp_path / "sweep.json").write_text(json.dumps({**document, "space": {"optimizer.lr": "{"}}))
    sweep = read_sweep(tmp_path)
    assert explain_search(summarise(sweep), Language()) is None
    assert "space" in sweep.damage[0].why
