"""Single runs and ensembles of the same configurations, to be compared."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from hydra import compose, initialize_config_module
from pytorch_lightning.loggers import Logger
from torch import Tensor

from probeta.callbacks.early_stopping import EarlyStopping
from probeta.commands.plugins import register_plugins
from probeta.composition.app import register_resolvers
from probeta.config.build import build, build_data, build_model, resolve_config
from probeta.data.batches import Batches
from probeta.training.fit import quiet
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.member import Member
from probeta.vectorized.program import Program

BASE = (
    "trainer=cpu", "logger=none", "~callbacks.boundary", "~callbacks.translations",
    "+trainer.enable_progress_bar=false",
)  # fmt: skip


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    register_resolvers()
    register_plugins()
    with initialize_config_module("probeta.conf", version_base="1.3"):
        return resolve_config(compose("train", [*BASE, *overrides]))


def tree_of(*overrides: str) -> dict[str, Any]:
    """A resolved configuration without loggers and pictures; composed once for all that ask for it."""
    return copy.deepcopy(_composed(overrides))


def changed(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`tree` with other values at dotted keys."""
    new: dict[str, Any] = copy.deepcopy(dict(tree))
    for key, value in changes.items():
        *path, name = key.split(".")
        node = new
        for part in path:
            node = node[part]
        node[name] = value
    return new


class Kept(Logger):
    """Rows as they are logged."""

    name, version = "kept", ""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        pass

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.rows.append((int(step or 0), dict(metrics)))


class Alone:
    """The run as Lightning trains it: rows, kept weights, epochs, error."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        quiet()
        experiment = build(dict(tree))
        logger = Kept()
        self.error: Exception | None = None
        trainer = experiment.trainer(
            accelerator="cpu",
            callbacks=list(experiment.callbacks.values()),
            logger=[logger],
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(experiment.model, datamodule=experiment.data)
        except Exception as error:
            self.error = error
        early = experiment.callbacks.get("early_stopping")
        if isinstance(early, EarlyStopping):
            early.restore(experiment.model)
        self.rows = logger.rows
        self.epochs = trainer.current_epoch
        self.weights = {name: w.detach().clone() for name, w in experiment.model.state_dict().items()}


def members_of(trees: Sequence[Mapping[str, Any]]) -> list[Member]:
    members = []
    for tree in trees:
        data = build_data(tree)
        loader: Batches[Any] = data.train
        members.append(Member(tree, data, loader, build_model(tree, data.spec)))
    return members


def train_together(trees: Sequence[Mapping[str, Any]], patience: int = 3) -> list[Member]:
    """The ensemble of `trees`; steps are recorded after `patience` calls, so that both ways are tested."""
    ensemble = Ensemble(members_of(trees), program=Program(patience))
    ensemble.fit()
    return ensemble.members


def assert_same_run(member: Member, alone: Alone, tolerance: float, leave_out: Sequence[str] = ()) -> None:
    """Rows and kept weights agree within `tolerance` (of the tensor's largest entry)."""
    assert type(member.error) is type(alone.error), (member.error, alone.error)
    assert str(member.error) == str(alone.error)
    assert [step for step, _ in member.rows] == [step for step, _ in alone.rows]
    for (_, mine), (_, theirs) in zip(member.rows, alone.rows, strict=True):
        assert list(mine) == list(theirs)
        for name, value in mine.items():
            assert abs(value - theirs[name]) <= tolerance * max(1.0, abs(theirs[name])), (name, value, theirs[name])
    if member.error is not None:
        return
    assert member.epochs == alone.epochs
    for name, theirs in alone.weights.items():
        if name in member.weights and name not in leave_out:
            assert_close(member.weights[name], theirs, tolerance, name)


def assert_close(mine: Tensor, theirs: Tensor, tolerance: float, name: str) -> None:
    if not theirs.is_floating_point():
        assert torch.equal(mine, theirs), name
        return
    scale = float(theirs.abs().max()) if theirs.numel() else 1.0
    assert float((mine - theirs).abs().max()) <= tolerance * max(scale, 1e-3), name
