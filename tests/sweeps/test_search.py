from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra._internal.hydra import Hydra
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from probeta.composition.job import Command
from probeta.errors import ConfigError, RunDirectoryError
from probeta.runs.directory import search_address
from probeta.sweeps.errors import SweepFailed
from probeta.sweeps.space import read_space
from tests.sweeps.app import program

Sweep = Callable[..., Any]
OPTUNA = ["hydra/sweeper=optuna", "hydra.sweeper.metric=val/loss", "name=found"]


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="search", storage=f"sqlite:///{folder}/outputs/found/search.db").trials


def test_the_space_is_that_of_the_sweep_syntax() -> None:
    space = read_space(
        ["a=1,2", "b=choice(x,y)", "c=range(1,9,2)", "d=interval(0,1.5)", "e=tag(log, interval(1e-4,1e-1))",
         "f=int(interval(1,9))", "g=range(0,1,0.25)", "h=7", "seed=1,2,3", "data.seed=4,5"]
    )  # fmt: skip
    assert space.searched == {
        "a": CategoricalDistribution([1, 2]),
        "b": CategoricalDistribution(["x", "y"]),
        "c": IntDistribution(1, 7, step=2),
        "d": FloatDistribution(0, 1.5),
        "e": FloatDistribution(1e-4, 1e-1, log=True),
        "f": IntDistribution(1, 9),
        "g": FloatDistribution(0, 0.75, step=0.25),
    }
    assert space.fixed == ("h=7",)
    assert space.list_repeats()[:3] == [("seed=1", "data.seed=4"), ("seed=1", "data.seed=5"), ("seed=2", "data.seed=4")]
    assert len(space.list_repeats()) == 6


@pytest.mark.parametrize("lines", [["a=1"], ["seed=1,2"], ["a=interval(2,1)"], ["a=tag(log, interval(0,1))"]])
def test_what_cannot_be_searched_is_refused(lines: list[str]) -> None:
    with pytest.raises(ConfigError):
        read_space(lines)


def test_a_search_resumes_towards_its_total_and_a_trial_is_the_mean_over_its_seeds(
    sweep: Sweep, tmp_path: Path
) -> None:
    space = ["optimizer.lr=interval(0.0,1.0)", "seed=1,2,3"]
    sweep(*OPTUNA, *space, "hydra.sweeper.n_trials=3")
    sweep(*OPTUNA, *space, "hydra.sweeper.n_trials=5", "hydra.sweeper.n_jobs=2")
    found = trials(tmp_path)
    assert [trial.number for trial in found] == [0, 1, 2, 3, 4]
    assert len({trial.params["optimizer.lr"] for trial in found}) == 5
    for trial in found:
        # The program's own formula: width 4, seeds 1 to 3.
        expected = 0.1 + 0.25 + 0.02 + abs(trial.params["optimizer.lr"] - 0.2)
        assert trial.value is not None
        assert math.isclose(trial.value, expected, abs_tol=1e-12)
    best = min(found, key=lambda trial: trial.value or 0.0)
    assert f"best trial {best.number}: " in (tmp_path / "outputs" / "found" / "summary.md").read_text()
    sweep(*OPTUNA, *space, "hydra.sweeper.n_trials=5")
    assert len(trials(tmp_path)) == 5


def test_failed_trials_do_not_end_a_search(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(SweepFailed):
        sweep(*OPTUNA, "fault=none,raise", "model.width=range(1,99)", "hydra.sweeper.n_trials=6")
    states = [trial.state.name for trial in trials(tmp_path)]
    assert len(states) == 6
    assert {"FAIL", "COMPLETE"} == set(states)


def test_a_trial_that_was_running_when_the_search_died_is_run_again(sweep: Sweep, tmp_path: Path) -> None:
    space = "optimizer.lr=interval(0.0,1.0)"
    sweep(*OPTUNA, space, "hydra.sweeper.n_trials=1")
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path}/outputs/found/search.db")
    left = study.ask({"optimizer.lr": FloatDistribution(0.0, 1.0)})
    sweep(*OPTUNA, space, "hydra.sweeper.n_trials=2")
    found = trials(tmp_path)
    assert [trial.state.name for trial in found] == ["COMPLETE"] * 2
    assert found[1].params == left.params


def test_a_search_among_other_values_is_refused(sweep: Sweep) -> None:
    sweep(*OPTUNA, "model.width=2,4", "hydra.sweeper.n_trials=1")
    with pytest.raises(RunDirectoryError, match=r"model\.width"):
        sweep(*OPTUNA, "model.width=2,8", "hydra.sweeper.n_trials=2")


@pytest.mark.parametrize("option", ["n_trials=0", "sampler=tpp", "pruner=mean"])
def test_an_option_that_is_none_is_refused(sweep: Sweep, option: str) -> None:
    with pytest.raises(ConfigError, match=option.partition("=")[0]):
        sweep(*OPTUNA, "model.width=2,4", f"hydra.sweeper.{option}")


def test_a_search_taken_up_with_another_parameter_is_refused_before_it_runs(sweep: Sweep, tmp_path: Path) -> None:
    sweep(*OPTUNA, "optimizer.lr=0.1,0.2", "hydra.sweeper.n_trials=2")
    with pytest.raises(RunDirectoryError, match=r"a search for optimizer\.lr, now for model\.width, optimizer\.lr"):
        sweep(*OPTUNA, "optimizer.lr=0.1,0.2", "model.width=2,4", "hydra.sweeper.n_trials=4")
    assert len(trials(tmp_path)) == 2


def test_a_finished_search_repeated_tells_what_it_found(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = [*OPTUNA, "optimizer.lr=0.1,0.2", "hydra.sweeper.n_trials=2"]
    sweep(*search)
    best = min(trials(tmp_path), key=lambda trial: trial.value or math.inf)
    capsys.readouterr()
    sweep(*search)
    told = capsys.readouterr().out
    assert "all 2 trials are done" in told
    assert f"best trial {best.number}: optimizer.lr={best.params['optimizer.lr']}" in told


@pytest.mark.parametrize("name", ["q?x", "50%", "a#b", "a b%20"])
def test_the_database_of_a_search_lies_in_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    optuna.create_study(storage=search_address(tmp_path / name))
    assert (tmp_path / name / "search.db").is_file()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("lines", [[*OPTUNA[:1], "hydra.sweeper.metric=val/acc", "seed=1", "model.width=2,3"],
                                   ["study=rates", "study.search.metric=val/acc"],
                                   ["study=widths", "study.metrics=test/los"]])  # fmt: skip
def test_a_metric_that_no_run_reports_is_refused_before_any_run(
    hydra: Hydra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = Command("program", program.task, lambda config: {"val/loss", "test/loss"})
    with pytest.raises(ConfigError, match=r"unknown metric '(val/acc|test/los)'"):
        hydra.multirun("config", command, [*lines, "hydra.mode=MULTIRUN"], with_log_configuration=False)
    assert not list(tmp_path.glob("outputs/**/.hydra"))
