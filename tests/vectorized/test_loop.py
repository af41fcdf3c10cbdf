"""The promise: a member's curve is the single run's curve."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from probeta.config.build import build_model
from probeta.config.trust import sources_sha256
from probeta.errors import ConfigError
from probeta.models.classifier import MLPClassifier
from probeta.vectorized.train_jobs import MemberBuilder
from tests.vectorized.runs import Alone, assert_same_run, changed, train_together, tree_of

SCHEDULES = {
    "none": None,
    "cosine": {"_target_": "probeta.models.schedules.Cosine", "_partial_": True},
    "by epoch": {"_target_": "probeta.models.schedules.Cosine", "_partial_": True, "interval": "epoch", "length": 4},
    "warmup": {"_target_": "probeta.models.schedules.WarmupCosine", "_partial_": True, "warmup": 0.3},
    "plateau": {"_target_": "probeta.models.schedules.Plateau", "_partial_": True, "patience": 1, "threshold": 0.1},
}
OPTIMIZER_NODES: list[dict[str, Any]] = [
    {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.2, "momentum": 0.9, "weight_decay": 1e-3},
    {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1, "momentum": 0.8, "nesterov": True},
    {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.01, "weight_decay": 1e-3},
    {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.02, "betas": [0.8, 0.99]},
]


def moons(**changes: Any) -> dict[str, Any]:
    tree = tree_of("experiment=moons_mlp")
    small = {"data.n_samples": 60, "model.width": 5, "trainer.max_epochs": 12, "trainer.precision": "64-true"}
    return changed(tree, {**small, **{k.replace("__", "."): v for k, v in changes.items()}})


MEMBER = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 5),
        "seeds.init": st.sampled_from([None, 3]),
        "seeds.order": st.sampled_from([None, 3]),
        "seeds.noise": st.sampled_from([None, 3]),
        "data.seed": st.sampled_from([42, 7]),
        "optimizer.lr": st.sampled_from([0.01, 0.03, 0.1]),
        "scheduler": st.sampled_from(list(SCHEDULES.values())),
        "callbacks.early_stopping.patience": st.sampled_from([None, 1, 3]),
        "callbacks.early_stopping.monitor": st.sampled_from(["val/loss", "train/loss"]),
        "model.init_scale": st.sampled_from([1.0, 2.0]),
        "model.class_weight": st.sampled_from([None, "balanced", [1.0, 3.0]]),
    }
)
SHARED = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(OPTIMIZER_NODES),
        "model.depth": st.integers(0, 2),
        "model.activation": st.sampled_from(["relu", "gelu", "tanh", "sigmoid"]),
        "model.batch_norm": st.booleans(),
        "model.layer_norm": st.booleans(),
        "model.residual": st.booleans(),
        "data.batch_size": st.sampled_from([None, 17]),
        "trainer.gradient_clip_val": st.sampled_from([None, 0.5]),
        "model.dropout": st.sampled_from([0.0, 0.3]),
    }
)


# Shrinking would train hundreds of runs to make a failing combination smaller.
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate])
@given(shared=SHARED, own=st.lists(MEMBER, min_size=1, max_size=4))
def test_a_member_is_its_single_run(shared: dict[str, Any], own: list[dict[str, Any]]) -> None:
    trees = [changed(changed(moons(), shared), changes) for changes in own]
    for tree, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(tree), 1e-9)


# Batches of 13, 13 and 10: over a batch of two rows, batch norm is little but signs, and amplifies rounding past 1e-9.
KINDS = (
    {"model.batch_norm": False, "model.dropout": 0.0, "data.batch_size": None},
    {"model.batch_norm": True, "model.dropout": 0.2, "data.batch_size": 13},
    {"model.batch_norm": True, "model.dropout": 0.0, "data.batch_size": None},
    {"model.batch_norm": False, "model.dropout": 0.2, "data.batch_size": 13},
)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", range(len(SCHEDULES)), ids=list(SCHEDULES))
@pytest.mark.parametrize("optimizer", range(len(OPTIMIZER_NODES)), ids=["sgd", "nesterov", "adam", "adamw"])
def test_over_200_epochs_a_member_is_its_single_run(optimizer: int, schedule: int) -> None:
    shared = {
        "trainer.max_epochs": 200,
        "optimizer": OPTIMIZER_NODES[optimizer],
        "scheduler": list(SCHEDULES.values())[schedule],
        "callbacks.early_stopping.patience": None,
        **KINDS[(optimizer + schedule) % len(KINDS)],
    }
    own = ({"seed": 0}, {"seed": 1, "optimizer.lr": 0.05}, {"seed": 2, "callbacks.early_stopping.patience": 9})
    trees = [changed(changed(moons(), shared), changes) for changes in own]
    for single, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(single), 1e-9)


def test_members_differ_in_dropout_probability() -> None:
    trees = [moons(model__dropout=p, seed=s, data__batch_size=20) for s, p in enumerate((0.1, 0.5, 0.1))]
    for tree, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(tree), 1e-9)


def test_frozen_weights_stay_as_in_a_single_run(monkeypatch: pytest.MonkeyPatch) -> None:
    built = MLPClassifier.__init__

    def freeze_first(model: MLPClassifier, *arguments: Any, **named: Any) -> None:
        built(model, *arguments, **named)
        next(model.net.parameters()).requires_grad_(False)

    monkeypatch.setattr(MLPClassifier, "__init__", wraps(built)(freeze_first))
    curvature = {"_target_": "probeta.callbacks.curvature.Curvature", "every_n_epochs": 1}
    tree = moons(**{"callbacks.curvature": curvature, "callbacks.gradient_norm": None})
    trees = [changed(tree, {"seed": seed}) for seed in (1, 2)]
    for tree, member in zip(trees, train_together(trees), strict=True):
        name, first = next(iter(build_model(tree, member.data.spec).named_parameters()))
        assert torch.equal(member.weights[name], first)
        assert_same_run(member, Alone(tree), 1e-4)


def test_a_member_that_diverges_fails_alone() -> None:
    trees = [moons(seed=s, optimizer__lr=lr, data__batch_size=20) for s, lr in enumerate((0.1, 1e300, 0.2))]
    members = train_together(trees)
    assert [m.error is None for m in members] == [True, False, True]
    for tree, member in zip(trees, members, strict=True):
        assert_same_run(member, Alone(tree), 1e-9)


def test_an_unknown_monitor_fails_one_member() -> None:
    trees = [moons(seed=s) for s in range(2)]
    trees[1]["callbacks"]["early_stopping"]["monitor"] = "val/los"
    trees[1]["callbacks"]["early_stopping"]["mode"] = "min"
    members = train_together(trees)
    assert members[0].error is None
    assert "did you mean 'val/loss'" in str(members[1].error)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_recurrent_members_are_their_single_runs(cell: str) -> None:
    tree = changed(
        tree_of("experiment=tiny_rnn"),
        {
            "data.length": 5, "data.n_samples": 6, "model.cell": cell, "model.hidden_size": 3,
            "trainer.max_epochs": 8, "trainer.precision": "64-true", "data.batch_size": 4,
        },
    )  # fmt: skip
    trees = [changed(tree, {"seed": s, "optimizer.lr": lr}) for s, lr in ((0, 0.01), (1, 0.1), (0, 0.1))]
    for single, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(single), 1e-9)


def test_logistic_members_are_their_single_runs() -> None:
    tree = changed(
        tree_of("data=separable", "model=logistic"), {"trainer.max_epochs": 10, "trainer.precision": "64-true"}
    )
    trees = [changed(tree, {"seed": s}) for s in range(3)]
    for single, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(single), 1e-9)


@pytest.mark.parametrize("changes", [{}, {"model.encoder.dropout": 0.2, "model.decoder.dropout": 0.1}])
@pytest.mark.parametrize("experiment", ["toy_seq2seq", "toy_seq2seq_attn"])
def test_translators_are_their_single_runs(experiment: str, changes: dict[str, Any]) -> None:
    small = {
        "trainer.max_epochs": 4, "trainer.precision": "64-true", "model.hidden_size": 5, "decoding.every_n_epochs": 2,
        "model.decoding.every_n_epochs": 2, "model.decoding.max_length": 8, "model.encoder.embedding_size": 3,
    }  # fmt: skip
    tree = changed(tree_of(f"experiment={experiment}"), {**small, **changes})
    trees = [changed(tree, {"seed": s, "optimizer.lr": lr}) for s, lr in ((0, 0.01), (1, 0.03))]
    for single, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(single), 1e-9)


def test_teacher_forcing_is_drawn_for_every_member() -> None:
    small = {
        "trainer.max_epochs": 2, "trainer.precision": "64-true", "model.hidden_size": 5,
        "model.decoding.max_length": 8, "model.teacher_forcing_ratio": 0.5,
    }  # fmt: skip
    tree = changed(tree_of("experiment=toy_seq2seq"), small)
    trees = [changed(tree, {"seed": s}) for s in (0, 1)]
    for single, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(single), 1e-9)


def test_the_inputs_of_a_member_are_those_it_was_built_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ownlab.py"
    file.write_text("SIZE = 2")
    monkeypatch.syspath_prepend(tmp_path)
    members, tree = MemberBuilder(), changed(moons(), {"trust": ["ownlab"]})
    member, plain = members.make(tree), members.make(moons())
    before = members.inputs(member)
    assert before == {"data_sha256": member.data.sha256(), "sources_sha256": sources_sha256(["ownlab"])}
    assert members.inputs(plain) == {**before, "sources_sha256": None}
    file.write_text("SIZE = 3")
    assert members.inputs(member) == before
    assert MemberBuilder().inputs(member) != before


def test_a_last_batch_of_one_under_batch_norm_is_refused_as_for_one_run() -> None:
    n = len(MemberBuilder().make(moons()).data.splits["train"].y)
    with pytest.raises(ConfigError, match=f"data.batch_size={n - 1} leaves a last batch of one of the {n}"):
        MemberBuilder().make(moons(model__batch_norm=True, data__batch_size=n - 1))
