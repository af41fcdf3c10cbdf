"""Sweeps of the small program inside the test process: seconds less than a process each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton

from hydra_plugins.probeta_sweeper.sweeper import register
from probeta.composition.job import Command
from tests.sweeps.app import program

CONF = Path(program.__file__).parent / "conf"


@pytest.fixture
def hydra() -> Iterator[Hydra]:
    """The program's configuration, opened as its command line opens it."""
    Plugins.instance()  # puts Hydra's own launcher where configurations are found: once, however often this is undone
    state = Singleton.get_state()
    version.setbase("1.3")
    GlobalHydra.instance().clear()
    register()
    yield Hydra.create_main_hydra2("program", create_config_search_path(str(CONF)))
    GlobalHydra.instance().clear()
    Singleton.set_state(state)


@pytest.fixture
def sweep(hydra: Hydra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`sweep("model.width=2,4", …)` as a multirun in `tmp_path`; returns job name → result."""
    monkeypatch.chdir(tmp_path)
    command = Command("program", program.task, program.refuse_negative)

    def run(*overrides: str) -> Any:
        lines = [*overrides, "hydra.mode=MULTIRUN"]
        return hydra.multirun("config", command, lines, with_log_configuration=False)

    return run
