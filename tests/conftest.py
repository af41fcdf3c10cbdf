"""What tests of whole runs share: composing as the command line does, and running in a folder of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Tests check results, not speed; one thread each leaves the other cores to other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

# What is tried at random at a desk is tried in the same order in continuous integration.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


# Under nohup it is ignored, which runs respect.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def configure() -> Callable[..., DictConfig]:
    """`configure("data=moons", …)` → the configuration that `probeta train data=moons …` composes."""
    from probeta.commands.plugins import register_plugins
    from probeta.composition.app import register_resolvers

    register_resolvers()
    register_plugins()

    def configured(*overrides: str, config: str = "train") -> DictConfig:
        # Closed again at once: there is one Hydra per process, and other tests run the command line in this one.
        with initialize_config_module("probeta.conf", version_base="1.3"):
            return compose(config, list(overrides))

    return configured


@pytest.fixture
def train(configure: Callable[..., DictConfig], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`train("data=moons", …, into="a")` runs in `tmp_path/a` and returns what `result.json` holds."""
    from functools import partial

    from probeta.runs.record import execute
    from probeta.training.fit import train as job

    def run(*overrides: str, into: str = "run", multirun: bool = False) -> dict[str, Any]:
        config = configure(*overrides, "figures=none")
        folder = tmp_path / into / ".hydra"
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml")
        OmegaConf.save(OmegaConf.create(list(overrides)), folder / "overrides.yaml")
        return execute(partial(job, multirun=multirun), config, tmp_path / into, overrides=list(overrides))

    return run
