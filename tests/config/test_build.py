"""What a run draws, and from which of its seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from probeta.config.build import build_data, build_model, check, resolve_config
from probeta.nn.dropout import dropouts, reseed

KINDS = {
    "points": ["data=moons", "data.n_samples=60", "data.batch_size=10", "model.dropout=0.5", "trainer=cpu"],
    "text": ["model.encoder.dropout=0.5", "model.teacher_forcing_ratio=0.5", "trainer=cpu"],
}


def draws(tree: dict[str, Any]) -> dict[str, list[Any]]:
    """The initial weights, the order of two epochs' batches, and what training draws, as numbers."""
    data = build_data(tree)
    model: Any = build_model(tree, data.spec)
    generators = [torch.rand(2).tolist(), np.random.rand(2).tolist()]
    orders = [[list(rows) for rows in data.batches("train", shuffle_seed=data.shuffle_seed).plan(e)] for e in (0, 1)]
    noise: list[Any] = [*generators]
    for step in (0, 1):
        reseed(model.net, model.seed, step)
        noise += [int(layer.key) for layer in dropouts(model.net)]
        noise += [model.draw_forced(9, model.seed, step).tolist()] if hasattr(model, "draw_forced") else []
    return {"init": [p.tolist() for p in model.parameters()], "order": orders, "noise": noise}


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_of_its_own_changes_what_it_names_and_nothing_else(configure, kind: str) -> None:
    base, other = (draws(resolve_config(configure(*KINDS[kind], f"seed={seed}"))) for seed in (1, 2))
    for name in base:
        changed = draws(resolve_config(configure(*KINDS[kind], "seed=1", f"seeds.{name}=2")))
        assert changed == {**base, name: other[name]}
        assert base[name] != other[name]


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_one_number_are_the_run_of_that_seed(configure, kind: str) -> None:
    own = [f"seeds.{name}=2" for name in ("init", "order", "noise")]
    assert draws(resolve_config(configure(*KINDS[kind], "seed=1", *own))) == draws(
        resolve_config(configure(*KINDS[kind], "seed=2"))
    )


def test_a_logger_that_is_null_is_none(configure: Any) -> None:
    config = configure("data=moons", "logger.tensorboard=null")
    check(config)
    assert list(resolve_config(config)["logger"]) == ["csv"]
    assert resolve_config(configure("data=moons", "logger=none"))["logger"] is None


def test_loggers_are_chosen_by_name_one_or_several(configure: Any) -> None:
    default = resolve_config(configure("data=moons"))["logger"]
    assert list(default) == ["csv", "tensorboard"]
    assert resolve_config(configure("data=moons", "logger=[csv,tensorboard]"))["logger"] == default
    assert list(resolve_config(configure("data=moons", "logger=[tensorboard]"))["logger"]) == ["tensorboard"]
