from __future__ import annotations

import csv
import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.report.variance import explain_variance, find_enough
from probeta.runs.table import read_sweep
from probeta.stats.variance_components import crossed_interval, decompose
from probeta.sweeps.naming import job_name
from probeta.sweeps.report import write_report
from tests.report.synthetic import write_run

ENGLISH = Language("en")


def write_crossed(root: Path, *, failed: int = 0, absent: tuple[str, ...] = (), same: bool = False) -> np.ndarray:
    """5 × 4 runs of initial weights and data, most of whose accuracy is a matter of the data."""
    rng = np.random.default_rng(1)
    values = 0.9 + 0.001 * rng.normal(size=(5, 1)) + 0.02 * rng.normal(size=4) + 0.002 * rng.normal(size=(5, 4))
    values = np.full_like(values, 0.9) if same else values
    jobs = {}
    for i, (init, data) in enumerate(product(range(5), range(4))):
        lines = ["seed=42", f"seeds.init={init}", f"data.seed={data}"]
        status = "failed" if i < failed else "completed"
        write_run(root, lines, {} if i < failed else {"test/acc": float(values[init, data])}, status=status)
        jobs[job_name(lines)] = {"overrides": lines, "variant": None, "absent": list(absent)}
    (root / "sweep.json").write_text(json.dumps({"name": "variance", "metrics": ["test/acc"], "jobs": jobs}))
    return values


def test_the_answer_is_the_decomposition(tmp_path: Path) -> None:
    values = write_crossed(tmp_path, absent=("seeds.order",))
    found = decompose(values, ["seeds.init", "data.seed"])
    assert find_enough(found) == ("data.seed",)
    answer = explain_variance(summarise(read_sweep(tmp_path)), ENGLISH)
    assert answer is not None
    first, absent, _ = answer.sentences
    shares = {c.sources: c.share for c in found.components}
    assert first.startswith(f"test/acc: data {100 * shares['data.seed',].value:.0f} %")
    assert "To see 95 % of it, a study varies data." in first
    assert "no such source, since an epoch is one batch" in absent
    [table] = answer.tables
    rows = {row[0].text: row[1] for row in table.rows}
    assert list(rows) == ["initial weights", "data", "initial weights × data", "order of batches"]
    assert rows["data"].sort == shares["data.seed",].value
    assert (rows["order of batches"].text, rows["order of batches"].small) == ("0 %", "no such source")
    [chart] = answer.charts
    assert [row[0] for row in chart.data["rows"]] == list(rows)[:3]
    assert chart.data["rows"][1][1] == pytest.approx(100 * shares["data.seed",].value, rel=1e-4)


def test_the_interval_of_the_mean_knows_that_runs_share_seeds(tmp_path: Path) -> None:
    values = write_crossed(tmp_path)
    write_report(tmp_path)
    [row] = csv.DictReader((tmp_path / "groups.csv").open(newline=""))
    expected = crossed_interval(values)
    assert [float(row[f"test/acc ci_{end}"]) for end in ("low", "high")] == pytest.approx([expected.low, expected.high])
    rows = list(csv.DictReader((tmp_path / "variance.csv").open(newline="")))
    assert [r["sources"] for r in rows] == ["seeds.init", "data.seed", "seeds.init x data.seed"]
    with (tmp_path / "summary.csv").open(newline="") as file:
        assert next(csv.reader(file))[:4] == ["variant", "seed", "seeds.init", "data.seed"]


def test_a_design_with_holes_has_no_shares(tmp_path: Path) -> None:
    write_crossed(tmp_path, failed=2)
    summary = summarise(read_sweep(tmp_path))
    answer = explain_variance(summary, ENGLISH)
    assert answer is not None
    assert answer.sentences[0] == "test/acc: 2 of 20 runs have no value: no shares."
    assert not answer.tables
    assert summary.groups[0].measured["test/acc"].interval is None


def test_equal_runs_have_no_variance_to_share(tmp_path: Path) -> None:
    write_crossed(tmp_path, same=True)
    answer = explain_variance(summarise(read_sweep(tmp_path)), ENGLISH)
    assert answer is not None
    assert answer.sentences[0] == "test/acc: all 20 runs are equal."
    assert not answer.charts


def test_the_page_is_whole_in_spanish(tmp_path: Path) -> None:
    write_crossed(tmp_path, absent=("seeds.order", "seeds.noise"))
    write_report(tmp_path, "es")
    page = (tmp_path / "report.es.html").read_text()
    assert "Con los datos fijos, ve el" in page
    assert "no existe esta fuente, porque cada época es un solo lote" in page
    assert "pesos iniciales × datos" in page


def test_seeds_that_vary_together_are_no_crossing(tmp_path: Path) -> None:
    for seed in range(4):
        write_run(tmp_path, [f"seed={seed}", f"data.seed={seed}"], {"test/acc": 0.9 + 0.01 * seed})
    summary = summarise(read_sweep(tmp_path))
    assert explain_variance(summary, ENGLISH) is None
    assert summary.groups[0].measured["test/acc"].interval is not None
