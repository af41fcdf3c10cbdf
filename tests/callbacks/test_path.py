"""The weights that a run goes through: which are kept, alone and vectorized, and that the run stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probeta.callbacks.path import WeightPath
from probeta.config.build import build_data
from probeta.curvature.loss import flatten_trained
from probeta.errors import ConfigError
from probeta.runs.artifacts import Artifacts
from tests.vectorized.runs import Alone, assert_same_run, changed, members_of, train_together, tree_of

NODE: dict[str, Any] = {"_target_": "probeta.callbacks.path.WeightPath", "every_n_epochs": 1, "most": 4}
MOONS = ("experiment=moons_mlp", "data.n_samples=120", "model.width=4", "trainer.max_epochs=9", "optimizer=adam")


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> list[WeightPath]:
    """Those of single runs."""
    begun: list[WeightPath] = []
    start = WeightPath.on_train_start

    def remember(self: WeightPath, *args: Any) -> None:
        begun.append(self)
        start(self, *args)

    monkeypatch.setattr(WeightPath, "on_train_start", remember)
    return begun


def test_a_long_path_is_thinned_evenly() -> None:
    path = WeightPath(most=4)
    for epoch in range(25):
        path.keep(epoch, torch.tensor([float(epoch)]))
    assert list(path.kept) == [0, 8, 16, 24]
    resumed = WeightPath(most=4)
    resumed.load_state_dict(path.state_dict())
    for epoch in range(25, 40):
        resumed.keep(epoch, torch.tensor([float(epoch)]))
    assert {epoch: float(w) for epoch, w in resumed.kept.items()} == {0: 0.0, 16: 16.0, 32: 32.0}


def test_the_run_is_bit_for_bit_the_one_without(paths: list[WeightPath]) -> None:
    tree = changed(tree_of(*MOONS, "model.dropout=0.2", "data.batch_size=16"), {})
    plain, kept = Alone(tree), Alone(changed(tree, {"callbacks.path": NODE}))
    assert plain.error is None
    assert plain.rows == kept.rows
    assert all(torch.equal(w, kept.weights[key]) for key, w in plain.weights.items())
    assert list(paths[-1].kept) == [0, 4, 8]


def test_members_go_the_ways_of_single_runs(paths: list[WeightPath], tmp_path: Path) -> None:
    trees = [changed(tree_of(*MOONS), {"callbacks.path": {**NODE, "points": 5}, "seed": seed}) for seed in (1, 2)]
    members = train_together(trees)
    for tree, member in zip(trees, members, strict=True):
        alone = Alone(tree)
        assert_same_run(member, alone, 1e-5)
        assert member.path is not None
        assert list(member.path.kept) == list(paths[-1].kept) == [0, 4, 8]
        for mine, theirs in zip(member.path.kept.values(), paths[-1].kept.values(), strict=True):
            assert torch.allclose(mine, theirs, atol=1e-5)
        [fresh] = members_of([tree])
        assert torch.equal(member.path.kept[0], flatten_trained(fresh.model))

    member = members[0]
    member.model.load_state_dict(member.weights, strict=False)
    artifacts = Artifacts(tmp_path)
    metrics = member.path.finish(member.model, build_data(trees[0]), artifacts)  # type: ignore[union-attr]
    assert set(metrics) == WeightPath(points=5).reported()
    assert WeightPath().reported() == set()
    kept, planes = artifacts.read("path"), artifacts.read("landscape")
    assert kept["weights"].shape == (3, sum(p.numel() for p in member.model.parameters()))
    assert planes["loss"].shape == planes["path_loss"].shape == (5, 5)
    # Both planes hold the kept weights: one in its middle, the other where its coordinates are 0.
    assert np.isfinite(planes["path_at"]).all()
    assert planes["path_a"][0] < 0 < planes["path_a"][-1]


@pytest.mark.parametrize(
    "wrong", [{"every_n_epochs": 0}, {"most": 2}, {"points": 4}, {"points": 3}, {"extent": 0.0}, {"examples": 1}]
)
def test_what_cannot_be_kept_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        WeightPath(**wrong)
