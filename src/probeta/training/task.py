"""A training as a job: what Hydra's launchers call, and what goes on with a run that was cut."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from probeta.errors import RunDirectoryError
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import config_sha256
from probeta.runs.reading import Damaged, read_lines
from probeta.runs.record import COMPLETED, check_recorded, execute, read_result
from probeta.runs.signals import Interrupted
from probeta.training.inputs import Inputs

log = logging.getLogger(__name__)


def task(config: DictConfig) -> dict[str, Any]:
    """What Hydra's launchers call for every job: train in the job's directory."""
    hydra, sha256 = HydraConfig.get(), config_sha256(config)
    if hydra.job.chdir:
        config = record_places(config, RunDirectory(Path(hydra.runtime.output_dir)), hydra.runtime.cwd)
    return run_in(
        Path(hydra.runtime.output_dir),
        config,
        sha256=sha256,
        overrides=list(hydra.overrides.task),
        launcher=str(hydra.runtime.choices.get("hydra/launcher", "basic")),
        multirun=hydra.mode == RunMode.MULTIRUN,
    )


def record_places(config: DictConfig, run: RunDirectory, folder: str) -> DictConfig:
    """What the data's relative paths mean in `folder`, where the command was given: the run works in its own.

    Returns `config` with the folders that data are written to as they were meant; those that are read are recorded.
    """
    from probeta.config.trust import get_trusted, resolve

    data = config.data
    kind = resolve(data._target_, "data", get_trusted({"trust": config.get("trust")}))

    def meant(keys: Sequence[str]) -> dict[str, str]:
        given = {key: os.path.expanduser(data[key]) for key in keys if isinstance(data.get(key), str)}
        return {key: os.path.join(folder, path) for key, path in given.items()}

    if places := meant(getattr(kind, "located", ())):
        run.artifacts.write({"data": places})
    return cast(DictConfig, OmegaConf.merge(config, {"data": meant(getattr(kind, "writes", ()))}))


def run_in(path: Path, config: DictConfig, **how: Any) -> dict[str, Any]:
    from probeta.training.fit import train

    multirun = how.get("multirun", False)
    try:
        result = execute(partial(train, multirun=multirun), config, path, **how)
    except Interrupted as interruption:
        trust = [f"trust=[{','.join(config.trust)}]"] if config.get("trust") else []
        again = shlex.join(["probeta", "train", f"resume={path}", *trust])
        if not multirun and RunDirectory(path).last.is_file():
            interruption.add_note(f"go on with: {again}")
        raise
    return {**result, "path": str(path)}


def resume(directory: str, trust: Sequence[str] = ()) -> dict[str, Any]:
    """Continue the run in `directory` from its last checkpoint, as if it had never stopped."""
    run = RunDirectory.existing(directory)
    set_up_logging()
    try:
        before = read_result(run.path) or {}
    except Damaged as damage:
        log.warning("%s; it is written anew", damage)
        before = {}
    if before.get("status") == COMPLETED:
        raise RunDirectoryError(f"resume={directory} is completed: there is nothing left to do")
    if not run.last.is_file():
        raise RunDirectoryError(f"resume={directory} has no checkpoints/last.ckpt: start the run again")
    from probeta.config.build import resolve_config
    from probeta.config.trust import adopt, relocate

    kept = run.load_config()
    check_recorded(run, kept, before)
    tree = adopt(resolve_config(kept), trust)
    Inputs().refuse_changed(run, relocate(tree, run.recorded_places()), ways="start it again, or put them back")
    config = OmegaConf.create(tree)
    try:
        overrides = before.get("overrides") or read_lines(run.path / ".hydra" / "overrides.yaml") or []
    except Damaged as damage:
        log.warning("%s; the run goes on by its config.yaml, and result.json will name no overrides", damage)
        overrides = []
    return run_in(run.path, config, overrides=overrides, sha256=config_sha256(kept))


def set_up_logging() -> None:
    """The log lines that Hydra's own start would have set up."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
