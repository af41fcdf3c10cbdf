"""TensorBoard events in the run directory itself: its name in the interface is the run's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from probeta.runs.atomic import name_failures


class TensorBoard(TensorBoardLogger):
    """Scalars by optimizer step, images, text, and the HPARAMS tab filled when the run ends.

    With `resume_step` TensorBoard hides what an earlier process wrote after that step.
    """

    def __init__(self, directory: str | Path, resume_step: int | None = None, flush_secs: int = 30) -> None:
        directory = Path(directory)
        super().__init__(
            save_dir=directory.parent,
            name="",
            version=directory.name,
            default_hp_metric=False,
            flush_secs=flush_secs,
            purge_step=None if resume_step is None else resume_step + 1,
        )

    def _name_failures(self) -> AbstractContextManager[None]:
        """A thread writes the events, and what it met is raised at a later call, without the file."""
        return name_failures(Path(self.log_dir) / "events.out.tfevents")

    @property
    def experiment(self) -> Any:
        """torch's `SummaryWriter`, made when it is first asked for."""
        with self._name_failures():
            return super().experiment

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        with self._name_failures():
            super().log_metrics(metrics, step)

    def save(self) -> None:
        """Flush the events. Lightning would write a `hparams.yaml`; the configuration has its own file."""
        if self._experiment is not None:
            with self._name_failures():
                self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Lightning calls this after the fit, but the run still has its final metrics to write: only flush."""
        self.save()

    def close(self) -> None:
        if self._experiment is not None:
            with self._name_failures():
                self.experiment.close()

    def log_final(self, settings: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """What the HPARAMS tab shows of this run: the settings and the metrics it ended with."""
        values = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in settings.items()}
        writer = self.experiment._get_file_writer()
        # Without a list of columns TensorBoard makes its own of all runs, and shows those that differ between them.
        for summary in hparams(values, dict(metrics))[1:]:
            writer.add_summary(summary)
        for name, value in metrics.items():
            if name.startswith("test/"):
                self.experiment.add_scalar(name, value, 0)
