from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from probeta.config.build import make, resolve_config
from probeta.curvature.loss import StackedLoss, flatten_trained
from probeta.figures.probes import probe_figures
from probeta.inference.probe import make_subject
from probeta.probes.probe import Row, write_measurements
from probeta.runs.artifacts import Artifacts

SMALL = ["probe.points=5", "probe.line_points=7", "data.n_samples=60", "model.width=4"]


def of_plane(rows: list[Row], plane: str, seed: int) -> list[Row]:
    return [row for row in rows if row["plane"] == plane and row["seed"] == seed]


def test_each_net_has_a_line_and_a_plane_around_its_weights(
    configure: Callable[..., DictConfig], tmp_path: Path
) -> None:
    tree = resolve_config(configure("probe=landscape", "probe.seeds=2", *SMALL, config="probe"))
    subject, _ = make_subject(tree)
    probe = make(tree, "probe")
    found = probe.measure(1, subject)
    torch.manual_seed(99)
    assert found.rows == probe.measure(1, subject).rows
    batch = subject.examples(256, torch.device("cpu"))
    for net in subject.nets(1, 2):
        at = float(StackedLoss.of([net.model], torch.float64).at(batch).loss.detach())
        for plane, count in (("line", 7), ("random", 25)):
            rows = of_plane(found.rows, plane, net.seed)
            assert len(rows) == count
            assert rows[count // 2]["loss"] == pytest.approx(at, rel=1e-12)
    assert 0 <= found.metrics["landscape/negative_share"] <= 1
    write_measurements(tmp_path / "measurements.csv", "landscape", found.rows)
    assert list(probe_figures(tmp_path / "measurements.csv")) == ["lines", "plane"]


def test_a_run_s_path_has_a_plane_of_its_own(
    configure: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = resolve_config(configure("probe=landscape", *SMALL, config="probe"))
    subject, _ = make_subject(tree)
    model = subject.build(1)
    trained: Any = type(subject)(lambda seed: model, subject.batch, subject.data, trained=True)
    probe = make(tree, "probe")
    probe.run = str(tmp_path)
    assert "kept no path" in probe.measure(1, trained).report[-1]
    generator = torch.Generator().manual_seed(1)
    flat = flatten_trained(model)
    path = flat + torch.randn(4, len(flat), generator=generator).cumsum(0).flip(0) * 0.1
    Artifacts(tmp_path / "artifacts").write({"path": {"epoch": np.arange(4), "weights": path.numpy()}})
    found = probe.measure(1, trained)
    assert [row["epoch"] for row in of_plane(found.rows, "trajectory", 1)] == [0, 1, 2, 3]
    assert len(of_plane(found.rows, "path", 1)) == 25
    write_measurements(tmp_path / "measurements.csv", "landscape", found.rows)
    assert list(probe_figures(tmp_path / "measurements.csv")) == ["lines", "plane", "path"]
