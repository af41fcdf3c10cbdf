"""A run and its directory: one place, written once, whatever happens to the process.

Imports no torch: sweeps and reports read and write run directories from light processes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from probeta.errors import RunDirectoryError, UserError

log = logging.getLogger(__name__)

SWITCHES = ("resume", "rerun", "retries", "fail_fast", "output_dir", "logger", "hydra", "name", "study", "lang")
"""Top-level keys that say how a run is carried out, not what it is: no part of its identity."""

COMPLETED, FAILED, INTERRUPTED = "completed", "failed", "interrupted"
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(BaseException):
    """SIGINT or SIGTERM reached the run, and its last checkpoint is written."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = EXIT_CODES[signal.Signals(signum)]


@dataclass(frozen=True)
class RunDirectory:
    """`outputs/train/<date_time>-<unique>/`: the paths in it that others rely on."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / ".hydra" / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.ckpt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @classmethod
    def existing(cls, path: str | Path) -> RunDirectory:
        """The run directory at `path`; `RunDirectoryError` where there is none."""
        run = cls(Path(path).absolute())
        if not run.path.is_dir():
            raise RunDirectoryError(f"no run directory at {path}: the folder does not exist")
        if not run.config.is_file():
            raise RunDirectoryError(f"no run directory at {path}: it has no .hydra/config.yaml")
        return run

    @property
    def data_places(self) -> Path:
        return self.artifacts / "data.json"

    def recorded_places(self) -> dict[str, Any]:
        """Arguments of the data whose meaning depends on where the command was given, as they were meant there."""
        try:
            places = json.loads(self.data_places.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RunDirectoryError(f"{self.data_places} does not read: {error}") from None
        return dict(places)

    def load_config(self) -> DictConfig:
        config = OmegaConf.load(self.config)
        if not isinstance(config, DictConfig):
            raise RunDirectoryError(f"{self.config} does not hold a configuration")
        return config


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file that is either there in full or not at all: temporary file, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_result(path: str | Path) -> dict[str, Any] | None:
    """The `result.json` of the run directory `path`, or `None` where there is none that reads."""
    try:
        result = json.loads((Path(path) / "result.json").read_text())
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) else None


def config_sha256(config: DictConfig | Mapping[str, Any]) -> str:
    """What the run is, as a hash: the resolved configuration without `SWITCHES`."""
    tree = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else dict(config)
    assert isinstance(tree, dict)
    identity = {key: value for key, value in tree.items() if key not in SWITCHES}
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


@cache
def versions() -> dict[str, str]:
    """What the figures of this run were computed with."""
    found = {"python": platform.python_version()}
    for name in ("probeta", "torch", "pytorch-lightning", "hydra-core", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@cache
def git_revision() -> str | None:
    """The commit of the source tree (`-dirty` where it was changed); `None` for an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the run directory `path` for this process; the kernel frees it if the process is killed."""
    # Not 0: a sweep that looks whether a run is alive holds the lock for a moment.
    lock = FileLock(path / ".lock", timeout=0.5)
    try:
        lock.acquire()
    except Timeout:
        raise RunDirectoryError(f"{path} is in use by another process") from None
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


class Signals:
    """SIGINT and SIGTERM as a request that the training loop answers between two batches.

    The first signal only sets `received`; a second one raises `Interrupted` where the code stands, for
    those who do not want to wait. Outside the main thread (a Ray worker's) signals are left alone.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for signum in EXIT_CODES:
            try:
                self._previous[signum] = signal.signal(signum, self._handle)
            except ValueError:
                break
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(signum)
        self.received = signum

    def check(self) -> None:
        if self.received is not None:
            raise Interrupted(self.received)


@dataclass
class Outcome:
    """What a job hands back to be recorded: metrics by name, and how they came about."""

    metrics: dict[str, float]
    fit_s: float = 0.0
    device: str = "cpu"
    data_sha256: str | None = None
    best_checkpoint: str | None = None
    extra: dict[str, Any] | None = None
    """Further entries of `result.json` (an ensemble's size, a chosen decoding signature)."""


Job = Callable[[DictConfig, RunDirectory, Signals], Outcome]


def execute(
    job: Job,
    config: DictConfig,
    path: str | Path,
    *,
    overrides: list[str],
    launcher: str = "basic",
    multirun: bool = False,
) -> dict[str, Any]:
    """Carry out `job` inside the run directory `path` and record how it ended in `result.json`.

    Raises what the job raised (after recording it), but not in a multirun: there the result says so
    and the other jobs go on. `UserError` is raised in a single run, `Interrupted` always.
    """
    run = RunDirectory(Path(path).absolute())
    record = new_record(config_sha256(config), config.get("seed"), overrides, launcher)
    started = time.perf_counter()
    raised: BaseException | None = None
    with locked(run.path), Signals() as signals:
        try:
            complete(record, job(config, run, signals))
        except (Interrupted, KeyboardInterrupt) as error:
            raised = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
            record["status"] = INTERRUPTED
        except Exception as error:
            raised = error
            record["error"] = describe(error)
        record["duration_s"] = round(time.perf_counter() - started, 4)
        try:
            write_atomic(run.result, json.dumps(record, indent=1) + "\n")
        except OSError as error:
            if raised is None:
                raise RunDirectoryError(f"{run.result} cannot be written: {error.strerror}") from error
            log.error("%s cannot be written: %s", run.result, error.strerror)
    if raised is not None and (isinstance(raised, Interrupted) or not multirun):
        raise raised
    return record


def new_record(sha256: str, seed: int | None, overrides: list[str], launcher: str) -> dict[str, Any]:
    """A `result.json` of a run that has not ended well yet."""
    return {
        "status": FAILED,
        "metrics": {},
        "overrides": overrides,
        "config_sha256": sha256,
        "seed": seed,
        "duration_s": 0.0,
        "fit_s": 0.0,
        "device": None,
        "launcher": launcher,
        "versions": versions(),
        "git": git_revision(),
        "data_sha256": None,
        "best_checkpoint": None,
        "error": None,
    }


def complete(record: dict[str, Any], outcome: Outcome) -> None:
    """Put into `record` how the job ended."""
    record.update(
        status=COMPLETED,
        metrics=finite(outcome.metrics),
        fit_s=round(outcome.fit_s, 4),
        device=outcome.device,
        data_sha256=outcome.data_sha256,
        best_checkpoint=outcome.best_checkpoint,
        **(outcome.extra or {}),
    )


def describe(error: BaseException) -> dict[str, str]:
    """An exception as `result.json` keeps it."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "" if isinstance(error, UserError) else "".join(traceback.format_exception(error)),
    }


def finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: what is no number is written as null."""
    return {name: (float(v) if math.isfinite(v) else None) for name, v in metrics.items()}
