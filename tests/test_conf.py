"""Every configuration that ships composes and passes the checks of its command; what is short also runs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import probeta.conf
import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from probeta.commands.probe import check as check_probe
from probeta.composition.composer import Composer
from probeta.config.build import check
from probeta.config.trust import resolve
from probeta.data.spec import PointsSpec, SequenceSpec, TextSpec
from probeta.exercises import commands, exercise
from probeta.runs.row import REPLICATES
from probeta.sweeps.study import Study, list_lines

ROOT = Path(str(files(probeta.conf)))
CHECKS = {"train": check, "probe": check_probe}
GROUPS = ("attention", "callbacks", "data", "decoding", "experiment", "logger", "model", "optimizer", "scheduler",
          "trainer")  # fmt: skip
"""Groups of `train.yaml`; probes and studies have tests of their own, and those of Hydra are logging formats."""

DATA = {PointsSpec: "separable", SequenceSpec: "random_sequences", TextSpec: "toy_pairs"}
"""Data for each kind that models read."""

BESIDE = {
    "attention/none": ["model=seq2seq"],
    "decoding/none": ["data=moons"],
    "optimizer/none": ["data=separable"],
    "data/table": ["data.target=kind"],
    "data/parallel_text": ["data.source=en", "data.target=de"],
}
"""What an option needs beside it."""

SMALL = {
    "MoonsData": ["data.n_samples=200"],
    "SeparableData": ["data.n_samples=40"],
    "RandomSequencesData": ["data.length=6"],
    "GrammarData": ["data.n_samples=60", "data.n_val=20", "data.n_test=20", "data.max_depth=0", "data.max_length=8"],
}

HANDED_OVER = {"data/given_points", "data/given_pairs", "model/given_net"}
"""What Python calls choose with what they were given: tests/api/test_calls.py."""

NOT_RUN = {
    "trainer/gpu": "needs a GPU",
    "trainer/mps": "needs Apple's GPU",
    "trainer/ddp": "starts processes of its own: tests/test_distributed.py",
    "trainer/debug": "prints what one batch does: tests/test_cli.py",
    "callbacks/learning_rate_finder": "trains 60 steps more: tests/callbacks",
}
"""Studies are not run either: their jobs are composed and checked here, and take up to hours."""

QUICK = ("data/random_sequences", "experiment/moons_warmup_cosine", "experiment/perceptron", "callbacks/saturation")
"""What runs in the fast suite; the others are slow."""


def options(group: str) -> list[str]:
    return sorted(file.stem for file in (ROOT / group).glob("*.yaml"))


def shipped(but: dict[str, str] | None = None) -> list[Any]:
    every = [f"{group}/{name}" for group in GROUPS for name in options(group)]
    return [
        pytest.param(case, marks=pytest.mark.slow) if but is not None and case not in QUICK else case
        for case in every
        if case not in {*HANDED_OVER, *(but or {})}
    ]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen sentence pairs under the names of `data=parallel_text` and of Multi30k."""
    folder = tmp_path_factory.mktemp("texts")
    words = [f"w{i} w{i + 1} w{i * 7 % 12}" for i in range(12)]
    for stem in ("train", "val", "test", "train.lc.norm.tok", "val.lc.norm.tok", "test_2016_flickr.lc.norm.tok"):
        for language in ("en", "de"):
            (folder / f"{stem}.{language}").write_text("".join(f"{line} {language}\n" for line in words))
    (folder / "table.csv").write_text("width,kind\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)))
    return folder


@pytest.fixture
def choose(
    configure: Callable[..., DictConfig], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """The overrides that choose an option, with what it needs beside it."""
    monkeypatch.setenv("PROBETA_MULTI30K", str(texts))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def overrides(case: str) -> list[str]:
        group, _, name = case.partition("/")
        beside = BESIDE.get(case, ["model=seq2seq_attn"] if group == "attention" else [])
        if group == "model":
            model: Any = resolve(configure(f"model={name}").model._target_, "model")
            beside = [f"data={DATA[model.accepts]}"]
        elif not beside and group not in ("data", "experiment"):
            beside = ["data=moons"]
        places = {"data/parallel_text": [f"data.root={texts}"], "data/table": [f"data.path={texts / 'table.csv'}"]}
        return [*beside, f"{group}={name}", *places.get(case, [])]

    return overrides


@pytest.mark.parametrize("case", shipped())
def test_every_option_composes_and_is_accepted(case: str, configure: Any, choose: Callable[..., list[str]]) -> None:
    check(configure(*choose(case)))


@pytest.mark.parametrize("name", options("probe"))
def test_every_probe_composes_and_is_accepted(name: str, configure: Any, tmp_path: Path) -> None:
    config = tmp_path / ".hydra" / "config.yaml"
    config.parent.mkdir()
    config.touch()
    run = [f"run={tmp_path}"] if name == "attention" else []
    check_probe(configure(f"probe={name}", *run, config="probe"))


@pytest.mark.parametrize("name", options("study"))
def test_every_kind_of_job_of_every_study_is_accepted(name: str, configure: Any, choose: Any) -> None:
    """One seed of each variant and of each point of its grids and of its search."""
    exercises = {f"exercise_{number:02d}": command for number, command in commands().items()}
    command = exercises.get(name, "train")
    chosen = [f"study={name}"]
    study = Study.read(configure(*chosen, config=command).study)
    jobs = list_lines(study, chosen, "1", {k: v for k, v in study.params.items() if k not in REPLICATES})
    if study.search is not None:
        jobs += list_lines(study, chosen, "1", study.search.params)
    reported: set[str] = set()
    with initialize_config_module("probeta.conf", version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        composer = Composer(loader, loader.load_configuration(command, chosen, run_mode=RunMode.MULTIRUN))
        for job in jobs:
            reported |= CHECKS[command](composer.task(job.overrides)) or set(study.metrics)
    derived = set() if study.exercise is None else set(exercise(study.exercise).NAMES)
    assert {re.sub(r"/\d+$", "/0", name) for name in study.metrics} - reported - derived == set()


@pytest.mark.parametrize("case", shipped(but=NOT_RUN))
def test_every_option_runs(case: str, configure: Any, choose: Any, train: Callable[..., dict[str, Any]]) -> None:
    given = choose(case)
    data = configure(*given).data._target_.rpartition(".")[2]
    quick = ["trainer.max_epochs=1", *([] if case.startswith("trainer/") else ["trainer=cpu"])]
    result = train(*given, *SMALL.get(data, []), *quick, *([] if case.startswith("logger/") else ["logger=none"]))
    assert result["status"] == "completed", result["error"]
    assert math.isfinite(result["metrics"]["train/loss"])


def test_reasons_are_given_for_options_that_there_are() -> None:
    every = {f"{group}/{name}" for group in GROUPS for name in options(group)}
    assert {*BESIDE, *HANDED_OVER, *NOT_RUN, *QUICK} <= every
    assert {file.parent.relative_to(ROOT).parts[0] for file in ROOT.glob("*/**/*.yaml")} == {
        *GROUPS, "hydra", "probe", "study",
    }  # fmt: skip
