"""The table of a sweep at a terminal: there while it runs, gone afterwards, and no line of a job is lost to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sweeps.command import command, run
from tests.sweeps.screen import run_at_terminal, show

SWEEP = ("model.width=2,4", "seed=range(2)", "steps=3", "delay=0.4", "fault=chatter")
LAUNCHERS = {"basic": [], "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_table_shows_what_runs_and_every_line_of_the_jobs_stays(launcher: str, tmp_path: Path) -> None:
    status, written = run_at_terminal(command([*SWEEP, *LAUNCHERS[launcher]]), tmp_path)
    assert status == 0
    assert re.search(r"width=2 │ +[012]/2 │ +[12] │ +[123] │ val/loss", written)
    assert re.search(r"all +│ +[0-3]/4", written)
    assert "\x1b[?25h" in written[written.rindex("\x1b[?25l") :], "the cursor is there"
    left = show(written)
    assert not any("│ failed" in line and "running" in line for line in left), "the table has gone"
    jobs = [path.parent.name for path in tmp_path.glob("*/*/*/result.json")]
    assert len(jobs) == 4
    for job in jobs:
        assert left.count(f"from {job}") == left.count(f"and to stderr from {job}") == 3
    assert any("4 completed" in line for line in left), "the summary follows"


def test_a_failed_job_is_told_beside_the_table(tmp_path: Path) -> None:
    status, written = run_at_terminal(command(["seed=1,2", "steps=2", "delay=0.6", "fault=diverge"]), tmp_path)
    assert status == 1
    assert sum(bool(re.match(r"[12]/2 FAILED", line)) for line in show(written)) == 2


def test_a_key_ends_the_sweep_as_without_a_table(tmp_path: Path) -> None:
    pressed: list[bool] = []

    def press(written: str) -> bytes:
        if pressed or "val/loss" not in written:
            return b""
        pressed.append(True)
        return b"\x03"

    status, written = run_at_terminal(command(["seed=range(3)", "steps=200", "delay=0.1"]), tmp_path, press)
    assert status == 130
    left = show(written)
    assert any("3 jobs are not done; the same command goes on with them" in line for line in left)
    assert not any("time left" in line for line in left)


def test_without_a_terminal_there_is_a_line_a_job_and_no_table(tmp_path: Path) -> None:
    written = run(tmp_path, *SWEEP).stdout
    assert "\x1b" not in written
    assert "time left" not in written
    assert len(re.findall(r"^[1-4]/4 completed \S+: ", written, re.MULTILINE)) == 4
