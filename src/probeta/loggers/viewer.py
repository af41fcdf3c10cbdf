"""What loggers of a viewer with a program of its own share: rows sent together, and failures that fail no run."""

from __future__ import annotations

import importlib
import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from probeta.errors import ConfigError
from probeta.runs.command import command
from probeta.runs.row import read_row

log = logging.getLogger(__name__)

Rows = Sequence[tuple[int, Mapping[str, float]]]
"""Step → the metrics logged there."""

FLUSH_SECONDS = 5.0


class Viewer(Logger):
    """A run's logger. Its run in the viewer begins with the first rows; rows are held for a few seconds, then sent.

    What the viewer does not take is told once and no longer sent.

    Args:
        directory: of the run.
        settings: of the run, as flat keys.
        resumed: whether the run goes on from a checkpoint.
    """

    package: str
    """What it needs: an extra of ours, and what `probeta export DIR to=…` calls the viewer."""

    def __init__(self, directory: str | Path, settings: Mapping[str, Any], resumed: bool) -> None:
        super().__init__()
        self.directory, self.settings, self.resumed = Path(directory).absolute(), settings, resumed
        self.waiting: list[tuple[int, Mapping[str, float]]] = []
        self.lost = False
        self._run: Any = None
        self._flushed = time.monotonic()
        require(self.package)

    @abstractmethod
    def begin(self) -> Any:
        """Begin the run in the viewer, or find it again where it was `resumed`."""

    @abstractmethod
    def send(self, rows: Rows) -> None: ...

    @abstractmethod
    def send_result(self, metrics: Mapping[str, float]) -> None: ...

    @abstractmethod
    def end(self, failed: bool) -> None: ...

    @property
    def experiment(self) -> Any:
        """The run in the viewer."""
        if self._run is None:
            self._run = self.begin()
        return self._run

    @property
    def name(self) -> str:
        return self.package

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The settings are sent when the run begins."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.log_rows([(step or 0, metrics)])
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.save()

    def log_rows(self, rows: Rows) -> None:
        self.waiting += rows

    def log_final(self, settings: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        self.save()
        self._attempt(lambda: self.send_result(metrics))

    def save(self) -> None:
        rows, self.waiting = self.waiting, []
        self._flushed = time.monotonic()
        if rows:
            self._attempt(lambda: self.send(rows))

    def finalize(self, status: str) -> None:
        """Lightning calls this after the fit, but a run that did not fail still has its final metrics to write."""
        self.save()
        if status == "failed":
            self.close(failed=True)

    def close(self, failed: bool = False) -> None:
        self.save()
        if self._run is not None:
            self._attempt(lambda: self.end(failed))

    def _attempt(self, action: Callable[[], None]) -> None:
        if self.lost:
            return
        try:
            action()
        except Exception as error:
            self.lost = True
            log.warning(
                "%s takes no more of this run (%s); all of it is sent later by probeta export %s to=%s",
                self.package, describe_failure(error), self.directory, self.package,
            )  # fmt: skip


def require(package: str) -> Any:
    """The module `package`; `ConfigError` says how it is installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        why = package if error.name == package else f"{error.name}, which {package} needs,"
        raise ConfigError(f"{why} is not installed: pip install 'probeta[{package}]'") from None


def describe_failure(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def describe_origin(directory: Path) -> dict[str, str]:
    """What leads from the viewer back to the run: its directory, and the command that makes it anew."""
    made = command(read_row(directory, {}, {}, []))
    return {"probeta.directory": str(directory), **({"probeta.command": made} if made else {})}
