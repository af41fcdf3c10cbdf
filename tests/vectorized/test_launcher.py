"""`hydra/launcher=vectorized` against the basic launcher: the same directories, but for who trained them."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from probeta.cli import main
from probeta.runs.directory import hold_lock
from probeta.sweeps.errors import SweepFailed
from probeta.vectorized.member import Member
from probeta.vectorized.train_jobs import MemberBuilder

COMMON = (
    "train", "-m", "experiment=moons_mlp", "trainer=cpu", "data.n_samples=60", "trainer.max_epochs=12",
    "model.width=4", "optimizer.lr=0.1,1e38", "seed=0,1", "optimizer.momentum=0.9",
)  # fmt: skip


def sweep(folder: Path, *arguments: str) -> tuple[int, dict[str, Path]]:
    """Exit status, and the run directories by name."""
    GlobalHydra.instance().clear()
    try:
        status = main([*COMMON, f"output_dir={folder}", *arguments])
    except SweepFailed:
        status = 1
    return status, {path.parent.name: path.parent for path in folder.glob("*/*/result.json")}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder = tmp_path_factory.mktemp("sweeps")
    return sweep(folder / "a"), sweep(folder / "b", "hydra/launcher=vectorized")


def pairs(both: tuple[Any, Any]) -> list[tuple[Path, Path]]:
    (_, single), (_, vectorized) = both
    assert sorted(single) == sorted(vectorized)
    return [(single[name], vectorized[name]) for name in single]


def test_the_same_runs_complete_and_fail(both: tuple[Any, Any]) -> None:
    assert both[0][0] == both[1][0] == 1
    statuses = [[json.loads((p / "result.json").read_text())["status"] for p in pair] for pair in pairs(both)]
    assert all(a == b for a, b in statuses)
    assert sorted(a for a, _ in statuses) == ["completed", "completed", "failed", "failed"]


def test_results_are_equal_but_for_who_trained(both: tuple[Any, Any]) -> None:
    for a, b in pairs(both):
        single, member = (json.loads((p / "result.json").read_text()) for p in (a, b))
        assert list(single) == [key for key in member if key != "ensemble_size"]
        assert member["launcher"] == "vectorized"
        if single["status"] == "completed":
            assert member["ensemble_size"] == 4
        for key in ("seed", "data_sha256", "best_checkpoint", "device", "versions"):
            assert single[key] == member[key], key
        assert single["metrics"].keys() == member["metrics"].keys()
        for name, value in single["metrics"].items():
            assert member["metrics"][name] == pytest.approx(value, abs=1e-4), name
        if single["error"]:
            assert single["error"]["type"] == member["error"]["type"] == "TrainingDiverged"


def test_files_are_those_of_single_runs(both: tuple[Any, Any]) -> None:
    for a, b in pairs(both):
        names = [{str(f.relative_to(p)) for f in p.rglob("*") if f.is_file()} for p in (a, b)]
        plain = [{n for n in found if "tfevents" not in n and n != "run.log"} for found in names]
        assert plain[0] == plain[1]
        for name in ("config", "hydra"):
            trees = [OmegaConf.to_container(OmegaConf.load(p / ".hydra" / f"{name}.yaml")) for p in (a, b)]
            assert flat_keys(trees[0]) >= flat_keys(trees[1]) - {"hydra.launcher.fallback", "hydra.launcher.chunk"}


def flat_keys(tree: Any, path: str = "") -> set[str]:
    if not isinstance(tree, dict):
        return {path}
    return set().union(*(flat_keys(v, f"{path}.{k}" if path else str(k)) for k, v in tree.items())) if tree else {path}


def test_curves_are_the_single_runs(both: tuple[Any, Any]) -> None:
    for a, b in pairs(both):
        if not (a / "metrics.csv").exists():
            continue
        single, member = (list(csv.DictReader((p / "metrics.csv").open())) for p in (a, b))
        assert [list(row) for row in single] == [list(row) for row in member]
        for mine, theirs in zip(member, single, strict=True):
            for name, value in theirs.items():
                assert (mine[name] == "") == (value == "")
                assert not value or float(mine[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize(
    "data",
    [("data.n_samples=1200", "seed=range(8)"), ("data.n_samples=203", "data.folds=5", "data.fold=range(5)", "seed=1")],
    ids=["whole lines", "folds of unequal size"],
)
def test_curves_of_the_moons_are_the_single_runs_to_the_byte(tmp_path: Path, data: tuple[str, ...]) -> None:
    line = (*data, "trainer.max_epochs=60", "model.width=64", "optimizer.lr=0.2", "optimizer.momentum=0")
    single, member = (sweep(tmp_path / name, *line, f"hydra/launcher={name}")[1] for name in ("basic", "vectorized"))
    assert len(single) in (5, 8)
    for name, path in single.items():
        assert (path / "metrics.csv").read_bytes() == (member[name] / "metrics.csv").read_bytes(), name


def test_tensorboard_reads_the_events(both: tuple[Any, Any]) -> None:
    for a, b in pairs(both):
        if json.loads((a / "result.json").read_text())["status"] != "completed":
            continue
        found = []
        for path in (a, b):
            events = EventAccumulator(str(path))
            events.Reload()
            found.append(events)
        assert found[0].Tags()["scalars"] == found[1].Tags()["scalars"]
        assert found[0].PluginTagToContent("hparams").keys() == found[1].PluginTagToContent("hparams").keys()
        for tag in ("val/loss", "train/loss", "test/acc"):
            assert [e.step for e in found[0].Scalars(tag)] == [e.step for e in found[1].Scalars(tag)]
            values = [[e.value for e in events.Scalars(tag)] for events in found]
            assert values[0] == pytest.approx(values[1], abs=1e-4)


def test_evaluate_finds_the_members_metrics_to_the_bit(both: tuple[Any, Any]) -> None:
    from probeta.config.build import build_data, build_model, resolve_config
    from probeta.vectorized.run_directory import evaluate

    for _, path in pairs(both):
        result = json.loads((path / "result.json").read_text())
        if result["status"] != "completed":
            continue
        tree = resolve_config(OmegaConf.load(path / ".hydra" / "config.yaml"))
        data = build_data(tree)
        model = build_model(tree, data.spec)
        model.load_state_dict(torch.load(path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"])
        for name, value in evaluate(model, data, torch.device("cpu")).items():
            assert result["metrics"][name] == value


def test_weights_ruined_by_the_last_update_fail_alike(tmp_path: Path) -> None:
    arguments = ("data.batch_size=null", "trainer.max_epochs=1", "optimizer.lr=0.1,1e38", "seed=0")
    errors = []
    for launcher in ("basic", "vectorized"):
        status, runs = sweep(tmp_path / launcher, f"hydra/launcher={launcher}", *arguments)
        results = [json.loads((path / "result.json").read_text()) for path in runs.values()]
        assert status == 1
        assert sorted(r["status"] for r in results) == ["completed", "failed"]
        errors += [r["error"]["message"] for r in results if r["error"]]
    assert errors[0] == errors[1]
    assert " at step 1 " in errors[0]


def test_what_cannot_be_vectorized_goes_to_the_fallback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("checkpoints=best,all", "optimizer.lr=0.1", "seed=0", "hydra.launcher.fallback=basic")
    status, runs = sweep(tmp_path, "hydra/launcher=vectorized", *arguments)
    assert status == 0
    launchers = {json.loads((path / "result.json").read_text())["launcher"] for path in runs.values()}
    assert launchers == {"vectorized", "basic"} or len(runs) == 2
    assert "1 job goes to the basic launcher: checkpoints=all keeps the Trainer's own state" in capsys.readouterr().out


def test_a_second_call_finds_what_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path, "hydra/launcher=vectorized", "optimizer.lr=0.1")
    _, runs = sweep(tmp_path, "hydra/launcher=vectorized", "optimizer.lr=0.1", "seed=0,1,2")
    assert "1 of 3 jobs to run" in capsys.readouterr().out
    assert len(runs) == 3


def test_what_another_process_makes_or_has_made_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep that was started together with this one has completed a job and begun another since this one looked."""
    line = ("hydra/launcher=vectorized", "optimizer.lr=0.1")
    _, earlier = sweep(tmp_path / "earlier", *line)
    (name, made), _ = sorted(earlier.items())
    make = MemberBuilder.make
    with ExitStack() as other:

        def make_and_meddle(self: MemberBuilder, tree: dict[str, Any]) -> Member:
            (folder,) = (tmp_path / "sweep").glob("*")
            if not (folder / name).exists():
                shutil.copytree(made, folder / name)
                (busy,) = (job for job in json.loads((folder / "sweep.json").read_text())["jobs"] if "seed=2" in job)
                (folder / busy).mkdir()
                other.enter_context(hold_lock(folder / busy))
            return make(self, tree)

        monkeypatch.setattr(MemberBuilder, "make", make_and_meddle)
        status, runs = sweep(tmp_path / "sweep", *line, "seed=0,1,2,3")
    told = capsys.readouterr().out
    assert status == 0
    assert "2 of 4 runs are left out: another process makes them or has made them" in told
    assert "1 jobs run in another process" in told
    results = {name: json.loads((path / "result.json").read_text()) for name, path in runs.items()}
    assert [result["seed"] for _, result in sorted(results.items())] == [0, 1, 3]
    assert [result["ensemble_size"] for result in results.values()] == [2, 2, 2]
    assert (runs[name] / "result.json").read_bytes() == (made / "result.json").read_bytes()
    assert (runs[name] / "result.json").stat().st_mtime_ns == (made / "result.json").stat().st_mtime_ns


def test_plain_hydra_may_launch_it(tmp_path: Path) -> None:
    status, runs = sweep(tmp_path, "hydra/launcher=vectorized", "hydra/sweeper=basic", "optimizer.lr=0.1")
    assert status == 0
    assert {json.loads((path / "result.json").read_text())["status"] for path in runs.values()} == {"completed"}
    assert len(runs) == 2
