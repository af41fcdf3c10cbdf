"""Calls from Python leave what the commands leave, and nothing in the process that they were made in."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import shlex
import signal
import threading
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import probeta
from probeta import cli
from probeta.errors import ConfigError

MOONS = ("experiment=moons_mlp", "trainer=cpu", "trainer.max_epochs=3")
PAIRS = ("experiment=toy_seq2seq_attn", "trainer=cpu", "trainer.max_epochs=2")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commanded(name: str, *argv: str) -> Path:
    """The folder in which the command left its only run or sweep."""
    assert cli.main([*argv, f"output_dir={name}"]) == 0
    return Path(name)


def recorded(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((path / "result.json").read_text())
    return {key: record[key] for key in ("config_sha256", "metrics", "data_sha256", "seed", "status")}


def same_runs(ours: Path, theirs: Path) -> None:
    """Each run in `ours` has its twin in `theirs`: the same configuration, metrics and curves, to the byte."""
    runs = {path.parent.name: path.parent for path in ours.rglob("result.json")}
    twins = {path.parent.name: path.parent for path in theirs.rglob("result.json")}
    assert len(runs) == len(twins) > 0
    named = runs.keys() == twins.keys()
    for name, path in runs.items():
        twin = twins[name] if named else next(iter(twins.values()))
        assert recorded(path) == recorded(twin)
        for log in ("metrics.csv", "measurements.csv"):
            assert (path / log).is_file() == (twin / log).is_file()
            if (path / log).is_file():
                assert (path / log).read_bytes() == (twin / log).read_bytes()


@pytest.mark.parametrize("overrides", [MOONS, PAIRS], ids=["classifier", "translator"])
def test_a_run_is_that_of_its_command(overrides: tuple[str, ...]) -> None:
    run = probeta.train(*overrides)
    assert (run.status, run.command) == ("completed", " ".join(["probeta", "train", *overrides]))
    same_runs(run.path, commanded("theirs", "train", *overrides))
    assert run.metrics == run.result["metrics"]
    assert list(run.curves()["train/loss"].index) == list(range(1, run.curves().index.max() + 1))


def test_a_probe_is_that_of_its_command() -> None:
    small = ("probe.depths=[2,3]", "probe.seeds=2", "probe.activations=[tanh]")
    run = probeta.probe("depth", *small)
    assert run.command == shlex.join(["probeta", "probe", "probe=depth", *small])
    same_runs(run.path, commanded("theirs", "probe", "probe=depth", *small))
    assert len(run.measurements()) > 0
    assert run.figures()


@pytest.mark.parametrize("launcher", ["basic", "vectorized"])
def test_a_sweep_is_that_of_its_command(launcher: str) -> None:
    axes = ("optimizer.lr=0.05,0.1", f"hydra/launcher={launcher}")
    sweep = probeta.sweep(*MOONS, *axes, seeds=range(2))
    same_runs(sweep.path, commanded("theirs", "train", "-m", *MOONS, *axes, "seed=0,1"))
    assert sweep.command == shlex.join(["probeta", "train", "-m", *MOONS, *axes, "seed=0,1"])


def test_a_study_is_that_of_its_command() -> None:
    study = probeta.study("regularization", "trainer=cpu", "trainer.max_epochs=2", seeds=range(2))
    line = ["train", "study=regularization", "trainer=cpu", "trainer.max_epochs=2", "study.seeds=[0,1]"]
    same_runs(study.path, commanded("theirs", *line, "hydra/launcher=vectorized"))
    assert len(study) == 2 * len(study.variants)


def test_a_sweep_shows_its_table_its_verdicts_and_its_runs() -> None:
    sweep = probeta.sweep(*MOONS, "optimizer.lr=0.001,0.3", seeds=range(3))
    table = sweep.table("val/loss")
    assert list(table.index) == ["lr=0.3", "lr=0.001"]
    runs = sweep.runs()
    for variant in sweep.variants:
        values = runs[runs["variant"] == variant]["val/loss"]
        row = table.loc[variant, "val/loss"]
        assert row["mean"] == pytest.approx(values.mean())
        assert row["std"] == pytest.approx(values.std())
        assert row["low"] < row["mean"] < row["high"]
    found = sweep.compare("lr=0.001", "lr=0.3", "val/loss")
    pairs = runs.pivot(index="seed", columns="variant", values="val/loss")
    assert abs(found.comparison.difference) == pytest.approx((pairs["lr=0.001"] - pairs["lr=0.3"]).mean())
    assert found.comparison.differs
    assert "lr=0.3" in repr(found)
    assert sweep.best("val/loss").name == "lr=0.3"
    assert sweep.run("lr=0.3", 2).metrics["val/loss"] == pairs.loc[2, "lr=0.3"]
    assert sweep.figure("val/loss").axes
    assert "lr=0.3" in repr(sweep)
    assert "<table" in sweep._repr_html_()
    for call in (lambda: sweep.compare("lr=0.3", "lr=1"), lambda: sweep.table("no"), lambda: sweep.figure("no")):
        with pytest.raises(ConfigError, match="unknown"):
            call()
    again = probeta.sweep(*MOONS, "optimizer.lr=0.001,0.3", seeds=range(3))
    assert again.path == sweep.path


def test_a_classifier_predicts_and_a_translator_translates() -> None:
    run = probeta.load_run(probeta.train(*MOONS).path)
    answers = run.predict([[0.0, 0.5], [1.0, -0.5]])
    assert list(answers.columns) == ["class", "p0", "p1"]
    assert answers[["p0", "p1"]].sum(axis=1).to_numpy() == pytest.approx(1.0)
    translator = probeta.load_run(probeta.train(*PAIRS).path)
    [text] = translator.translate(["i like books"], beam_size=2)
    attention = translator.attention("i like books")
    assert attention.weights.shape == (len(attention.target), len(attention.source))
    assert attention.weights.sum(axis=1) == pytest.approx(1.0, abs=1e-4)
    assert isinstance(text, str)
    assert "<iframe" in attention._repr_html_()
    assert attention.figure().axes
    assert "test" in repr(translator)
    with pytest.raises(ConfigError, match="no classifier"):
        translator.predict([[0.0, 0.0]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: probeta.train("optimizer.lrr=1"), "unknown key 'optimizer.lrr': did you mean 'optimizer.lr'"),
        (lambda: probeta.train("experiment=moon"), "unknown option of experiment 'moon'"),
        (lambda: probeta.train("data=moons", "model=mlp", "model.dropout=2"), "model.dropout=2 is not accepted"),
        (lambda: probeta.train("data=moons", "optimizer.lr=1,2"), "probeta.sweep makes a run of each"),
        (lambda: probeta.train("study=regularization"), "probeta.sweep and probeta.study make many"),
        (lambda: probeta.train("moons_mlp"), "did you mean experiment=moons_mlp"),
        (lambda: probeta.sweep("data=moons", seeds=[]), "seeds is empty"),
        (lambda: probeta.exercise(99), "number=99 is not accepted"),
        (lambda: probeta.Run("nowhere"), "no run directory at"),
        (lambda: probeta.resume("nowhere"), "no run directory at"),
    ],
    ids=range(10),
)
def test_mistakes_are_value_errors_in_the_command_s_words(call: Any, words: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        call()
    assert not list(folder.iterdir())


def state() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "hydra": (GlobalHydra.instance().is_initialized(), HydraConfig.instance().cfg),
        "resolvers": [name for name in ("hydra", "now", "unique") if OmegaConf.has_resolver(name)],
        "logging": (root.level, root.handlers[:], logging.getLogger("pytorch_lightning").level),
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
        "torch": (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()),
        "process": (os.getcwd(), dict(os.environ), matplotlib.get_backend(), list(warnings.filters)),
    }


def test_nothing_is_left_behind_and_an_event_loop_may_run() -> None:
    calls = [
        lambda: probeta.train(*MOONS),
        lambda: probeta.sweep(*MOONS, "optimizer.lr=0.05,0.1"),
        lambda: probeta.probe("depth", "probe.depths=[2]", "probe.seeds=2"),
    ]
    for call in calls:
        call()  # what is imported by the first call stays imported

    async def cell() -> None:
        before = state()  # with the loop's own handler of SIGINT
        for call in [*calls, *reversed(calls)]:
            call()
            assert state() == before

    asyncio.run(cell())


def test_a_stopped_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT, as a notebook's stop button sends it, in the middle of the training."""
    from probeta.callbacks.learning_rate import LearningRate

    whole = probeta.train(*MOONS)
    logged = LearningRate.on_train_batch_start

    def stop(self: Any, trainer: Any, *rest: Any) -> None:
        logged(self, trainer, *rest)
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(LearningRate, "on_train_batch_start", stop)
        with pytest.raises(KeyboardInterrupt, match="resume="):
            probeta.train(*MOONS, "output_dir=stopped")
    [path] = Path("stopped").glob("*/*")
    assert probeta.Run(path).status == "interrupted"
    resumed = probeta.resume(probeta.Run(path))
    assert resumed.metrics == whole.metrics
    assert (path / "metrics.csv").read_bytes() == (whole.path / "metrics.csv").read_bytes()
