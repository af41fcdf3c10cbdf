"""Sweeps that are killed, and sweeps whose jobs are: real processes, real signals, a real full disk."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probeta.runs.record import new_record, read_result
from probeta.sweeps.naming import job_name
from tests.sweeps.command import command, environment, run

JOBS = ["model.width=2,4,8", "seed=1,2,3,4", "steps=4", "delay=0.05", "name=crashed"]
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
KILLS = 10
TIMES = ("duration_s", "fit_s")


def timeless(path: Path) -> str:
    """`summary.csv` without the columns that a clock wrote."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return json.dumps([{key: value for key, value in row.items() if key not in TIMES} for row in rows])


def progress(directory: Path) -> int:
    """Steps that the jobs have saved so far."""
    return sum(int(path.read_text() or 0) for path in directory.glob("*/checkpoints/last.ckpt"))


def starts(directory: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in directory.rglob("starts.txt"):
        job = file.relative_to(directory).parts[0]
        found[job] = found.get(job, 0) + len(file.read_text().splitlines())
    return found


def killed_at(folder: Path, arguments: list[str], steps: int, later: float) -> bool:
    """Run until the jobs are `steps` further and `later` seconds passed, then kill every process of it.

    Returns whether there was something left to kill.
    """
    directory = folder / "outputs" / "crashed"
    target = progress(directory) + steps
    with open(folder / "log", "a") as log:
        process = subprocess.Popen(
            command(arguments), cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    while process.poll() is None and progress(directory) < target:
        time.sleep(0.005)
    time.sleep(later)
    alive = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if alive else None
    process.wait()
    return alive


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [[], JOBLIB], ids=["basic", "joblib"])
def test_a_sweep_killed_ten_times_ends_as_if_it_never_was(tmp_path: Path, launcher: list[str]) -> None:
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    calm.mkdir()
    stormy.mkdir()
    assert run(calm, *JOBS, *launcher).returncode == 0
    moments = random.Random(len(launcher))
    directory = stormy / "outputs" / "crashed"
    kills = 0
    for _ in range(KILLS):
        done = {path.parent.name for path in directory.glob("*/result.json")}
        before = starts(directory)
        kills += killed_at(stormy, [*JOBS, *launcher], moments.randint(0, 5), moments.uniform(0, 0.1))
        after = starts(directory)
        assert all(after[name] == before[name] for name in done), "a completed job ran again"
    assert kills == KILLS
    last = run(stormy, *JOBS, *launcher)
    assert last.returncode == 0, last.stdout + last.stderr
    assert timeless(directory / "summary.csv") == timeless(calm / "outputs" / "crashed" / "summary.csv")
    assert (directory / "groups.csv").read_bytes() == (calm / "outputs" / "crashed" / "groups.csv").read_bytes()
    for job in directory.glob("*/metrics.csv"):
        assert len(job.read_text().splitlines()) == 5, "a job repeated or lost a step"


@pytest.fixture
def small_disks(tmp_path: Path) -> Iterator[list[Path]]:
    """A tmpfs of a megabyte where each job of `fault=fill` will live."""
    mounted = []
    for steps in (1, 2):
        path = tmp_path / "outputs" / "faults" / job_name(["fault=fill", f"steps={steps}"])
        path.mkdir(parents=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)], check=False)
        if done.returncode:
            pytest.skip("no small disk can be mounted here")
        mounted.append(path)
    yield mounted
    for path in mounted:
        subprocess.run(["umount", str(path)], check=False)


@pytest.mark.slow
def test_what_befalls_one_job_is_explained_and_spares_the_others(tmp_path: Path, small_disks: list[Path]) -> None:
    faults = "fault=none,raise,diverge,kill,fill"
    done = run(tmp_path, faults, "steps=1,2", "name=faults", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert done.returncode == 1, done.stdout + done.stderr
    directory = tmp_path / "outputs" / "faults"
    with open(directory / "summary.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {(row["fault"], row["steps"]): (row["status"], row["error"]) for row in rows}
    for steps in ("1", "2"):
        assert told["none", steps] == ("completed", "")
        assert told["raise", steps] == ("failed", "ValueError: what was asked for cannot be had")
        assert told["diverge", steps][1].startswith("TrainingDiverged: train/loss is nan at step 0")
        assert told["kill", steps][1].startswith("WorkerKilled: its worker process died")
        assert "No space left on device" in told["fill", steps][1]
    assert done.stdout.count("FAILED") == 8
    assert "8 of 10 jobs failed" in done.stdout
    assert "WorkerKilled" in (directory / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "ray", "submitit_local"])
def test_every_launcher_names_the_killed_and_finishes_the_rest(tmp_path: Path, launcher: str) -> None:
    pytest.importorskip({"ray": "ray", "submitit_local": "submitit"}.get(launcher, "joblib"))
    jobs = ["fault=none,kill", "seed=1,2", "name=here"]
    done = run(tmp_path, *jobs, f"hydra/launcher={launcher}", timeout=900)
    assert done.returncode == 1, done.stdout + done.stderr
    directory = tmp_path / "outputs" / "here"
    results = {path.parent.name: read_result(path.parent) or {} for path in directory.glob("*/result.json")}
    assert len(results) == 4
    for name, result in results.items():
        killed = name.startswith("kill")
        assert result["status"] == ("failed" if killed else "completed")
        assert not killed or result["error"]["type"] == "WorkerKilled"
        assert result.keys() >= new_record("", 0, [], launcher).keys()
        assert not killed or result["launcher"] == launcher
    # Whichever launcher ran them, the next call finds what is done.
    again = run(tmp_path, "fault=none", "seed=1,2", "name=here")
    assert again.returncode == 0
    assert again.stdout.count("skip") == 2


@pytest.mark.slow
def test_workers_side_by_side_compute_with_one_thread_each(tmp_path: Path) -> None:
    done = run(tmp_path, "seed=1,2", "fault=threads", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stdout + done.stderr
    found = [path.read_text() for path in tmp_path.rglob("threads.txt")]
    assert found == ["1", "1"]


@pytest.mark.slow
def test_sigterm_ends_a_sweep_with_its_summary(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            command(["seed=1,2,3,4", "steps=50", "delay=0.1", "name=ended"]),
            cwd=tmp_path, env=environment(), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    directory = tmp_path / "outputs" / "ended"
    while process.poll() is None and progress(directory) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 143, (tmp_path / "log").read_text()
    with open(directory / "summary.csv", newline="") as file:
        states = [row["status"] for row in csv.DictReader(file)]
    assert sorted(states) == ["interrupted", "not started", "not started", "not started"]


LAUNCHERS = [[], JOBLIB, ["hydra/launcher=submitit_local"], ["hydra/launcher=ray"]]


def skip_without(launcher: list[str]) -> None:
    for name, package in (("ray", "ray"), ("submitit_local", "submitit")):
        if f"hydra/launcher={name}" in launcher:
            pytest.importorskip(package)


def begun(folder: Path, launcher: list[str], jobs: int) -> subprocess.Popen[bytes]:
    """A sweep of six long jobs, of which `jobs` have saved a step."""
    with open(folder / "log", "w") as log:
        arguments = ["seed=1,2,3,4,5,6", "steps=500", "delay=0.05", "name=ended", *launcher]
        process = subprocess.Popen(
            command(arguments), cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    while process.poll() is None and len(list(folder.glob("outputs/ended/*/checkpoints/last.ckpt"))) < jobs:
        time.sleep(0.01)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["driver", "everyone"])
@pytest.mark.parametrize("launcher", LAUNCHERS, ids=["basic", "joblib", "submitit", "ray"])
def test_a_signal_ends_the_jobs_that_run_and_starts_no_other(tmp_path: Path, launcher: list[str], whom: str) -> None:
    for option in launcher:
        pytest.importorskip(
            {"hydra/launcher=ray": "ray", "hydra/launcher=submitit_local": "submitit"}.get(option, "os")
        )
    process = begun(tmp_path, launcher, jobs=2 if launcher else 1)
    if whom == "driver":
        process.send_signal(signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) == (143 if whom == "driver" else 130), (tmp_path / "log").read_text()
    states = [read_result(path.parent)["status"] for path in tmp_path.glob("outputs/ended/*/checkpoints")]  # type: ignore[index]
    assert set(states) == {"interrupted"}
    assert len(states) <= (os.cpu_count() or 1)
    assert "6 jobs are not done; the same command goes on with them" in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS[1:], ids=["joblib", "submitit", "ray"])
def test_workers_end_when_their_driver_is_killed(tmp_path: Path, launcher: list[str]) -> None:
    pytest.importorskip(
        {"hydra/launcher=ray": "ray", "hydra/launcher=submitit_local": "submitit"}.get(launcher[0], "os")
    )
    process = begun(tmp_path, launcher, jobs=2)
    workers = {int(pid) for file in tmp_path.rglob("starts.txt") for pid in file.read_text().split()}
    assert workers
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)
    assert progress(tmp_path / "outputs" / "ended") < 6 * 500


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_two_sweeps_of_the_same_jobs_share_them_out(tmp_path: Path) -> None:
    arguments = ["seed=1,2,3,4", "steps=5", "delay=0.05", "name=shared"]
    sweeps = [
        subprocess.Popen(command(arguments), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [sweep.wait(timeout=120) for sweep in sweeps] == [0, 0]
    assert list(starts(tmp_path / "outputs" / "shared").values()) == [1] * 4
    assert not list(tmp_path.rglob("attempts"))
