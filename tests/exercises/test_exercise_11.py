from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from probeta.exercises import answer, exercise_11
from probeta.exercises.exercise_11 import BASELINE, REGULARISED, diagram
from probeta.report.answer import Verdict
from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.runs.row import RunRow
from probeta.runs.table import SweepRuns, read_sweep
from tests.exercises.conftest import Exercise, runs, table


def ece(logits: np.ndarray, y: np.ndarray) -> float:
    p = softmax(logits, axis=1)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for b in range(15):
        own = (confidence >= b / 15) & ((confidence < (b + 1) / 15) | (b == 14))
        if own.any():
            total += own.mean() * abs(right[own].mean() - confidence[own].mean())
    return total


def test_calibration_errors_before_and_after_scaling_are_those_of_the_predictions(exercise: Exercise) -> None:
    folder = exercise(11)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        with np.load(path / "artifacts" / "predictions.npz") as arrays:
            a = {name: arrays[name].astype(float) for name in arrays.files}
        y, val_y = a["test_y"].astype(int), a["val_y"].astype(int)

        def loss(log_t: float, z: np.ndarray = a["val_logits"], y: np.ndarray = val_y) -> float:
            return float(-log_softmax(z / np.exp(log_t), axis=1)[np.arange(len(y)), y].mean())

        best = np.exp(minimize_scalar(loss, bounds=np.log([0.01, 100]), method="bounded", options={"xatol": 1e-9}).x)
        own = rows[path.name]
        assert float(own["test/temperature"]) == pytest.approx(best, rel=1e-4)
        assert float(own["test/ece"]) == pytest.approx(ece(a["test_logits"], y), abs=1e-6)
        scaled = ece(a["test_logits"] / float(own["test/temperature"]), y)
        assert float(own["test/ece_scaled"]) == pytest.approx(scaled, abs=1e-6)


def test_the_diagram_pools_the_predictions_of_all_seeds(exercise: Exercise) -> None:
    own = [run for run in read_sweep(exercise(11)).runs if run.variant == "baseline"]
    confidence, right = [], []
    for run in own:
        with np.load(run.path / "artifacts" / "predictions.npz") as arrays:
            p = softmax(arrays["test_logits"].astype(float), axis=1)
            confidence += p.max(axis=1).tolist()
            right += (p.argmax(axis=1) == arrays["test_y"]).tolist()
    place = np.minimum((np.array(confidence) * 15).astype(int), 14)
    full = [b for b in range(15) if (place == b).sum() >= 5]
    found = diagram(own, scaled=False)
    assert found is not None
    assert found["x"] == pytest.approx([np.array(confidence)[place == b].mean() for b in full], abs=1e-4)
    assert found["mean"] == pytest.approx([np.array(right)[place == b].mean() for b in full], abs=1e-4)


def test_a_comparison_has_one_verdict_on_the_page() -> None:
    noise, seen = np.random.default_rng(0), set()
    for _ in range(30):
        runs = [
            RunRow(f"{variant} {seed}", Path("/none"), "completed", seeds={"seed": seed}, variant=variant,
                metrics={m: float(noise.normal(0.1 - 0.01 * i, 0.01)) for m in ("test/ece", "test/ece_scaled")})
            for i, variant in enumerate((BASELINE, *REGULARISED)) for seed in range(8)
        ]  # fmt: skip
        summary = summarise(SweepRuns(Path("/none"), runs, {"reference": BASELINE, "metrics": ["test/ece"]}, []))
        claims = answer(exercise_11, summary, Language("en")).claims
        for comparison, claim in zip(summary.comparisons, claims, strict=False):
            assert claim.statement == f"{comparison.a} is better calibrated than the baseline."
            verdict = Verdict.OPEN
            if comparison.differs:
                verdict = Verdict.HOLDS if comparison.difference < 0 else Verdict.FAILS
            assert claim.verdict is verdict
            seen.add((verdict, comparison.only_alone))
        # Pairs of variants in two quantities, and each variant before and after scaling.
        assert {c.family for c in summary.comparisons} == {6 + 6 + 4}
    assert {(Verdict.OPEN, True), (Verdict.OPEN, False), (Verdict.HOLDS, False)} <= seen
