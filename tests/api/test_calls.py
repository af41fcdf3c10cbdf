"""Calls from Python leave what the commands leave, and nothing in the process that they were made in."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import shlex
import shutil
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
from probeta.api import calls
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
    assert all(name in repr(run) for name in run.metrics)
    assert "<img" in run._repr_html_()


def test_a_check_that_fails_hands_over_what_it_measured() -> None:
    with pytest.raises(RuntimeError, match="gradient check failed") as found:
        probeta.probe("gradcheck", "data=moons", "model=mlp", "probe.inject_bug=sign", "probe.dtypes=[float64]")
    run = vars(found.value)["run"]
    assert run.status == "failed"
    assert "wrong" in set(run.measurements()["verdict"])
    assert "error_by_layer" in run.figures()


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


def test_a_run_is_shown_without_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    run = probeta.train(*MOONS)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a Jupyter kernel sets it
    assert "test" in repr(run)
    assert "\x1b" not in repr(run) + run._repr_html_()


def test_a_classifier_predicts_and_a_translator_translates() -> None:
    run = probeta.load_run(probeta.train(*MOONS).path)
    answers = run.predict([[0.0, 0.5], [1.0, -0.5]])
    assert list(answers.columns) == ["class", "p0", "p1"]
    assert answers[["p0", "p1"]].sum(axis=1).to_numpy() == pytest.approx(1.0)
    translator = probeta.load_run(probeta.train(*PAIRS).path)
    assert translator.translator.net is translator.model.net
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
        "set aside": gc.get_freeze_count(),
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
        with pytest.raises(KeyboardInterrupt) as stopped:
            probeta.train(*MOONS, "output_dir=stopped")
    [path] = Path("stopped").glob("*/*")
    assert f"probeta.resume('{path}') goes on" in str(stopped.value)
    run = vars(stopped.value)["run"]
    assert (run.path, run.status) == (path.absolute(), "interrupted")
    resumed = probeta.resume(run)
    assert resumed.metrics == whole.metrics
    assert (path / "metrics.csv").read_bytes() == (whole.path / "metrics.csv").read_bytes()


def ring(n: int = 120) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Three classes by distance from the middle, in three dimensions."""
    x = np.random.default_rng(0).normal(size=(n, 3))
    return x, np.array(["near", "middle", "far"])[np.digitize(np.linalg.norm(x, axis=1), [1.2, 2.0])]


class Wide(torch.nn.Module):
    def __init__(self, in_features: int, classes: int) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(in_features, 32), torch.nn.ReLU(), torch.nn.Linear(32, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def evaluated(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["evaluate", f"run={path}"]) == 0
    return capsys.readouterr().out


def test_own_points_train_and_stay_with_the_run(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    x, y = ring()
    line = ("model=mlp", "trainer=cpu", "trainer.max_epochs=3")
    run = probeta.train(*line, data=(x, y))
    shutil.rmtree(folder / "outputs" / ".given")
    moved = run.path.rename(folder / "moved")
    assert "the same" in evaluated(moved, capsys)
    assert list(probeta.load_run(moved).predict(x[:2]).columns) == ["class", "p0", "p1", "p2"]
    sweep = probeta.sweep(*line, "optimizer.lr=0.1,0.2", data=(x, y), seeds=range(2))
    assert sweep.runs()["status"].eq("completed").all()


def test_a_data_frame_is_read_as_a_table_and_stays_with_the_run(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    import pandas as pd

    x, y = ring()
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(kind=y, city=["Rome", None] * (len(y) // 2))
    frame.loc[::5, "a"] = np.nan
    line = ("model=mlp", "trainer=cpu", "trainer.max_epochs=3", "data.target=kind")
    run = probeta.train(*line, data=frame)
    assert probeta.train(*line, data=frame).result["config_sha256"] == run.result["config_sha256"]
    assert {"test/f1/far", "test/f1/middle", "test/f1/near"} <= run.metrics.keys()
    shutil.rmtree(folder / "outputs" / ".given")
    moved = run.path.rename(folder / "moved")
    assert "the same" in evaluated(moved, capsys)
    told = probeta.load_run(moved).predict(frame.drop(columns="kind"))
    assert list(told.columns) == ["class", "p_far", "p_middle", "p_near"]
    assert set(told["class"]) <= set(y)


def test_text_columns_of_a_data_frame_stay_text_though_they_are_digits(folder: Path) -> None:
    import pandas as pd

    x, y = ring()
    codes = ["07", "7", None, "12"]
    frame = pd.DataFrame(x, columns=["a", "b, [c]", "c"]).assign(
        code=codes * (len(y) // 4), size=pd.Categorical([1, 2] * (len(y) // 2)), **{"it's a {class}": y}
    )
    line = ("model=mlp", "trainer=cpu", "trainer.max_epochs=1")
    run = probeta.train(*line, data=frame)  # the last column is the target
    columns = {column.name: column for column in run.loaded.kept.columns}
    assert columns["code"].values == ("07", "12", "7")
    assert columns["size"].values == ("1", "2")
    assert columns["b, [c]"].values is None
    seven, other = (run.predict(frame.assign(code=code))["p_far"] for code in ("7", "07"))
    assert (seven != other).any()


def test_own_pairs_train_and_stay_with_the_run(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    from probeta.data.toy_pairs import PAIRS

    run = probeta.train("trainer=cpu", "trainer.max_epochs=1", data=list(PAIRS))
    shutil.rmtree(folder / "outputs" / ".given")
    assert "the same" in evaluated(run.path, capsys)
    assert len(run.translate(["good morning"])) == 1


def test_an_own_net_trains_and_is_never_executed_from_the_run() -> None:
    run = probeta.train("trainer=cpu", "trainer.max_epochs=2", data=ring(), model=Wide)
    assert (run.path / "artifacts" / "model.py").read_text().startswith("class Wide")
    again = probeta.load_run(run.path, model=Wide)
    assert again.model.state_dict().keys() == run.model.state_dict().keys()
    with pytest.raises(ConfigError, match=r"model\.net=Wide is a class of a notebook"):
        probeta.load_run(run.path)
    with pytest.raises(ConfigError, match="is not the Linear"):
        probeta.load_run(run.path, model=torch.nn.Linear)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((np.zeros((4, 2)), np.zeros(3)), r"X is \(4, 2\) and y \(3,\)"),
        ((np.full((20, 2), np.nan), np.arange(20) % 2), "row 0, column 0 of X is nan"),
        ((np.zeros((20, 2)), np.zeros(20)), "1 classes"),
        ([("a", "b"), ("c", "")], "number 1 is"),
        ([("a", "b")], "1 pairs"),
        ((1, 2, 3), "a tuple of 3"),
    ],
    ids=range(6),
)
def test_own_data_that_cannot_train_are_refused(data: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        probeta.train("model=mlp" if isinstance(data, tuple) else "trainer=cpu", data=data)


def test_a_file_that_was_not_handed_over_is_not_read(folder: Path) -> None:
    (folder / "secret.npz").write_bytes(b"")
    with pytest.raises(ConfigError, match="a file that probeta kept"):
        probeta.train("data=given_points", f"data.file={folder / 'secret.npz'}")


def test_data_handed_over_are_kept_in_the_folder_that_the_run_is_in(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    [_, line] = calls.given((np.eye(10), [0, 1] * 5), None, ["output_dir=~/runs"])
    assert Path(line.removeprefix("data.file=")).is_relative_to(folder / "home" / "runs")
