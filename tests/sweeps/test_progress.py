"""How far a sweep is, and what it says of the time that is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from probeta.report.language import Language
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.live import draw_table
from probeta.sweeps.progress import (
    GroupProgress,
    Progress,
    State,
    add_seconds,
    describe_time_left,
    expect,
    read_state,
    spread,
)
from probeta.sweeps.question import Definition
from probeta.sweeps.retries import Ended
from probeta.sweeps.telling import Teller
from tests.sweeps.command import run
from tests.sweeps.screen import render


@pytest.mark.parametrize(
    ("seconds", "ended", "jobs", "told"),
    [
        (4.0, 2, 6, ""),
        (20.0, 2, 6, " (about 40 s left)"),
        (60.0, 1, 4, " (about 3 min left)"),
        (3600.0, 1, 4, " (about 3.0 h left)"),
        (60.0, 4, 4, ""),
        (60.0, 5, 4, ""),
    ],
)
def test_what_is_left_goes_on_at_the_pace_so_far(seconds: float, ended: int, jobs: int, told: str) -> None:
    assert describe_time_left(seconds, ended, jobs, Language()) == told


def test_what_is_left_is_told_in_the_reader_s_language() -> None:
    assert describe_time_left(3600.0, 1, 4, Language("es")) == " (quedan unos 3,0 h)"


class Job:
    """What `Progress` reads of a job."""

    def __init__(self, folder: Path, width: int, seed: int, epochs: int | None = 10) -> None:
        self.name, self.variant = f"{width}-{seed}", ""
        self.path = folder / self.name
        self.overrides = ("experiment=moons_mlp", f"model.width={width}", f"seed={seed}")
        self.resolved: dict[str, Any] = {} if epochs is None else {"trainer": {"max_epochs": epochs}}

    def end(self, progress: Progress, seconds: float, status: str = "completed") -> None:
        result = {"status": status, "duration_s": seconds, "metrics": {}}
        cast(dict[str, Ended], progress.ended)[self.name] = Ended(cast(SweepJob, self), result)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[Progress, list[Job], list[float]]]:
    def made(widths: tuple[int, ...] = (2, 4), seeds: int = 2, **more: Any) -> tuple[Progress, list[Job], list[float]]:
        now = [100.0]
        jobs = [Job(tmp_path, width, seed, **more) for width in widths for seed in range(seeds)]
        held = cast(dict[str, SweepJob], {job.name: job for job in jobs})
        progress = Progress(held, {}, ("test/acc",), clock=lambda: now[0])
        progress.begin(held.values())
        return progress, jobs, now

    return made


def rows(progress: Progress) -> dict[str, GroupProgress]:
    labels = progress.labels()
    return {labels[row.name]: row for row in progress.groups()}


def test_groups_are_named_by_what_differs_and_count_their_jobs(make: Any) -> None:
    progress, jobs, now = make()
    assert [(name, row.jobs, row.left) for name, row in rows(progress).items()] == [
        ("width=2", 2, None),
        ("width=4", 2, None),
    ]
    assert progress.left() is None
    now[0] = 110.0
    jobs[0].end(progress, 10.0)
    jobs[1].end(progress, 3.0, "failed")
    progress.hear([State("4-0", 5.0, {"val/acc": 0.5, "val/loss": 1.0})])
    two, four = rows(progress).values()
    assert (two.done, two.failed, two.running, two.left) == (1, 1, 0, None)
    assert (four.done, four.running, four.epochs, four.of) == (0, 1, [5.0], 10)
    assert progress.metric(four) == ("val/acc", 0.5)
    # 2.5 jobs in 10 s, and 1.5 to go.
    assert four.left == pytest.approx(10 / 2.5 * 1.5)
    assert progress.left() == four.left


def test_what_a_variant_costs_counts_for_what_is_left(make: Any) -> None:
    progress, jobs, now = make(seeds=3)
    jobs[0].end(progress, 2.0)
    jobs[3].end(progress, 8.0)
    now[0] = 105.0  # two at a time: 10 s of work in 5 s
    two, four = rows(progress).values()
    assert two.left == pytest.approx(2 * 2.0 / 2)
    assert four.left == pytest.approx(2 * 8.0 / 2)


def test_jobs_that_run_are_found_by_what_they_write(make: Any, tmp_path: Path) -> None:
    progress, jobs, _ = make()
    for job in jobs[:3]:
        (job.path / ".hydra").mkdir(parents=True)
        (job.path / ".hydra" / "config.yaml").write_text("")
    os.utime(jobs[2].path / ".hydra" / "config.yaml", (0, 0))  # of an earlier try
    (jobs[0].path / "metrics.csv").write_text("step,epoch,val/loss,lr\n1,0,3.0,0.1\n2,,,0.2\n4,1,2.0,\n6,2,1.")
    progress.look()
    assert progress.states == {
        "2-0": State("2-0", 2.0, {"step": 4.0, "val/loss": 2.0, "lr": 0.2}),
        "2-1": State("2-1", 0.0, {}),
    }
    assert progress.metric(rows(progress)["width=2"]) == ("val/loss", 2.0)


@pytest.mark.parametrize("text", ["", "step,epoch\n", "step,epoch,a\n1,\n", "no,such\n1,2\n", "step,epoch\nx,y\n"])
def test_a_file_that_says_nothing_yet_tells_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    assert read_state("a", tmp_path / "metrics.csv") is None


def test_the_end_of_a_long_file_is_enough(tmp_path: Path) -> None:
    lines = [f"{n},{n},{1 / (n + 1)}" for n in range(5000)]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,epoch,val/loss", *lines]) + "\n")
    assert read_state("a", tmp_path / "metrics.csv") == State("a", 5000.0, {"step": 4999.0, "val/loss": 1 / 5000})


def test_jobs_without_epochs_and_launchers_that_tell_nothing_leave_out_what_they_cannot_say(make: Any) -> None:
    progress, _, _ = make(epochs=None)
    progress.hear([State("2-0", 0.0, {})])
    text = render(draw_table(progress, Language()))
    assert "width=2 │  0/2 │       1 │       │" in text


def test_earlier_seconds_foretell_what_is_to_run(make: Any) -> None:
    _, jobs, _ = make(seeds=4)
    assert expect(jobs, {}, 2) is None
    earlier: dict[str, list[float]] = {}
    add_seconds(earlier, jobs[0], {"status": "completed", "duration_s": 3.0})
    add_seconds(earlier, jobs[1], {"status": "failed", "duration_s": 99.0})
    assert expect(jobs, earlier, 2) == pytest.approx(8 * 3.0 / 2)
    add_seconds(earlier, jobs[4], {"status": "completed", "duration_s": 5.0})
    assert expect(jobs, earlier, 1) == pytest.approx(4 * 3.0 + 4 * 5.0)
    assert expect(jobs[:1], earlier, 2) == 3.0  # one job is not divided
    assert spread({"a": [1.0, 3.0], "b": []}) == {"a": 2.0, "b": 2.0}


def test_the_first_epochs_tell_once_how_long_it_takes(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    progress, _, now = make()
    teller = Teller("en", Definition("a", ""), progress)
    now[0] = 120.0
    teller.hear([State("2-0", 0.5, {})])
    assert capsys.readouterr().out == ""
    teller.hear([State("2-0", 2.0, {})])
    teller.hear([State("2-0", 3.0, {})])
    # A fifth of a job in 20 s, and 3.8 to go.
    assert capsys.readouterr().out == "about 6 min left by the first epochs\n"


def test_a_study_says_how_long_it_takes_before_it_starts(tmp_path: Path) -> None:
    command = ["study=widths", "delay=0.01", "steps=1"]
    first = run(tmp_path, *command).stdout.splitlines()
    assert "how long it takes is told once the first have run for a while" in first[:2]
    again = run(tmp_path, *command, "rerun=true").stdout
    assert "about 1 s by the runs that are here, 1 at a time\n" in again
