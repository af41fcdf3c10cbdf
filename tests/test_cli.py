"""The command line as a newcomer meets it: help, completion, mistakes, exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from probeta.cli import main


def probeta(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "probeta", *arguments],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from probeta.cli import main; main(['--help']); print({'torch', 'hydra'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert answer.stdout.splitlines()[-1] == "set()"
    commands = ("train", "probe", "evaluate", "predict", "translate", "report", "exercise", "list", "keys")
    assert all(command in answer.stdout for command in commands)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["'trian'", "'train'"]),
        (["train", "model=mpl"], ["'mpl'", "'mlp'"]),
        (["train", "model=null"], ["model=null is not accepted: one of given_net, logistic, mlp"]),
        (["train", "-m", "model=null,mlp"], ["model=null is not accepted: one of given_net, logistic, mlp"]),
        (["train", "optimizer=0.1"], ["optimizer=0.1 is not accepted: one of adam, adamw, none, sgd"]),
        (["keys", "optimizer.lrr"], ["'optimizer.lrr'", "did you mean 'optimizer.lr'"]),
        (["keys", "model=mpl"], ["'mpl'", "'mlp'"]),
        (["probe", "probe=zzz"], ["'zzz'", "accepted: attention, bug_hunt, curvature, depth, gradcheck, landscape, "]),
        (["train", "data=moons", "optimizer.lrr=1"], ["'optimizer.lrr'", "did you mean 'optimizer.lr'"]),
        (["train", "-m", "data=moons", "optimizer.lrr=1,2"], ["'optimizer.lrr'", "did you mean 'optimizer.lr'"]),
        (["train", "-m", "data=moons", "model.dropout=0.1,1.5"], ["model.dropout=1.5", "0 <= p < 1"]),
        (["train", "data=moons", "model.dropout=1.5"], ["model.dropout=1.5"]),
        (["train", "data=moons", "noise"], ["noise"]),
        (["train", "resume=nowhere"], ["nowhere", "does not exist"]),
        (["train", "resume=nowhere", "seed=1"], ["seed=1", "stands alone"]),
        (["train", "--config-dir", "nowhere", "data=moons"], ["--config-dir=nowhere"]),
        (["train", "data=moons", "optimizer.lr=nan"], ["optimizer.lr=nan", "a number"]),
        (["train", "data=moons", "lang=fr"], ["lang 'fr'", "accepted: en, es"]),
        (["train", "data=moons", "name=mine"], ["name=mine", "hydra.run.dir"]),
        (["train", "data=moons", "retries=-1"], ["retries=-1", "a whole number from 0"]),
        (["train", "-m", "data=moons", "seed=1,2", "retries=many"], ["retries=many", "a whole number"]),
        (["train", "-m", "data=moons", "seed=1,2", "fail_fast=2"], ["fail_fast=2", "true or false"]),
        (
            ["train", "-m", "hydra/sweeper=optuna", "data=moons", "optimizer.lr=interval(0.1,1)", "lang=fr"],
            ["lang 'fr'", "accepted: en, es"],
        ),
        (["train", "data=moons", "trust=5"], ["trust=5", "a list of text"]),
        (["evaluate"], ["run is missing"]),
        (["evaluate", "run=nowhere"], ["nowhere"]),
        (["evaluate", "rum=x"], ["'rum'", "'run'"]),
        (["predict", "run=nowhere", "x=[[1,2"], ["x=[[1,2"]),
        (["report", "nowhere"], ["nowhere"]),
        (["report", "nowhere", "lang=fr"], ["lang 'fr'", "accepted: en, es"]),
        (["exercise"], ["N is missing"]),
        (["exercise", "99"], ["N=99", "all, or one of 1, 2"]),
        (["exercise", "9", "lang=fr"], ["lang 'fr'", "accepted: en, es"]),
        (["train", "data=parallel_text", "data.root=."], ["data.source", "must be given"]),
        (["train", "data=parallel_text", "data.root=nowhere", "data.source=en", "data.target=de"], ["nowhere"]),
    ],
)
def test_a_mistake_takes_a_line_or_two_and_exits_2(in_folder: Path, capsys, arguments, words) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert all(word in shown for word in words), shown
    assert len(shown.strip().splitlines()) <= 2
    assert "Traceback" not in shown
    assert not list(in_folder.rglob("result.json"))


def test_a_folder_in_use_is_not_written_into(in_folder: Path, capsys) -> None:
    (in_folder / "mine").mkdir()
    (in_folder / "mine" / "notes.txt").write_text("keep me")
    assert main(["train", "data=moons", "hydra.run.dir=mine"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [p.name for p in (in_folder / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a place that cannot be written")
def test_a_place_that_cannot_be_written_is_named(in_folder: Path, capsys) -> None:
    assert main(["train", "data=moons", "output_dir=/dev/full/outputs"]) == 2
    assert "/dev/full" in capsys.readouterr().err


def test_a_diverging_run_fails_with_its_step_and_exit_status_1(in_folder: Path, capsys) -> None:
    settings = ["data=moons", "data.n_samples=40", "optimizer.lr=1e30", "trainer=cpu", "trainer.max_epochs=9"]
    assert main(["train", *settings, "hydra.run.dir=run"]) == 1
    shown = capsys.readouterr().err
    assert "train/loss is nan at step" in shown or "train/loss is inf at step" in shown
    result = json.loads((in_folder / "run" / "result.json").read_text())
    assert (result["status"], result["error"]["type"]) == ("failed", "TrainingDiverged")


def test_a_run_whose_last_update_ruins_the_weights_has_failed(in_folder: Path) -> None:
    """No loss of training follows the last update: that of the evaluation has to tell."""
    settings = ["data=moons", "data.n_samples=40", "data.batch_size=null", "optimizer=sgd", "optimizer.lr=1e38"]
    assert main(["train", *settings, "trainer=cpu", "trainer.max_epochs=1", "hydra.run.dir=run"]) == 1
    result = json.loads((in_folder / "run" / "result.json").read_text())
    assert (result["status"], result["error"]["type"]) == ("failed", "TrainingDiverged")
    assert " at step 1 " in result["error"]["message"]


def test_a_run_is_evaluated_bit_for_bit_and_predicts(in_folder: Path, capsys) -> None:
    settings = ["data=moons", "data.n_samples=60", "trainer=cpu", "trainer.max_epochs=3", "model.batch_norm=true"]
    assert main(["train", *settings, "hydra.run.dir=run", "figures=none"]) == 0
    assert main(["evaluate", "run=run"]) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert main(["predict", "run=run", "x=[[0.0,1.0],[1.0,-0.5]]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "class,p0,p1"
    assert all(abs(sum(map(float, line.split(",")[1:])) - 1) < 1e-5 for line in lines[1:])
    assert main(["predict", "run=run", "x=[[0.0,1.0,2.0]]"]) == 2


def test_an_evaluation_that_differs_says_by_how_much(in_folder: Path, capsys) -> None:
    settings = ["data=moons", "data.n_samples=60", "trainer=cpu", "trainer.max_epochs=1", "figures=none"]
    assert main(["train", *settings, "hydra.run.dir=run"]) == 0
    path = in_folder / "run" / "result.json"
    result = json.loads(path.read_text())
    loss = result["metrics"]["val/loss"]
    result["metrics"]["val/loss"] = 0.125
    path.write_text(json.dumps(result))
    capsys.readouterr()
    assert main(["evaluate", "run=run"]) == 1
    assert f"val/loss 0.125 then, {loss:.6g} now" in capsys.readouterr().out


def test_the_translator_s_run_is_evaluated_bit_for_bit(in_folder: Path, capsys) -> None:
    settings = ["trainer=cpu", "trainer.max_epochs=2", "recipe.hidden_size=8", "figures=none", "hydra.run.dir=run"]
    assert main(["train", *settings]) == 0
    assert main(["evaluate", "run=run"]) == 0
    assert "bit for bit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("probeta tr", ["train", "translate"]),
        ("probeta train optimizer=a", ["optimizer=adam", "optimizer=adamw"]),
        ("probeta train data=moo", ["data=moons"]),
        ("probeta probe probe=de", ["probe=depth"]),
    ],
)
def test_completion_knows_commands_and_options(tmp_path: Path, line: str, expected: list[str]) -> None:
    answer = probeta("-sc", "query=bash", cwd=tmp_path, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert answer.returncode == 0, answer.stderr
    found = answer.stdout.split()
    assert all(word in found for word in expected), answer.stdout


def test_completion_can_be_installed(tmp_path: Path) -> None:
    answer = probeta("train", "-sc", "install=bash", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "complete -o nospace" in answer.stdout


def test_list_has_a_line_for_everything_that_ships(capsys) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in ("moons_mlp", "toy_seq2seq_attn", "regularization", "depth"):
        [line] = [text for text in shown.splitlines() if text.split()[:1] == [name]]
        assert len(line.split()) > 3, f"{name} explains itself"


def test_debug_shows_every_module_s_shapes(in_folder: Path, capsys) -> None:
    assert main(["train", "experiment=moons_mlp", "trainer=debug"]) == 0
    shown = capsys.readouterr().out
    assert "(720, 2)" in shown
    assert "(720, 64)" in shown
    assert "322 parameters" in shown


def test_a_key_that_only_lacks_its_plus_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "data=moons", "trainer.max_steps=5"]) == 2
    assert "+trainer.max_steps=" in capsys.readouterr().err


def test_a_folder_that_is_gone_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["train", "data=moons"]) == 2
    said = capsys.readouterr().err
    assert "no longer there" in said
    assert said.count("\n") == 1


def test_a_table_that_cannot_be_printed_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path) -> None:
        raise ValueError("no such column")

    monkeypatch.setattr("probeta.commands.outcome.print_outcome", fail)
    settings = ["data=moons", "data.n_samples=40", "trainer=cpu", "trainer.max_epochs=1", "figures=none"]
    assert main(["train", *settings, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    assert "is completed; not printed: ValueError: no such column" in capsys.readouterr().err
