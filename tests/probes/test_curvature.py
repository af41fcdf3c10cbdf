from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig

from probeta.inference.probe import make_subject


def test_the_same_seed_measures_the_same(configure: Callable[..., DictConfig]) -> None:
    from probeta.config.build import make, resolve_config

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
