"""One training run, from configuration to run directory: fit, keep the right weights, test, leave the results."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from probeta.callbacks.average import WeightAverage
from probeta.callbacks.checkpoint import Checkpoint, InputsKept
from probeta.callbacks.early_stopping import EarlyStopping
from probeta.callbacks.interruption import Interruption
from probeta.callbacks.path import WeightPath
from probeta.callbacks.progress import EpochProgress
from probeta.config.build import Experiment, build, resolve_config
from probeta.config.processes import choose_strategy, processes
from probeta.config.trust import get_trusted, relocate, sources_sha256
from probeta.data.datamodule import DataModule
from probeta.errors import TrainingDiverged
from probeta.models.module import Module
from probeta.models.weights import load_archive, save_archive, weights_sha256
from probeta.nn.devices import slow_in_bfloat16
from probeta.runs.artifacts import FIGURES
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import flatten_settings
from probeta.runs.memory import keep_freed_memory
from probeta.runs.record import Outcome
from probeta.runs.signals import Interrupted, Signals
from probeta.training.compiling import compile_net
from probeta.training.devices import choose, choose_for_ranks
from probeta.training.distributed import Environment, Rank, spawn

log = logging.getLogger(__name__)


def train(
    config: DictConfig, run: RunDirectory, signals: Signals, *, multirun: bool = False, rank: Rank | None = None
) -> Outcome:
    """Train as `config` says inside `run`; goes on from `checkpoints/last.ckpt` where there is one.

    Args:
        rank: this process's place where the run is divided among several; `None`: it is divided as `config`
            says.
    """
    quiet()
    tree = resolve_config(config)
    if rank is None and (count := processes(tree["trainer"])) > 1:
        return spawn(train, config, run, signals, count, multirun)
    rank = rank or Rank()
    environment = Environment(rank)
    # A run may go on, or be evaluated, from another folder than it was started in.
    if places := run.recorded_places():
        tree = relocate(tree, places)
    resume, origin = load_archive(run.last) if run.last.is_file() else None, run.artifacts.read("origin")
    if rank.number > 0:
        tree["logger"] = None  # rank 0 writes for all
    experiment = build(tree, directory=run.path, **where_to_resume(resume))
    data, model = experiment.data, experiment.model
    inputs = {"data_sha256": data.sha256(), "sources_sha256": sources_sha256(get_trusted(tree))}
    experiment.callbacks["inputs"] = InputsKept(inputs)
    figures = FIGURES[tree.get("figures") or ("none" if multirun else "all")]
    if not figures:
        drawn = [name for name, callback in experiment.callbacks.items() if getattr(callback, "draws", False)]
        for name in drawn:
            del experiment.callbacks[name]
    if data.note:
        log.info("Note: %s.", data.note)
    if rank.number == 0:
        keep_data(data, run)
    device = choose(tree, experiment, run) if rank.count == 1 else choose_for_ranks(tree, rank.count)
    precision = str(tree["trainer"].get("precision"))
    if precision.startswith("bf16") and device == "cpu" and (reason := slow_in_bfloat16(torch.device(device))):
        log.warning("trainer.precision=%s is slow here: %s.", precision, reason)
    trainer = make_trainer(experiment, run, signals, tree, device, environment)
    if tree.get("compile"):
        compile_net(model, device)
    keep_freed_memory()
    with keep_if_interrupted(experiment, trainer, run):
        started = time.perf_counter()
        # Between two batches all that a checkpoint holds is in order: `Interruption` answers there.
        with signals.patiently():
            trainer.fit(model, datamodule=data, ckpt_path=run.last if resume else None, weights_only=True)
        fit_s = time.perf_counter() - started
        keep_best(experiment)
        metrics = evaluate(trainer, model, data)
        TrainingDiverged.check(metrics, trainer.global_step, trainer.current_epoch)
        metrics.update(summarize_fit(experiment, trainer))
        if trainer.is_global_zero:
            write_weights(experiment, trainer, run, tree.get("checkpoints") or ("best" if multirun else "all"))
            run.artifacts.write(model.artifacts(data))
            if isinstance(path := experiment.callbacks.get("path"), WeightPath):
                metrics |= path.finish(model, data, run.artifacts)
            log_final(experiment, tree, metrics)
        for logger in experiment.loggers:
            logger.finalize("success")
            if hasattr(logger, "close"):
                logger.close()
        if figures and trainer.is_global_zero:
            draw_figures(run.path, figures, metrics.get("best_epoch"))
    more = {"extended_from": origin} if origin else {}
    return make_outcome(model, data, run, inputs, metrics, fit_s, device, more)


def keep_data(data: DataModule, run: RunDirectory) -> None:
    """How texts and rows became numbers, and where they lie."""
    data.save(run.artifacts.folder)
    if places := data.record(run.artifacts.folder):
        run.artifacts.write({"data": places})


def make_outcome(
    model: Module,
    data: DataModule,
    run: RunDirectory,
    inputs: Mapping[str, str | None],
    metrics: dict[str, float],
    fit_s: float,
    device: str,
    more: Mapping[str, Any],
) -> Outcome:
    """What the record of a trained `model` says, and `more`. `inputs`: the hashes of what the run read."""
    return Outcome(
        metrics=metrics,
        fit_s=fit_s,
        device=device,
        data_sha256=inputs["data_sha256"],
        best_checkpoint="checkpoints/best.ckpt" if run.best.is_file() else None,
        extra={
            "threads": torch.get_num_threads(),
            "weights_sha256": weights_sha256(model.state_dict()),
            **model.facts(),
            **data.facts(),
            "sources_sha256": inputs["sources_sha256"],
            **more,
        },
    )


def where_to_resume(checkpoint: Mapping[str, Any] | None) -> dict[str, int | None]:
    """The optimizer step of a checkpoint and the epochs that were logged before it, for loggers to go on from."""
    if checkpoint is None:
        return {"resume_step": None, "resume_epochs": None}
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    return {"resume_step": checkpoint["global_step"], "resume_epochs": epochs}


def draw_figures(path: Path, formats: Sequence[str], best_epoch: float | None = None) -> None:
    """The run's figures. They come after the result: one that cannot be drawn is told, and fails no run."""
    try:
        from probeta.figures.run import draw

        draw(path, best_epoch, formats)
    except Exception as error:
        log.warning("Not every figure could be drawn (%s: %s).", type(error).__name__, " ".join(str(error).split()))


def quiet() -> None:
    """Lightning's advice on workers, devices and its own products is not news to a reader of our output."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|torch\.utils\.data)")


def make_trainer(
    experiment: Experiment,
    run: RunDirectory,
    signals: Signals,
    tree: Mapping[str, Any],
    device: str,
    environment: Environment,
) -> pl.Trainer:
    checkpoint = experiment.callbacks.get("checkpoint")
    checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else None
    settings, count = tree["trainer"], environment.world_size()
    devices = settings.get("devices", 1)
    return experiment.trainer(
        devices=devices if isinstance(devices, list) else count,
        strategy=choose_strategy(count, settings.get("strategy")),
        accelerator=device,
        plugins=[environment],
        callbacks=[*experiment.callbacks.values(), Interruption(signals, checkpoint), EpochProgress()],
        logger=experiment.loggers or False,
        default_root_dir=run.path,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


@contextmanager
def keep_if_interrupted(experiment: Experiment, trainer: pl.Trainer, run: RunDirectory) -> Iterator[None]:
    """A run that is interrupted after its training keeps the state at its end, and goes on from there."""
    try:
        yield
    except Interrupted:
        checkpoint = experiment.callbacks.get("checkpoint")
        if isinstance(checkpoint, Checkpoint) and checkpoint.final and trainer.is_global_zero:
            run.checkpoints.mkdir(exist_ok=True)
            checkpoint.save_final(run.last)
        raise


def keep_best(experiment: Experiment) -> None:
    """The weights that are tested and kept: the mean of the last epochs' where that is asked for, else early
    stopping's best where it kept any, else the last.
    """
    average = experiment.callbacks.get("average")
    if isinstance(average, WeightAverage) and average.apply(experiment.model):
        return
    early = experiment.callbacks.get("early_stopping")
    if isinstance(early, EarlyStopping):
        early.restore(experiment.model)


def evaluate(trainer: pl.Trainer, model: Module, data: DataModule) -> dict[str, float]:
    """Metrics of the kept weights on every split, in evaluation mode, in which the model stays."""
    loaders = model.start_evaluation(data)
    trainer.test(model, dataloaders=list(loaders.values()), verbose=False)
    # `test` puts back the mode of training, with dropout and batch statistics in whatever is drawn afterwards.
    model.eval()
    return {name: value for split in loaders for name, value in model.evaluated[split].items()}


def summarize_fit(experiment: Experiment, trainer: pl.Trainer) -> dict[str, float]:
    """Epochs trained, and the epoch (from 1) whose weights were kept."""
    early = experiment.callbacks.get("early_stopping")
    average = experiment.callbacks.get("average")
    averaged = isinstance(average, WeightAverage) and average.weights
    best = early.best_epoch + 1 if isinstance(early, EarlyStopping) and early.weights else trainer.current_epoch
    kept = trainer.current_epoch if averaged else best
    return {"epochs": float(trainer.current_epoch), "best_epoch": float(kept)}


def write_weights(experiment: Experiment, trainer: pl.Trainer, run: RunDirectory, keep: str) -> None:
    """`best.ckpt` and `last.ckpt`: where training ended, to go on from."""
    write_best(experiment.model, run, keep)
    checkpoint = experiment.callbacks.get("checkpoint")
    if keep != "all":
        run.last.unlink(missing_ok=True)
    elif isinstance(checkpoint, Checkpoint) and checkpoint.final:
        checkpoint.save_final(run.last)


def write_best(model: Module, run: RunDirectory, keep: str) -> None:
    """`best.ckpt`: the weights that were tested."""
    run.checkpoints.mkdir(exist_ok=True)
    if keep in ("all", "best"):
        save_archive({"state_dict": model.state_dict(), "pytorch-lightning_version": pl.__version__}, run.best)


def log_final(experiment: Experiment, tree: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    for logger in experiment.loggers:
        if hasattr(logger, "log_final"):
            logger.log_final(flatten_settings(tree), metrics)
