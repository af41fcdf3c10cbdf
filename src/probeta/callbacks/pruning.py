"""Ending a trial of a search that other trials already beat (`hydra/sweeper=optuna`)."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from probeta.errors import check_whole
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import search_address, search_database
from probeta.runs.reading import Damaged, read_json

log = logging.getLogger(__name__)


class Pruning(Checkpoint):
    """After each epoch, report `monitor` to the search and stop where its pruner gives the trial up.

    The search says which trial a run belongs to in the run directory's `trial.json`; without it (a run of
    its own, a repeat over further seeds) this does nothing. A run that is given up leaves `pruned.json`.

    A subclass of Lightning's `Checkpoint` only because those are called after the epoch's metrics are in.

    Args:
        monitor: the metric that is reported.
        every_n_epochs: epochs from one report to the next, from 1.
    """

    def __init__(self, monitor: str, every_n_epochs: int = 5) -> None:
        super().__init__()
        self.monitor = monitor
        self.every_n_epochs = check_whole("every_n_epochs", every_n_epochs)
        self._trial: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        run = Path(trainer.default_root_dir).absolute()
        note = run / "trial.json"
        # A directory may come from elsewhere: the database is the one beside its runs, never one that it names.
        if not note.is_file() or not search_database(run.parent).is_file():
            return
        try:
            self._trial = _trial_of(note, run.parent)
        except Damaged as damage:
            log.warning("%s; the run is not pruned", damage)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._trial is None:
            return
        epoch = trainer.current_epoch
        value = trainer.callback_metrics.get(self.monitor)
        if value is None or (epoch + 1) % self.every_n_epochs:
            return
        self._trial.report(float(value), epoch)
        if self._trial.should_prune():
            trainer.should_stop = True
            pruned = {"epoch": epoch + 1, self.monitor: float(value)}
            write_atomic(Path(trainer.default_root_dir) / "pruned.json", json.dumps(pruned) + "\n")


def _trial_of(note: Path, sweep: Path) -> Any:
    """The trial that `note` names in the database of `sweep`."""
    import optuna  # half a second that only trials pay
    from sqlalchemy.exc import SQLAlchemyError

    place = read_json(note, dict) or {}
    pruners = {"median": optuna.pruners.MedianPruner, "none": optuna.pruners.NopPruner}
    try:
        pruner = pruners[place["pruner"]]()
        study = optuna.load_study(study_name=place["study"], storage=search_address(sweep), pruner=pruner)
        return optuna.trial.Trial(study, place["trial"])
    except (KeyError, TypeError) as error:
        raise Damaged(note, f"it names no trial ({error})") from None
    except SQLAlchemyError as error:
        raise Damaged(search_database(sweep), str(error).splitlines()[0]) from None
