"""`compile=true`: the same training to rounding, weights under the same names, a line where there is no compiler."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from probeta.compiling import COMPILERS
from probeta.errors import ConfigError
from probeta.load import load_run

MOONS = ["data=moons", "data.n_samples=100", "trainer.max_epochs=3", "trainer=cpu", "model.dropout=0.2"]
TRANSFORMER = ["model=transformer", "trainer=cpu", "trainer.max_epochs=2", "model.hidden_size=8", "model.heads=2"]


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [MOONS, TRANSFORMER], ids=["moons", "transformer"])
@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C++ compiler")
def test_a_compiled_net_trains_alike_and_its_weights_load_anywhere(
    overrides: list[str], train: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    compiled = train(*overrides, "compile=true", into="compiled")
    plain = train(*overrides, into="plain")
    assert compiled["status"] == "completed", compiled["error"]
    assert compiled["metrics"]["train/loss"] == pytest.approx(plain["metrics"]["train/loss"], rel=1e-4)
    weights = {name: load_run(tmp_path / name).model.state_dict() for name in ("compiled", "plain")}
    assert list(weights["compiled"]) == list(weights["plain"])
    for name, weight in weights["plain"].items():
        torch.testing.assert_close(weights["compiled"][name], weight, rtol=1e-3, atol=1e-4)
    longer = [override.replace("max_epochs=", "max_epochs=1") for override in overrides]
    resumed = train(*longer, "compile=true", into="compiled", multirun=False)
    assert resumed["status"] == "completed", resumed["error"]


def test_without_a_compiler_a_line_says_so(
    train: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="compile=true needs a C"):
        train(*MOONS, "compile=true")


def test_a_recurrent_translator_has_nothing_to_compile(train: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ConfigError, match="nothing to compile in RecurrentTranslator"):
        train("trainer=cpu", "compile=true")


def test_only_true_and_false_are_accepted(train: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ConfigError, match="compile=yes please"):
        train(*MOONS, "compile=yes please")
