"""A run that was cut anywhere ends with the numbers of the run that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from probeta.callbacks.checkpoint import Checkpoint
from probeta.models.module import Module
from probeta.runs.signals import Interrupted

MOONS = ["data=moons", "data.n_samples=100", "data.batch_size=13", "trainer.max_epochs=6", "trainer=cpu"]
TOY = ["trainer=cpu", "trainer.max_epochs=4", "recipe.hidden_size=9", "recipe.embedding_size=7"]

CASES = {
    "adam, dropout, plateau": [
        *MOONS,
        "optimizer=adam",
        "model.dropout=0.3",
        "scheduler=plateau",
        "scheduler.patience=1",
    ],
    "momentum, batch norm, cosine by step": [
        *MOONS,
        "optimizer.momentum=0.9",
        "model.batch_norm=true",
        "scheduler=cosine",
    ],
    "early stopping": [*MOONS, "callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=0.05"],
    "schedule by epoch": [*MOONS, "optimizer=adamw", "scheduler=warmup_cosine", "scheduler.interval=epoch"],
    "scheduled sampling": [
        *TOY,
        "model.teacher_forcing_ratio=0.5",
        "model.encoder.dropout=0.2",
        "decoding.every_n_epochs=2",
    ],
}


class Cut(BaseException):
    """The process is gone, as after SIGKILL: nothing is cleaned up."""


@pytest.fixture
def cut_after(monkeypatch: pytest.MonkeyPatch):
    """`cut_after(n)`: checkpoints are due at every batch, and the process dies after writing the n-th."""
    monkeypatch.setattr(Checkpoint, "due", property(lambda self: True))
    write = Checkpoint.save

    def arm(number: int | None) -> None:
        written = 0

        def save(self, trainer) -> None:
            nonlocal written
            write(self, trainer)
            written += 1
            if written == number:
                raise Cut

        monkeypatch.setattr(Checkpoint, "save", save)

    return arm


@pytest.mark.parametrize("number", [3, 5, 7])
@pytest.mark.parametrize("case", CASES)
def test_a_cut_run_ends_with_the_metrics_and_rows_of_the_uncut(
    train, cut_after, tmp_path, caplog, case: str, number: int
) -> None:
    cut_after(None)
    whole = train(*CASES[case], into="whole")
    cut_after(number)
    with pytest.raises(Cut):
        train(*CASES[case], into="cut")
    cut_after(None)
    resumed = train(*CASES[case], into="cut")
    assert "metrics.csv is damaged" not in caplog.text
    assert resumed["metrics"] == whole["metrics"]
    assert (tmp_path / "cut" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    assert curve(tmp_path / "cut", "train/loss") == curve(tmp_path / "whole", "train/loss")


def curve(run: Path, tag: str) -> list[tuple[int, float]]:
    """A scalar as TensorBoard shows it: steps and values, what a resumed run wrote again shown once."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    return [(point.step, point.value) for point in events.Scalars(tag)]


def test_an_interrupted_run_writes_its_last_checkpoint_and_goes_on(train, monkeypatch, tmp_path) -> None:
    whole = train(*MOONS, into="whole")
    answer = Checkpoint.on_train_batch_end

    def press(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        answer(self, trainer, pl_module, outputs, batch, batch_idx)
        if trainer.global_step == 8:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Checkpoint, "on_train_batch_end", press)
    with pytest.raises(Interrupted):
        train(*MOONS, into="cut")
    monkeypatch.undo()
    assert json.loads((tmp_path / "cut" / "result.json").read_text())["status"] == "interrupted"
    assert train(*MOONS, into="cut")["metrics"] == whole["metrics"]


STAGES = {
    "validation": (Module, "validation_step", []),
    "accumulating gradients": (Module, "training_step", ["trainer.accumulate_grad_batches=3"]),
    "the end of training": (Module, "on_train_end", []),
    "the final evaluation": (Module, "test_step", []),
}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_at_any_stage_leaves_a_record_and_a_checkpoint_to_go_on_from(
    train, monkeypatch, tmp_path, stage: str, signum: int
) -> None:
    owner, name, settings = STAGES[stage]
    whole = train(*MOONS, *settings, into="whole")
    step = getattr(owner, name)
    pressed = []

    def press(self, *arguments):
        if not pressed:
            pressed.append(os.kill(os.getpid(), signum))
        return step(self, *arguments)

    monkeypatch.setattr(owner, name, press)
    with pytest.raises(Interrupted) as caught:
        train(*MOONS, *settings, into="cut")
    monkeypatch.undo()
    assert caught.value.exit_code == 128 + signum
    assert json.loads((tmp_path / "cut" / "result.json").read_text())["status"] == "interrupted"
    assert (tmp_path / "cut" / "checkpoints" / "last.ckpt").is_file()
    assert train(*MOONS, *settings, into="cut")["metrics"] == whole["metrics"]
    assert (tmp_path / "cut" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID", "WORLD_SIZE"])
def test_a_rank_that_is_left_in_the_environment_is_nobodys(train, monkeypatch, tmp_path, variable: str) -> None:
    monkeypatch.setenv(variable, "3")
    assert train(*MOONS)["status"] == "completed"
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) > 6


@pytest.mark.slow
def test_a_process_killed_at_any_moment_resumes_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "probeta", "train", *MOONS, "trainer.max_epochs=150", "figures=none"]
    command.append("callbacks.checkpoint.every_minutes=0.001")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "hydra.run.dir=whole"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, "hydra.run.dir=cut"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "cut" / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "result.json").exists()
    subprocess.run([*command[:4], "resume=cut"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    whole, cut = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "cut"))
    assert cut["metrics"] == whole["metrics"]
    assert (tmp_path / "cut" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
