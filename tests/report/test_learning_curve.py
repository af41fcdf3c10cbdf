from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probeta.report.language import Language
from probeta.report.learning_curve import explain_learning
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep
from probeta.stats.power_law import fit_power_law
from probeta.sweeps.report import write_report
from tests.report.synthetic import write_run

SIZES = (20, 60, 180, 540)


def write_curves(root: Path, key: str = "data.limit", models: tuple[str, ...] = ("mlp",)) -> dict[str, dict]:
    rng, written = np.random.default_rng(0), {}
    for at, model in enumerate(models):
        curves = written.setdefault(model, {})
        for seed in range(4):
            for n in SIZES:
                loss = (0.1 * at + 3 * n**-0.6) * float(np.exp(rng.normal(0, 0.02)))
                curves.setdefault(seed, {})[n] = loss
                metrics = {"test/loss": loss, "test/acc": 1 - loss / 4, "best_epoch": 3.0}
                lines = [f"model={model}", f"{key}={n}", f"seed={seed}", f"data.seed={seed}"]
                write_run(root, lines, metrics, extra={"examples": {"train": n, "test": 50}})
    return written


@pytest.mark.parametrize("key", ["data.limit", "data.n_samples"])
def test_the_answer_is_the_fit_over_the_recorded_sizes(tmp_path: Path, key: str) -> None:
    [curves] = write_curves(tmp_path, key).values()
    answer = explain_learning(summarise(read_sweep(tmp_path)), Language())
    law = fit_power_law(curves)
    assert answer is not None
    assert law is not None
    assert law.interval is not None
    [accuracy, loss] = answer.sentences
    assert accuracy.startswith("1 − test/acc: it falls as n to the power of -0.")
    assert f"power of -{law.exponent:.2g} (95 % interval {law.interval.low:.2g}"[:30] in loss
    [_, chart] = answer.charts
    mean, fitted = chart.data["series"]
    assert mean["x"] == list(SIZES)
    assert mean["mean"] == pytest.approx([np.mean([curves[s][n] for s in curves]) for n in SIZES], rel=1e-4)
    assert fitted["mean"][-1] == pytest.approx(float(law([540])[0]), rel=1e-3)
    assert answer.tables[0].rows[1][1].sort == law.exponent


def test_each_model_has_a_curve_and_the_page_both(tmp_path: Path) -> None:
    write_curves(tmp_path, models=("mlp", "logistic"))
    answer = explain_learning(summarise(read_sweep(tmp_path)), Language("es"))
    assert answer is not None
    assert [s["name"] for s in answer.charts[0].data["series"]] == [
        "logistic", "logistic: ley de potencia", "mlp", "mlp: ley de potencia",
    ]  # fmt: skip
    written = write_report(tmp_path)
    assert "mlp, test/loss: it falls as n" in written.text
    assert "Power laws" in written.page.read_text()


def test_a_sweep_over_something_else_has_no_learning_curve(tmp_path: Path) -> None:
    for width in (2, 4, 8, 16):
        write_run(tmp_path, [f"model.width={width}"], {"test/loss": 1 / width}, extra={"examples": {"train": 100}})
    assert explain_learning(summarise(read_sweep(tmp_path)), Language()) is None
