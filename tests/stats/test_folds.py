"""The corrected resampled t-test: against its formula, and on learners that are equally good."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import ShuffleSplit

from probeta.data.division import Division
from probeta.report.language import Language
from probeta.report.markdown import summary_md
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep
from probeta.stats.comparisons import paired_p
from probeta.stats.intervals import mean_interval
from tests.report.synthetic import write_run


def test_interval_and_p_are_those_of_the_published_formula() -> None:
    d = np.array([0.3, 0.1, 0.25, 0.05, 0.2])
    variance = (1 / 5 + 40 / 120) * d.var(ddof=1)
    t = d.mean() / math.sqrt(variance)
    assert paired_p(d, overlap=40 / 120) == pytest.approx(2 * stats.t.sf(abs(t), 4))
    interval = mean_interval(d, overlap=40 / 120)
    assert interval is not None
    assert interval.ends == pytest.approx(stats.t.interval(0.95, 4, d.mean(), math.sqrt(variance)))
    assert paired_p(d) == pytest.approx(stats.ttest_1samp(d, 0).pvalue)


def lead(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Squared error of least squares on the one feature, less that on the other, which is as good."""
    slopes = (x[train] * y[train, None]).sum(axis=0) / (x[train] ** 2).sum(axis=0)
    first, second = ((y[test, None] - slopes * x[test]) ** 2).mean(axis=0)
    return float(first - second)


@pytest.mark.parametrize("scheme", ["folds", "repeated folds", "random splits"])
def test_learners_that_are_equal_seldom_differ_though_training_sets_overlap(scheme: str) -> None:
    rng = np.random.default_rng(3)
    n, studies = 60, 400
    classes = np.zeros(n, np.int64)
    if scheme == "random splits":
        splits = list(ShuffleSplit(15, test_size=0.2, random_state=0).split(classes))
        overlap = 12 / 48
    else:
        seeds = range(1 if scheme == "folds" else 3)
        divided = [Division(seed, 5, fold).divide(classes) for seed in seeds for fold in range(5)]
        splits = [(rows["train"], rows["test"]) for rows in divided]
        overlap = 12 / 36
    plain = corrected = 0
    for _ in range(studies):
        y = rng.normal(size=n)
        x = y[:, None] + rng.normal(size=(n, 2))
        d = [lead(x, y, train, test) for train, test in splits]
        plain += (paired_p(d) or 1) < 0.05
        corrected += (paired_p(d, overlap=overlap) or 1) < 0.05
    assert corrected <= stats.binom.ppf(0.999, studies, 0.05)
    if scheme != "folds":
        assert plain > 2 * 0.05 * studies


def write_folds(root: Path, seeds: int, lost: bool = False) -> dict[str, np.ndarray]:
    """Two variants × 5 folds × seeds; returns test/loss as `(fold, seed)`."""
    rng = np.random.default_rng(5)
    values = {}
    for width in (8, 16):
        values[f"width={width}"] = 0.5 - 0.002 * width + rng.normal(0, 0.01, (5, 1)) + rng.normal(0, 0.002, (5, seeds))
        for fold, of_fold in enumerate(values[f"width={width}"]):
            for seed, value in enumerate(of_fold):
                lines = [f"model.width={width}", "data.folds=5", f"data.fold={fold}", f"seed={seed}"]
                failed = lost and width == 8 and fold == 2 and seed == 0
                state = {"status": "failed", "error": {"type": "E", "message": ""}} if failed else {}
                facts = {"examples": {"train": 120, "val": 40, "test": 40}, "data_sha256": str(fold)}
                write_run(root, lines, {} if failed else {"test/loss": float(value)}, extra={**facts, **state})
    return values


def test_seeds_of_one_fold_are_averaged_and_folds_compared_by_the_corrected_test(tmp_path: Path) -> None:
    values = write_folds(tmp_path, 3)
    summary = summarise(read_sweep(tmp_path))
    assert [group.variant for group in summary.groups] == ["width=8", "width=16"]
    d = (values["width=16"] - values["width=8"]).mean(axis=1)
    [found] = summary.comparisons
    assert found.seeds == 5
    assert found.p == pytest.approx(paired_p(d, overlap=1 / 3))
    for group in summary.groups:
        interval = group.measured["test/loss"].interval
        expected = mean_interval(values[group.variant].mean(axis=1), overlap=1 / 3)
        assert interval is not None
        assert expected is not None
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
        assert group.measured["test/loss"].n == 15
    text = summary_md(summary, Language())
    assert "s² (1/n + 40/120)" in text
    assert "Corrected resampled t-test" in text
    assert "over 5 shared folds" in text
    assert "40/120" in summary_md(summary, Language("es"))


def test_with_a_failed_run_folds_are_not_tested(tmp_path: Path) -> None:
    write_folds(tmp_path, 2, lost=True)
    summary = summarise(read_sweep(tmp_path))
    [found] = summary.comparisons
    assert found.p is None
    assert summary.failing == ()
    assert summary.groups[0].measured["test/loss"].interval is None
    assert "folds overlap and some of their runs failed" in summary_md(summary, Language())
