from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from probeta.config.build import make, resolve_config
from probeta.curvature.loss import StackedLoss
from probeta.inference.probe import make_subject
from probeta.probes.curvature import CurvatureProbe
from probeta.probes.probe import Row
from tests.curvature.subjects import Dense, to_double
from tests.curvature.subjects import make as make_small


def test_the_same_seed_measures_the_same(configure: Callable[..., DictConfig]) -> None:
    tree = resolve_config(configure("probe=curvature", "probe.seeds=2", "data.n_samples=60", config="probe"))
    subject, *_ = make_subject(tree)
    probe = make(tree, "probe")
    first = probe.measure(1, subject)
    torch.manual_seed(99)
    second = probe.measure(1, subject)
    assert first.rows == second.rows
    assert {row["matrix"] for row in first.rows} == {"hessian", "gauss_newton", ""}
    assert first.metrics["curvature/largest"] > 0 > first.metrics["curvature/smallest"]
    weights = [
        row["weight"]
        for row in first.rows
        if row["quantity"] == "density" and (row["seed"], row["matrix"]) == (1, "hessian")
    ]
    assert sum(weights) == pytest.approx(1.0)


@pytest.mark.parametrize(("steps", "density_steps"), [(30, 5), (5, 30)])
def test_no_group_of_nets_takes_more_vectors_than_fit(
    steps: int, density_steps: int, configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [f"probe.steps={steps}", f"probe.density_steps={density_steps}", "probe.draws=2", "probe.seeds=3"]
    tree = resolve_config(configure("probe=curvature", *settings, "data.n_samples=60", "model.width=4", config="probe"))
    subject, *_ = make_subject(tree)
    probe = make(tree, "probe")
    together = probe.measure(1, subject)
    size = sum(p.numel() for p in subject.build(1).parameters())
    groups = []

    def measure_nets(loss: StackedLoss, batch: object, seeds: list[int], *settings: Any) -> list[Row]:
        groups.append(seeds)
        return CurvatureProbe.measure_nets(probe, loss, batch, seeds, *settings)

    monkeypatch.setattr(probe, "measure_nets", measure_nets)
    monkeypatch.setattr("probeta.probes.curvature.MOST_BYTES", 2 * 30 * size * 8)
    apart = probe.measure(1, subject)
    assert groups == [[1, 2], [3]]
    assert apart.metrics == pytest.approx(together.metrics, rel=1e-6)


@pytest.mark.parametrize(("large", "nets", "draws", "dtype"), [(1000, 8, 16, "float64"), (10, 2, 4, "float32")])
def test_defaults_follow_the_size_of_the_net_and_are_told(
    large: int, nets: int, draws: int, dtype: str, configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probeta.probes.curvature.LARGE", large)
    settings = ["data.n_samples=60", "model.width=4", "probe.density_steps=5"]
    tree = resolve_config(configure("probe=curvature", *settings, config="probe"))
    subject, *_ = make_subject(tree)
    found = make(tree, "probe").measure(1, subject)
    hessian = [row for row in found.rows if row["matrix"] == "hessian" and row["quantity"] == "density"]
    assert len(hessian) == nets * draws * 5
    assert f"mean over {nets} nets" in found.report[0]
    assert f"22 parameters in {dtype}, 36 examples" in found.report[1]
    assert f"{draws} random vectors of 5 products" in found.report[1]


def test_traces_lie_within_their_standard_errors(configure: Callable[..., DictConfig]) -> None:
    subject = make_small("mlp", configure)
    found = CurvatureProbe(seeds=1, examples=8, draws=32, density_steps=8).measure(1, subject)
    dense = Dense(subject.build(1), to_double(subject.examples(8, torch.device("cpu"))))
    [row] = [row for row in found.rows if (row["matrix"], row["quantity"]) == ("hessian", "trace")]
    assert abs(row["value"] - float(dense.hessian().trace())) <= 3 * row["error"]
