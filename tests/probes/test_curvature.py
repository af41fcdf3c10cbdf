from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig

from probeta.config.build import make, resolve_config
from probeta.curvature.loss import StackedLoss
from probeta.inference.probe import make_subject
from probeta.probes.curvature import CurvatureProbe
from probeta.probes.probe import Row


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

    def measure_nets(loss: StackedLoss, batch: object, seeds: list[int]) -> list[Row]:
        groups.append(seeds)
        return CurvatureProbe.measure_nets(probe, loss, batch, seeds)

    monkeypatch.setattr(probe, "measure_nets", measure_nets)
    monkeypatch.setattr("probeta.probes.curvature.MOST_BYTES", 2 * 30 * size * 8)
    apart = probe.measure(1, subject)
    assert groups == [[1, 2], [3]]
    assert apart.metrics == pytest.approx(together.metrics, rel=1e-6)
