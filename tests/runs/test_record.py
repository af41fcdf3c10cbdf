from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from probeta.errors import ConfigError, RunDirectoryError
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory, hold_lock
from probeta.runs.identity import config_sha256
from probeta.runs.record import BUSY, Outcome, execute, read_result
from probeta.runs.signals import Interrupted


def finish(config, run, signals):
    return Outcome({"val/loss": 0.5, "val/odd": float("nan")}, fit_s=1.0, extra={"members": 3})


def test_a_completed_run_leaves_every_field_of_its_result(tmp_path: Path) -> None:
    config = OmegaConf.create({"seed": 0, "model": {"width": 3}})
    execute(finish, config, tmp_path, overrides=["seed=0"], launcher="joblib")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["metrics"] == {"val/loss": 0.5, "val/odd": None}
    assert (result["seed"], result["launcher"], result["overrides"]) == (0, "joblib", ["seed=0"])
    assert result["config_sha256"] == config_sha256(config)
    assert result["members"] == 3
    assert result["error"] is None
    assert set(result) >= {"duration_s", "fit_s", "device", "versions", "git", "data_sha256", "best_checkpoint"}


def test_a_failed_run_is_recorded_and_raised_but_only_recorded_in_a_multirun(tmp_path: Path) -> None:
    def fail(config, run, signals):
        raise KeyError("lost")

    config = OmegaConf.create({"seed": 1})
    with pytest.raises(KeyError):
        execute(fail, config, tmp_path, overrides=[])
    record = execute(fail, config, tmp_path, overrides=[], multirun=True)
    assert record["status"] == "failed"
    assert record["error"]["type"] == "KeyError"
    assert "lost" in record["error"]["traceback"]
    assert read_result(tmp_path) == record


@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 138)],
)
def test_a_signal_ends_the_run_as_interrupted_with_the_shell_s_status(tmp_path: Path, signum: int, code: int) -> None:
    def wait(config, run, signals):
        os.kill(os.getpid(), signum)
        signals.check()

    before = signal.getsignal(signum)
    with pytest.raises(Interrupted) as caught:
        execute(wait, OmegaConf.create({"seed": 1}), tmp_path, overrides=[], multirun=True)
    assert caught.value.exit_code == code
    assert read_result(tmp_path)["status"] == "interrupted"  # type: ignore[index]
    assert signal.getsignal(signum) is before


def test_a_signal_that_a_job_survives_ends_the_sweep_after_it(tmp_path: Path) -> None:
    def survive(config, run, signals):
        with contextlib.suppress(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)
        return finish(config, run, signals)

    config = OmegaConf.create({"seed": 1})
    with pytest.raises(Interrupted):
        execute(survive, config, tmp_path, overrides=[], multirun=True)
    assert read_result(tmp_path)["status"] == "completed"  # type: ignore[index]


@pytest.mark.parametrize("multirun", [False, True])
def test_a_library_that_ends_the_process_is_a_failure_on_record(tmp_path: Path, multirun: bool) -> None:
    def leave(config, run, signals):
        raise SystemExit(0)

    with contextlib.nullcontext() if multirun else pytest.raises(RuntimeError, match="own code ended"):
        execute(leave, OmegaConf.create({"seed": 1}), tmp_path, overrides=[], multirun=multirun)
    result = read_result(tmp_path) or {}
    assert (result["status"], result["error"]["message"]) == ("failed", "the run's own code ended it (SystemExit: 0)")


def test_a_job_that_another_process_completed_meanwhile_is_not_run_again(tmp_path: Path) -> None:
    config = OmegaConf.create({"seed": 1})
    first = execute(finish, config, tmp_path, overrides=[], multirun=True)

    def never(config, run, signals):
        raise AssertionError("it ran again")

    assert execute(never, config, tmp_path, overrides=[], multirun=True) == first
    changed = execute(never, OmegaConf.create({"seed": 2}), tmp_path, overrides=[], multirun=True)
    assert changed["status"] == "failed"


def test_a_job_that_another_process_is_at_is_left_to_it(tmp_path: Path) -> None:
    with hold_lock(tmp_path):
        config = OmegaConf.create({"seed": 1})
        assert execute(finish, config, tmp_path, overrides=[], multirun=True)["status"] == BUSY
        with pytest.raises(RunDirectoryError, match="in use"):
            execute(finish, config, tmp_path, overrides=[])
    assert read_result(tmp_path) is None


def test_the_hash_knows_what_is_run_and_not_how(tmp_path: Path) -> None:
    base = {"seed": 1, "optimizer": {"lr": 0.1}, "resume": None, "output_dir": "a", "logger": None}
    same = {**base, "resume": "x", "output_dir": "b", "logger": {"csv": {}}, "retries": 3}
    other = {**base, "optimizer": {"lr": 0.2}}
    assert config_sha256(OmegaConf.create(base)) == config_sha256(OmegaConf.create(same))
    assert config_sha256(OmegaConf.create(base)) != config_sha256(OmegaConf.create(other))
    interpolated = {**base, "optimizer": {"lr": "${rate}"}, "rate": 0.1}
    resolved = {**base, "rate": 0.1}
    assert config_sha256(OmegaConf.create(interpolated)) == config_sha256(OmegaConf.create(resolved))


def hold(path: str, ready: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event) -> None:
    with hold_lock(Path(path)):
        ready.set()
        done.wait(30)


def test_two_processes_never_run_in_one_directory(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(str(tmp_path), ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(RunDirectoryError, match="in use"), hold_lock(tmp_path):
            pass
    finally:
        done.set()
        other.join()
    with hold_lock(tmp_path):
        pass


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    write_atomic(target, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_without_a_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="does not exist"):
        RunDirectory.existing(tmp_path / "nowhere")
    with pytest.raises(RunDirectoryError, match=r"config\.yaml"):
        RunDirectory.existing(tmp_path)


def test_a_mistake_is_recorded_without_a_traceback(tmp_path: Path) -> None:
    def mistaken(config, run, signals):
        raise ConfigError.value("model.width", 0, "a whole number from 1")

    record = execute(mistaken, OmegaConf.create({"seed": 1}), tmp_path, overrides=[], multirun=True)
    assert record["error"] == {
        "type": "ConfigError",
        "message": "model.width=0 is not accepted: a whole number from 1",
        "traceback": "",
    }
