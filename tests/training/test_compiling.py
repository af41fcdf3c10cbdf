"""`compile=true`: the same training to rounding, weights under the same names, a line where there is no compiler."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from probeta.errors import ConfigError
from probeta.inference.load_run import load_run
from probeta.training.compiling import COMPILERS

MOONS = ["data=moons", "data.n_samples=100", "trainer.max_epochs=3", "trainer=cpu", "model.dropout=0.2"]


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C++ compiler")
def test_a_compiled_net_trains_alike_and_its_weights_load_anywhere(
    train: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    compiled = train(*MOONS, "compile=true", into="compiled")
    plain = train(*MOONS, into="plain")
    assert compiled["status"] == "completed", compiled["error"]
    assert compiled["metrics"]["train/loss"] == pytest.approx(plain["metrics"]["train/loss"], rel=1e-4)
    weights = {name: load_run(tmp_path / name).model.state_dict() for name in ("compiled", "plain")}
    assert list(weights["compiled"]) == list(weights["plain"])
    for name, weight in weights["plain"].items():
        torch.testing.assert_close(weights["compiled"][name], weight, rtol=1e-3, atol=1e-4)
    longer = [override.replace("max_epochs=", "max_epochs=1") for override in MOONS]
    resumed = train(*longer, "compile=true", into="compiled", multirun=False)
    assert resumed["status"] == "completed", resumed["error"]


def test_without_a_compiler_a_line_says_so(
    train: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="compile=true needs a C"):
        train(*MOONS, "compile=true")


@pytest.mark.parametrize("model", ["seq2seq_attn", "transformer"])
def test_a_translator_s_batches_do_not_keep_one_shape(train: Callable[..., dict[str, Any]], model: str) -> None:
    with pytest.raises(ConfigError, match="compile=true is for nets whose batches keep one shape"):
        train(f"model={model}", "trainer=cpu", "compile=true")


def test_only_true_and_false_are_accepted(train: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ConfigError, match="compile=yes please"):
        train(*MOONS, "compile=yes please")
