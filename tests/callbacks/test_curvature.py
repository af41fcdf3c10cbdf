"""The curvature of a run while it trains: what is logged, alone and vectorized, and that the run stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from probeta.callbacks.curvature import QUANTITIES, Curvature
from probeta.errors import ConfigError
from tests.vectorized.runs import Alone, assert_same_run, changed, train_together, tree_of

NODE: dict[str, Any] = {
    "_target_": "probeta.callbacks.curvature.Curvature", "every_n_epochs": 2, "quantities": list(QUANTITIES),
    "examples": 64, "tolerance": 1e-4, "steps": 40, "draws": 4,
}  # fmt: skip
MOONS = ("experiment=moons_mlp", "data.n_samples=120", "model.width=8", "trainer.max_epochs=4")
RUNS = {
    "gradient descent": MOONS,
    "momentum, batch norm": (*MOONS, "optimizer.momentum=0.9", "model.batch_norm=true"),
    "Adam, dropout, shuffled": (*MOONS, "optimizer=adam", "model.dropout=0.2", "data.batch_size=16"),
    "translator": (
        "experiment=toy_seq2seq_attn", "trainer.max_epochs=3", "model.hidden_size=4",
        "model.encoder.embedding_size=3", "model.decoder.embedding_size=3", "recipe.decode_every=100",
    ),
}  # fmt: skip


def with_curvature(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return changed(tree, {"callbacks.curvature": {**NODE, **changes}})


@pytest.mark.parametrize("name", RUNS)
def test_the_run_is_bit_for_bit_the_one_without(name: str) -> None:
    tree = tree_of(*RUNS[name])
    plain, measured = Alone(tree), Alone(with_curvature(tree))
    assert plain.error is None
    for (_, row), (_, more) in zip(plain.rows, measured.rows, strict=True):
        assert {key: value for key, value in more.items() if not key.startswith("curvature/")} == row
    assert all(torch.equal(w, measured.weights[key]) for key, w in plain.weights.items())
    names = [{key for key in row if key.startswith("curvature/")} for _, row in measured.rows]
    assert names[0] == names[2]
    assert not names[1]
    assert {"curvature/largest", "curvature/relative", "curvature/trace", "curvature/alpha"} <= names[0]


@pytest.mark.parametrize("name", [n if n != "translator" else pytest.param(n, marks=pytest.mark.slow) for n in RUNS])
def test_members_are_measured_as_single_runs(name: str) -> None:
    """All but the critical batch, the inverse of `signal_to_noise`: where that is nearly 0, rounding decides on it."""
    trees = [with_curvature(changed(tree_of(*RUNS[name]), {"seed": seed})) for seed in (1, 2)]
    for tree, member in zip(trees, train_together(trees), strict=True):
        alone = Alone(tree)
        for _, row in (*member.rows, *alone.rows):
            row.pop("curvature/critical_batch", None)
        assert_same_run(member, alone, 2e-3)


@pytest.mark.parametrize(("name", "tolerance"), [("gradient descent", 1e-7), ("momentum, batch norm", 1e-5)])
def test_a_member_s_curvature_does_not_depend_on_its_company(name: str, tolerance: float) -> None:
    """But for rounding: sums over several members' numbers are taken in another order."""
    trees = [with_curvature(changed(tree_of(*RUNS[name]), {"seed": s, "data.seed": s % 2})) for s in range(5)]
    together = train_together(trees)
    for few in (trees[:2], trees[3:]):
        for member in train_together(few):
            [same] = [m for m in together if m.tree["seed"] == member.tree["seed"]]
            for (_, mine), (_, theirs) in zip(member.rows, same.rows, strict=True):
                assert mine == pytest.approx(theirs, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(
    "wrong", [{"every_n_epochs": 0}, {"quantities": ["bigest"]}, {"tolerance": 0.0}, {"steps": 1}, {"draws": 1},
              {"examples": 1}],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Curvature(**wrong)
