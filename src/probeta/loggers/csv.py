"""`metrics.csv`: one row per logging point, written in batches, cut where a resumed run begins again."""

from __future__ import annotations

import csv
import io
import logging
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from probeta.runs.atomic import append, write_atomic
from probeta.runs.reading import CUT, Damaged, read_text

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0


class MetricsCSV(Logger):
    """Columns `step`, `epoch`, then every metric in the order in which it first appeared.

    Rows are held for a few seconds, then appended; the file is written anew only when a column is added.

    Args:
        resume_step: the rows after this optimizer step are dropped: the run is about to write them again.
        resume_epochs: how many epochs' rows there are to be up to that step.
    """

    def __init__(self, directory: str | Path, resume_step: int | None = None, resume_epochs: int | None = None) -> None:
        super().__init__()
        self.path = Path(directory) / "metrics.csv"
        self.columns = ["step", "epoch"]
        self.written: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []
        self._flushed = time.monotonic()
        if resume_step is not None:
            self._keep(resume_step, resume_epochs or 0)
            write_atomic(self.path, self._text(self.written, header=True))

    def _keep(self, resume_step: int, resume_epochs: int) -> None:
        """Take over the rows up to `resume_step`, as far as the file holds them."""
        rows: list[dict[str, str]] = []
        why = ""
        try:
            text = read_text(self.path)
            if text is None and not resume_epochs:
                return  # cut before its first epoch had ended
            if text is None:
                raise Damaged(self.path, "it is missing")
            if not text.endswith("\n"):
                why = CUT
            reader = csv.DictReader(io.StringIO(text))
            if {"step", "epoch"} <= set(reader.fieldnames or ()):
                self.columns = list(reader.fieldnames or ())
                for row in reader:
                    if None in row or None in row.values():
                        why = "it has a line of another length"
                    elif row["step"] and int(row["step"]) <= resume_step:
                        rows.append(row)
            else:
                why = "its first line names no columns"
        except Damaged as damage:
            why = damage.why
        except (ValueError, csv.Error) as error:
            why = str(error)
        if not why and (lost := resume_epochs - len({row["epoch"] for row in rows} - {""})) > 0:
            why = f"the rows of {lost} epochs before the checkpoint are missing"
        self.written = [{k: v for k, v in row.items() if v != ""} for row in rows]
        if why:
            log.warning(
                "%s is damaged: %s; %d rows of it are kept, the run goes on and adds its own", self.path, why, len(rows)
            )

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @property
    def log_dir(self) -> str:
        return str(self.path.parent)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration has its own file, `.hydra/config.yaml`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        epoch = metrics.get("epoch")
        row = {**metrics, "step": step, "epoch": None if epoch is None else int(epoch)}
        self.waiting.append(row)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.save()

    def save(self) -> None:
        rows, self.waiting = self.waiting, []
        self._flushed = time.monotonic()
        if not rows:
            return
        new = [name for row in rows for name in row if name not in self.columns]
        self.columns += list(dict.fromkeys(new))
        self.written += rows
        if new or not self.path.is_file() or self.path.is_symlink():
            # Nothing can be lost while there is no file: no need to wait for the disk.
            write_atomic(self.path, self._text(self.written, header=True), sync=self.path.is_file())
        else:
            append(self.path, self._text(rows, header=False))

    def _text(self, rows: Sequence[Mapping[str, Any]], header: bool) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def finalize(self, status: str) -> None:
        self.save()
