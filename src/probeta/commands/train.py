"""`probeta train`: one run, or a multirun with -m or a study."""

from __future__ import annotations

import logging
import shlex
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from probeta.commands.front import launch
from probeta.errors import ConfigError, RunDirectoryError
from probeta.importing import uncollected
from probeta.run import COMPLETED, Interrupted, RunDirectory, execute, read_result


def main(argv: list[str]) -> int:
    resumed = [a.removeprefix("resume=") for a in argv if a.startswith("resume=") and a != "resume=null"]
    if resumed:
        others = [a for a in argv if not a.startswith("resume=")]
        if others:
            raise ConfigError(
                f"{others[0]} is not accepted: a resumed run keeps its configuration, resume=DIR stands alone"
            )
        result = resume(resumed[-1])
    else:
        with uncollected():
            from probeta.build import check

        result = launch("train", task, argv, check)
    if isinstance(result, dict) and result.get("status") == COMPLETED:
        from probeta.commands.outcome import show

        show(Path(result["path"]))
    return 0


def task(config: DictConfig) -> dict[str, Any]:
    """What Hydra's launchers call for every job: train in the job's directory."""
    hydra = HydraConfig.get()
    return run_in(
        Path(hydra.runtime.output_dir),
        config,
        overrides=list(hydra.overrides.task),
        launcher=str(hydra.runtime.choices.get("hydra/launcher", "basic")),
        multirun=hydra.mode == RunMode.MULTIRUN,
    )


def run_in(path: Path, config: DictConfig, **how: Any) -> dict[str, Any]:
    from probeta.fit import train

    multirun = how.get("multirun", False)
    try:
        result = execute(partial(train, multirun=multirun), config, path, **how)
    except Interrupted as interruption:
        again = shlex.join(["probeta", "train", f"resume={path}"])
        if not multirun and RunDirectory(path).last.is_file():
            interruption.add_note(f"go on with: {again}")
        raise
    return {**result, "path": str(path)}


def resume(directory: str) -> dict[str, Any]:
    """Continue the run in `directory` from its last checkpoint, as if it had never stopped."""
    run = RunDirectory.existing(directory)
    before = read_result(run.path) or {}
    if before.get("status") == COMPLETED:
        raise RunDirectoryError(f"resume={directory} is completed: there is nothing left to do")
    if not run.last.is_file():
        raise RunDirectoryError(f"resume={directory} has no checkpoints/last.ckpt: start the run again")
    overrides = run.path / ".hydra" / "overrides.yaml"
    console()
    return run_in(run.path, run.load_config(), overrides=list(OmegaConf.load(overrides)))


def console() -> None:
    """The log lines that Hydra's own start would have set up."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
