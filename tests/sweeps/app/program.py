"""A job like training, but small: it saves its place, resumes from it, and fails as it is told.

`python -m tests.sweeps.app.program -m key=value …` runs it under the sweeper, as a command line would.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hydra import main
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from probeta.errors import TrainingDiverged
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory
from probeta.runs.record import Outcome, execute
from probeta.runs.signals import Signals


def job(config: DictConfig, run: RunDirectory, signals: Signals) -> Outcome:
    run.checkpoints.mkdir(exist_ok=True)
    with open(run.path / "starts.txt", "a") as log:
        log.write(f"{os.getpid()}\n")
    done = int(run.last.read_text()) if run.last.exists() else 0
    for step in range(done, config.steps):
        time.sleep(config.delay)
        signals.check()
        misbehave(config, run, step)
        # What was logged after the checkpoint that a run goes on from is cut before it is logged again.
        rows = run.metrics.read_text().splitlines()[: step + 1] if step else ["step,epoch,val/loss"]
        write_atomic(run.metrics, "\n".join([*rows, f"{step},{step},{1 / (step + 1)}"]) + "\n")
        write_atomic(run.last, str(step + 1))
    loss = 1.0 / config.model.width + 0.01 * config.seed + abs(config.optimizer.lr - 0.2)
    return Outcome({"test/loss": loss, "val/loss": loss + 0.1, "test/acc": 1 - loss / 10})


def misbehave(config: DictConfig, run: RunDirectory, step: int) -> None:
    if config.fault == "raise":
        raise ValueError("what was asked for cannot be had")
    if config.fault == "diverge":
        raise TrainingDiverged("train/loss", float("nan"), step, step)
    if config.fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.fault == "fill":
        with open(run.path / "large.bin", "wb") as file:
            for _ in range(20):
                file.write(b"0" * 1_000_000)
                file.flush()
        raise RuntimeError("the disk is larger than the test meant it to be")
    if config.fault == "chatter":
        print(f"from {run.path.name}", flush=True)
        os.write(2, f"and to stderr from {run.path.name}\n".encode())
    if config.fault == "threads":
        import torch

        (run.path / "threads.txt").write_text(str(torch.get_num_threads()))
    if config.fault == "once" and not (run.path / "attempts").exists():
        raise ConnectionError("only the first time")


def task(config: DictConfig) -> dict[str, Any]:
    runtime = HydraConfig.get()
    return execute(job, config, runtime.runtime.output_dir, overrides=list(runtime.overrides.task), multirun=True)


def refuse_negative(config: DictConfig) -> None:
    from probeta.errors import ConfigError

    if config.model.width < 0:
        raise ConfigError.value("model.width", config.model.width, "a whole number from 0")


def run() -> int:
    from hydra_plugins.probeta_sweeper.sweeper import register
    from probeta.commands.failures import exit_status

    # As the command line does: Hydra does not find an editable install's plugins by itself.
    register()
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with exit_status() as status:
        main(config_path=str(Path(__file__).parent / "conf"), config_name="config", version_base="1.3")(task)()
    return status.code


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.sweeps.app.program import run as imported

    sys.exit(imported())
