"""Training a finished run further: a new run that begins where the other ended, which stays as it is."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch.optim.lr_scheduler import ReduceLROnPlateau

from probeta.composition.app import begin_run
from probeta.composition.job import to_unresolved, write_hydra
from probeta.config.build import factory, resolve_config
from probeta.config.trust import adopt, relocate
from probeta.errors import ConfigError, RunDirectoryError
from probeta.models.weights import load_archive, weights_sha256
from probeta.report.language import Language
from probeta.report.single import explain_differences
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import config_sha256
from probeta.runs.reading import read_config
from probeta.runs.record import COMPLETED, check_recorded, read_result
from probeta.training.fit import where_to_resume
from probeta.training.inputs import Inputs
from probeta.training.task import run_in, set_up_logging

log = logging.getLogger(__name__)

EPOCHS, PATIENCE = "trainer.max_epochs", "callbacks.early_stopping.patience"
CHANGES = (EPOCHS, PATIENCE)
"""Keys that may be raised: with the larger value the run would have been the same as far as it went."""

CURVES = ("metrics.csv", "device.json", "events.out.tfevents.*", "checkpoints/last.ckpt")
"""What a run goes on from, and adds to."""


def extend(
    directory: str, changes: Mapping[str, Any], places: Sequence[str] = (), trust: Sequence[str] = ()
) -> dict[str, Any]:
    """Train the finished run in `directory` further, in a new directory.

    Args:
        changes: new values of keys in `CHANGES`.
        places: override lines that say where the new directory goes.
        trust: packages of your own that the run's configuration may build from.

    Raises:
        RunDirectoryError: the run is not finished, keeps no `last.ckpt`, or more epochs would change nothing.
        ConfigError: a change is none.
    """
    run = RunDirectory.existing(directory)
    set_up_logging()
    before = read_result(run.path) or {}
    if before.get("status") != COMPLETED:
        raise RunDirectoryError(f"extend={directory} is not finished: resume={directory} goes on with it")
    if not run.last.is_file():
        raise RunDirectoryError(f"extend={directory} has no checkpoints/last.ckpt: only checkpoints=all keeps it")
    kept = run.load_config()
    check_recorded(run, kept, before)
    old = resolve_config(kept)
    checkpoint = load_archive(run.last)
    done = int(where_to_resume(checkpoint)["resume_epochs"] or 0)
    check_changes(directory, old, changes, done, checkpoint)
    refuse_earlier(directory, old, before, checkpoint["state_dict"])
    for key, value in changes.items():
        OmegaConf.update(kept, key, value)
    tree = adopt(resolve_config(kept), trust)
    located = run.recorded_places()
    Inputs().refuse_changed(run, relocate(tree, located), before, ways="put it back, or train anew")
    lines = [line for line in before.get("overrides") or [] if line.partition("=")[0].lstrip("+") not in changes]
    overrides = [*lines, *(f"{key}={value}" for key, value in changes.items())]
    origin = {
        "run": str(run.path),
        "epochs": done,
        "changes": dict(changes),
        "config_sha256": config_sha256(old),
        "follows_length": follows_length(tree),
        "measured_last": measured_last(tree, done),
    }
    new = RunDirectory(begin_run("train", list(places)))
    copy(run, new, kept, overrides)
    new.artifacts.write({"origin": origin} | ({"data": located} if located else {}))
    log.info("Trains %s further, from epoch %d on, in %s.", directory, done, new.path)
    if told := explain_differences(origin, Language("en")):
        log.warning("Not the run of all epochs at once: %s.", "; ".join(told))
    return run_in(new.path, OmegaConf.create(tree), overrides=overrides, sha256=config_sha256(kept))


def check_changes(
    directory: str, tree: Mapping[str, Any], changes: Mapping[str, Any], done: int, checkpoint: Mapping[str, Any]
) -> None:
    """Refuse what makes no longer run of `tree`, which ended after `done` epochs with `checkpoint`."""
    for key, value in changes.items():
        now: Any = OmegaConf.select(OmegaConf.create(dict(tree)), key)
        if now is None or now < 0:
            raise ConfigError(f"{key}={value} is not accepted: {directory} had no limit there")
        if type(value) is not int or value <= now:
            raise ConfigError.value(key, value, f"a whole number above {now}, that of {directory}")
    epochs = tree["trainer"]["max_epochs"]
    if done >= changes.get(EPOCHS, epochs):
        raise ConfigError(f"extend={directory} needs {EPOCHS}=N above {epochs}, as many as it was trained")
    stopping = (tree.get("callbacks") or {}).get("early_stopping") or {}
    waited = next((s["waited"] for s in checkpoint["callbacks"].values() if {"waited", "best_epoch"} <= {*s}), 0)
    patience = changes.get(PATIENCE, stopping.get("patience"))
    if patience is not None and waited >= patience:
        raise RunDirectoryError(
            f"extend={directory} stopped after epoch {done} by itself: with {PATIENCE} above {waited} it would go on"
        )
    if done < epochs and PATIENCE not in changes:
        raise RunDirectoryError(f"extend={directory} ended after epoch {done} of {epochs}: more would change nothing")


def refuse_earlier(directory: str, tree: Mapping[str, Any], result: Mapping[str, Any], weights: Any) -> None:
    """Earlier versions kept in `last.ckpt` the weights that were tested, not those that training ended with."""
    metrics = result["metrics"]
    average = ((tree.get("callbacks") or {}).get("average") or {}).get("last")
    apart = average is not None or metrics.get("best_epoch") != metrics.get("epochs")
    if apart and weights_sha256(weights) == result.get("weights_sha256"):
        raise RunDirectoryError(
            f"extend={directory}: its last.ckpt holds the best weights, not the last: train it anew"
        )


def measured_last(tree: Mapping[str, Any], done: int) -> bool:
    """Whether the validation after epoch `done` translated for no other reason than that it was the last one."""
    n = (tree.get("decoding") or {}).get("every_n_epochs", 1)
    every = tree["trainer"].get("check_val_every_n_epoch") or 1
    last = done - done % every
    return bool(last // n == (last - every) // n)


def follows_length(tree: Mapping[str, Any]) -> bool:
    """Whether the learning rate of an epoch depends on how many there are to be."""
    make = factory(tree, "scheduler")
    if make is None or tree.get("optimizer") is None:
        return False
    short, long = (
        make(factory(tree, "optimizer")([torch.nn.Parameter(torch.zeros(1))]), total_steps=n, total_epochs=n)
        for n in (100, 200)
    )
    if isinstance(short, ReduceLROnPlateau):
        return False
    if not hasattr(short, "lr_lambdas"):
        return True  # one of the user's own: nobody can tell
    return any(short.lr_lambdas[0](t) != long.lr_lambdas[0](t) for t in range(100))


def copy(run: RunDirectory, new: RunDirectory, config: DictConfig, overrides: Sequence[str]) -> None:
    """What the run left to go on from, and a `.hydra/` that says what the new one is."""
    recorded = read_config(run.path / ".hydra" / "hydra.yaml")
    hydra: dict[str, Any] = {} if recorded is None else to_unresolved(recorded).get("hydra") or {}
    hydra["runtime"] = {**(hydra.get("runtime") or {}), "output_dir": str(new.path)}
    hydra["run"], hydra["mode"] = {"dir": str(new.path)}, "RUN"
    hydra["overrides"] = {**(hydra.get("overrides") or {}), "task": list(overrides)}
    write_hydra(new.path, to_unresolved(config), hydra, overrides)
    for pattern in CURVES:
        for file in run.path.glob(pattern):
            target = new.path / file.relative_to(run.path)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
