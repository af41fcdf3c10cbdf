"""A finished run that is trained further is the run that would have been trained as long at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import probeta
from probeta import cli
from probeta.models.schedules import Cosine

MOONS = ["data=moons", "data.n_samples=100", "data.batch_size=13", "trainer=cpu", "figures=none"]
TOY = ["trainer=cpu", "recipe.hidden_size=9", "recipe.embedding_size=7", "figures=none"]

CASES = {
    "classifier": [*MOONS, "optimizer=adam", "model.dropout=0.3", "scheduler=plateau", "scheduler.patience=1"],
    "schedule with a length of its own": [*MOONS, "scheduler=cosine", "scheduler.length=30"],
    "mean of the last weights": [
        *MOONS,
        "model.batch_norm=true",
        "callbacks=[default,average]",
        "callbacks.average.last=3",
    ],
    "translator": [*TOY, "model.teacher_forcing_ratio=0.5", "decoding.every_n_epochs=2"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(*argv: str, into: str, status: int = 0) -> dict[str, Any]:
    assert cli.main(["train", *argv, f"hydra.run.dir={into}"]) == status
    return result(into)


def result(run: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Path(run, "result.json").read_text())
    return record


def contents(run: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(Path(run).rglob("*")) if path.is_file()}


@pytest.mark.parametrize("case", CASES)
def test_a_run_trained_further_equals_the_one_trained_at_once(case: str) -> None:
    whole = train(*CASES[case], "trainer.max_epochs=6", into="whole")
    train(*CASES[case], "trainer.max_epochs=4", into="short")
    before = contents("short")
    longer = train("extend=short", "trainer.max_epochs=6", into="longer")
    assert contents("short") == before
    same = ("metrics", "weights_sha256", "config_sha256", "overrides")
    assert {key: longer[key] for key in same} == {key: whole[key] for key in same}
    assert Path("longer/metrics.csv").read_bytes() == Path("whole/metrics.csv").read_bytes()
    first, last = (torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True) for run in ("longer", "whole"))
    assert str(first["optimizer_states"]) == str(last["optimizer_states"])
    origin = longer["extended_from"]
    assert (origin["run"], origin["epochs"]) == (str(Path("short").absolute()), 4)
    assert not origin["follows_length"]
    assert not origin["measured_last"]


STOPPING = [*MOONS, "optimizer.lr=0.5", "callbacks.early_stopping.min_delta=0.02", "trainer.max_epochs=30"]


def test_a_run_that_stopped_goes_on_with_more_patience(capsys: pytest.CaptureFixture[str]) -> None:
    key = "callbacks.early_stopping.patience"
    whole = train(*STOPPING, f"{key}=6", into="whole")
    stopped = train(*STOPPING, f"{key}=2", into="stopped")
    assert stopped["metrics"]["best_epoch"] < stopped["metrics"]["epochs"] < whole["metrics"]["epochs"]
    assert cli.main(["train", "extend=stopped", "trainer.max_epochs=40"]) == 2
    assert f"with {key} above 2 it would go on" in capsys.readouterr().err
    assert not Path("outputs").exists()
    longer = train("extend=stopped", f"{key}=6", into="longer")
    assert longer["metrics"] == whole["metrics"]
    assert longer["weights_sha256"] == whole["weights_sha256"]
    assert Path("longer/metrics.csv").read_bytes() == Path("whole/metrics.csv").read_bytes()


def test_a_schedule_that_follows_the_length_goes_on_as_that_of_the_longer_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [*MOONS, "optimizer=sgd", "optimizer.lr=0.1", "scheduler=cosine", "scheduler.interval=epoch"]
    train(*given, "trainer.max_epochs=4", into="short")
    longer = train("extend=short", "trainer.max_epochs=8", into="longer")
    assert longer["extended_from"]["follows_length"]
    assert "Not the run of all epochs at once: the schedule follows" in capsys.readouterr().err
    rates = probeta.Run("longer").curves()["lr"].tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    short, long = (Cosine(optimizer, total_epochs=n, interval="epoch").lr_lambdas[0] for n in (4, 8))
    assert rates == pytest.approx([0.1 * short(t) for t in range(4)] + [0.1 * long(t) for t in range(4, 8)])


MISTAKES = {
    "less": (["extend=short", "trainer.max_epochs=2"], "trainer.max_epochs=2 is not accepted"),
    "nothing": (["extend=short"], "needs trainer.max_epochs=N above 2"),
    "text": (["extend=short", "trainer.max_epochs=many"], "trainer.max_epochs=many is not accepted"),
    "another run": (["extend=short", "trainer.max_epochs=3", "optimizer.lr=1"], "optimizer.lr=1 is not accepted"),
    "a sweep": (["-m", "extend=short", "trainer.max_epochs=3"], "-m is not accepted"),
    "patience alone": (["extend=short", "callbacks.early_stopping.patience=30"], "needs trainer.max_epochs=N above 2"),
    "nowhere": (["extend=nowhere", "trainer.max_epochs=3"], "no run directory at nowhere"),
    "not finished": (["extend=cut", "trainer.max_epochs=3"], "resume=cut goes on with it"),
    "no checkpoint": (["extend=bare", "trainer.max_epochs=3"], "only checkpoints=all keeps it"),
    "into itself": (["extend=short", "trainer.max_epochs=3", "hydra.run.dir=short"], "is not empty"),
}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    assert cli.main(["train", *MOONS, "trainer.max_epochs=2", f"hydra.run.dir={root / 'short'}"]) == 0
    return root / "short"


@pytest.mark.parametrize("case", MISTAKES)
def test_what_makes_no_longer_run_is_refused_in_a_line(
    case: str, short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, words = MISTAKES[case]
    for name in ("short", "cut", "bare"):
        shutil.copytree(short, name)
    record = {**result("cut"), "status": "interrupted"}
    Path("cut/result.json").write_text(json.dumps(record))
    Path("bare/checkpoints/last.ckpt").unlink()
    before = contents(".")
    assert cli.main(["train", *argv]) == 2
    assert words in capsys.readouterr().err
    assert contents(".") == before


def test_python_and_the_page_say_where_it_came_from(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(short, "short")
    run = probeta.train("extend=short", "trainer.max_epochs=3", "output_dir=out")
    assert run.origin is not None
    assert run.origin.path == Path("short").absolute()
    assert run.origin.origin is None
    assert run.command == f"probeta train extend={run.origin.path} trainer.max_epochs=3"
    assert (len(run.curves()), run.path.parent) == (3, Path("out/train").absolute())
    assert cli.main(["report", str(run.path), "lang=es"]) == 0
    [page] = run.path.glob("*.html")
    assert f"{run.origin.path}, tras 2 épocas" in page.read_text()


def test_last_weights_that_are_the_best_ones_are_refused(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(short, "short")
    record = result("short")
    record["metrics"]["best_epoch"] = 1.0
    Path("short/result.json").write_text(json.dumps(record))
    assert cli.main(["train", "extend=short", "trainer.max_epochs=3"]) == 2
    assert "holds the best weights, not the last" in capsys.readouterr().err


def test_a_configuration_from_elsewhere_is_trusted_by_the_command_alone(
    short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(short, "short")
    config = Path("short/.hydra/config.yaml")
    config.write_text(config.read_text().replace("probeta.models.classifier.", "mine."))
    assert cli.main(["train", "extend=short", "trainer.max_epochs=3"]) == 2
    assert "say trust=[mine]" in capsys.readouterr().err
