"""A run and its directory: one place, written once, whatever happens to the process.

Imports no torch: sweeps and reports read and write run directories from light processes.
"""

from __future__ import annotations

import json
import logging
import math
import platform
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from probeta.errors import RunDirectoryError, RunDirectoryInUse, UserError
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory, hold_lock
from probeta.runs.identity import config_sha256
from probeta.runs.reading import Damaged, check_kinds, read_json
from probeta.runs.signals import Interrupted, Signals

log = logging.getLogger(__name__)


COMPLETED, FAILED, INTERRUPTED = "completed", "failed", "interrupted"
BUSY = "busy"
"""The status a sweep gets of a job that another process is running; never a run's own."""


RESULT: dict[str, type | tuple[type, ...]] = {
    "status": str,
    "metrics": dict,
    "counts": dict,
    "examples": dict,
    "overrides": list,
    "config_sha256": str,
    "duration_s": (int, float),
    "fit_s": (int, float),
    "device": str,
    "threads": int,
    "parameters": int,
    "seed": int,
    "versions": dict,
    "error": dict,
}
"""What readers of a `result.json` rely on."""


def read_result(path: str | Path) -> dict[str, Any] | None:
    """The `result.json` of the run directory `path`, `None` where there is none; `Damaged` where it is not one."""
    file = RunDirectory(Path(path)).result
    result = read_json(file, dict)
    if result is None:
        return None
    if not isinstance(result.get("status"), str):
        raise Damaged(file, "it has no status")
    check_kinds(file, result, RESULT)
    if any(not isinstance(line, str) for line in result.get("overrides") or ()):
        raise Damaged(file, "overrides hold more than text")
    return result


def check_recorded(run: RunDirectory, config: DictConfig, result: Mapping[str, Any]) -> None:
    """Warn where `config`, read from the directory `run`, is not the one that its `result` was recorded for."""
    recorded = result.get("config_sha256")
    if recorded and config_sha256(config) != recorded:
        log.warning("%s is not what %s was recorded for (config_sha256): edited or damaged", run.config, run.result)


def read_sound_result(path: str | Path) -> dict[str, Any] | None:
    """As `read_result`, for those to whom a damaged record is as good as none."""
    try:
        return read_result(path)
    except Damaged:
        return None


def write_result(path: Path, record: Mapping[str, Any]) -> None:
    """The `result.json` of the run directory `path`; `record` is one of `new_record`'s, completed."""
    write_atomic(RunDirectory(path).result, json.dumps(record, indent=1) + "\n")


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
    sha256: str | None = None,
) -> dict[str, Any]:
    """Carry out `job` inside the run directory `path` and record how it ended in `result.json`.

    Raises what the job raised (after recording it), but not in a multirun: there the result says so
    and the other jobs go on. `UserError` is raised in a single run, `Interrupted` always. What is
    raised has the run's `directory`.
    `sha256` is the hash to record where `config` is not all that the directory's own says.
    In a multirun, a job that another process has completed meanwhile is not run again (its result is returned),
    nor is one that another process is at (a result of status `BUSY` is).
    """
    run = RunDirectory(Path(path).absolute())
    record = new_record(sha256 or config_sha256(config), config.get("seed"), overrides, launcher)
    try:
        with hold_lock(run.path), Signals() as signals:
            if multirun and (done := find_completed(run, record["config_sha256"])) is not None:
                return done
            raised = carry_out(job, config, run, signals, record)
    except RunDirectoryInUse:
        if not multirun:
            raise
        return {**record, "status": BUSY}
    if multirun and signals.received is not None:
        raise raised if isinstance(raised, Interrupted) else Interrupted(signals.received)
    if raised is not None and (isinstance(raised, Interrupted) or not multirun):
        vars(raised)["directory"] = run.path
        raise raised
    return record


def carry_out(
    job: Job, config: DictConfig, run: RunDirectory, signals: Signals, record: dict[str, Any]
) -> BaseException | None:
    """Carry out `job`, complete `record` and write it; returns what is to be raised.

    However the job ends, it is recorded: by a signal, by an exception of any kind, by a library that calls `sys.exit`.
    """
    started = time.perf_counter()
    raised: BaseException | None = None
    try:
        with signals.at_once():
            outcome = job(config, run, signals)
        complete_record(record, outcome)
    except BaseException as error:
        raised = interruption(error, signals)
        if isinstance(raised, Interrupted):
            record["status"] = INTERRUPTED
        else:
            record["error"] = describe(raised)
    record["duration_s"] = round(time.perf_counter() - started, 4)
    try:
        write_result(run.path, record)
    except OSError as error:
        if raised is None:
            raise RunDirectoryError(f"{run.result} cannot be written: {error.strerror}") from error
        log.error("%s cannot be written: %s", run.result, error.strerror)
    return raised


def interruption(error: BaseException, signals: Signals) -> BaseException:
    """What ended a job, as what it means: `Interrupted` where a signal was at the bottom of it."""
    if isinstance(error, Interrupted):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted(signals.received or signal.SIGINT)
    if isinstance(error, Exception):
        return error
    if signals.received is not None:
        return Interrupted(signals.received)
    if isinstance(error, SystemExit):
        # Raised as it is, it would end the command with the status that a library chose: 0, often.
        found = RuntimeError(f"the run's own code ended it ({type(error).__name__}: {error})")
        found.__cause__ = error
        return found
    return error


def find_completed(run: RunDirectory, sha256: str) -> dict[str, Any] | None:
    """The result of a run of the same configuration that is completed."""
    result = read_sound_result(run.path) or {}
    return result if result.get("status") == COMPLETED and result.get("config_sha256") == sha256 else None


def new_record(sha256: str, seed: int | None, overrides: list[str], launcher: str) -> dict[str, Any]:
    """What every `result.json` holds, whoever writes it: here of a run that has not ended well (yet)."""
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


def complete_record(record: dict[str, Any], outcome: Outcome) -> None:
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


def headline(error: Mapping[str, Any]) -> str:
    """`ValueError: what went wrong`, in one line of at most 300 characters."""
    text = " ".join(f"{error.get('type', 'Error')}: {error.get('message', '')}".split())
    return text if len(text) <= 300 else text[:299] + "…"
