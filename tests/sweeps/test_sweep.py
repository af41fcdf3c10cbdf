"""Whole multiruns of the small program, in this process."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probeta.errors import ConfigError, RunDirectoryError
from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.runs.directory import hold_lock
from probeta.runs.table import read_sweep
from probeta.sweeps.errors import SweepFailed

Sweep = Callable[..., Any]


def starts(directory: Path) -> dict[str, int]:
    """Job → how often its job function began, archived tries included."""
    found: dict[str, int] = {}
    for file in directory.rglob("starts.txt"):
        job = file.relative_to(directory).parts[0]
        found[job] = found.get(job, 0) + len(file.read_text().splitlines())
    return found


def rows(directory: Path) -> list[dict[str, str]]:
    with open(directory / "summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def only(folder: Path) -> Path:
    [directory] = folder.iterdir()
    return directory


def test_the_same_command_again_runs_nothing(sweep: Sweep, tmp_path: Path) -> None:
    first = sweep("model.width=2,4", "seed=1,2")
    directory = only(tmp_path / "outputs")
    summary = (directory / "summary.csv").read_bytes()
    assert sweep("seed=1,2", "model.width=2,4") == first
    assert set(starts(directory).values()) == {1}
    assert (directory / "summary.csv").read_bytes() == summary
    page = (directory / "report.html").stat().st_ino
    assert sweep("seed=1,2", "model.width=2,4") == first
    assert (directory / "report.html").stat().st_ino == page
    assert len(rows(directory)) == 4


def test_one_more_value_runs_only_the_new_jobs(sweep: Sweep, tmp_path: Path) -> None:
    sweep("model.width=2,4", "seed=1,2")
    sweep("model.width=2,4,6", "seed=1,2")
    directory = only(tmp_path / "outputs")
    assert sorted(starts(directory).values()) == [1] * 6
    assert [row["model.width"] for row in rows(directory)] == ["2", "2", "4", "4", "6", "6"]


def test_a_failed_job_is_told_and_kept_and_the_others_go_on(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SweepFailed) as failed:
        sweep("fault=raise,diverge,none", "seed=1,2", "name=faults")
    assert failed.value.code == 1
    assert str(failed.value) == "4 of 6 jobs failed"
    said = capsys.readouterr().out
    assert said.index("FAILED raise,seed=1") < said.index("completed none,seed=1")
    assert "ValueError: what was asked for cannot be had" in said
    assert "TrainingDiverged: train/loss is nan at step 0" in said
    directory = tmp_path / "outputs" / "faults"
    assert [row["status"] for row in rows(directory)].count("completed") == 2
    with pytest.raises(SweepFailed):
        sweep("fault=raise,diverge,none", "seed=1,2", "name=faults")
    assert sorted(starts(directory).values()) == [1, 1, 2, 2, 2, 2]
    raised = next(directory.glob("raise,seed=1-*"))
    earlier = json.loads((raised / "attempts" / "1" / "result.json").read_text())
    assert earlier["status"] == "failed"


def test_a_job_is_retried_as_often_as_asked(sweep: Sweep, tmp_path: Path) -> None:
    results = sweep("fault=once", "seed=1,2", "retries=1", "name=again")
    assert [result["status"] for result in results.values()] == ["completed"] * 2
    with pytest.raises(SweepFailed):
        sweep("fault=raise", "seed=1", "retries=2", "name=never")
    assert list(starts(tmp_path / "outputs" / "never").values()) == [3]


def test_fail_fast_starts_no_further_job_and_a_later_call_goes_on(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(SweepFailed):
        sweep("fault=none,raise", "seed=1,2", "fail_fast=true", "name=fast")
    directory = tmp_path / "outputs" / "fast"
    assert sum(starts(directory).values()) == 3
    with pytest.raises(SweepFailed):
        sweep("fault=none,raise", "seed=1,2", "name=fast")
    assert sum(starts(directory).values()) == 5
    assert not list(directory.glob(".stop*"))


def test_batches_go_on_after_a_failure(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(SweepFailed):
        sweep("fault=raise,none", "seed=1,2,3", "hydra.sweeper.max_batch_size=2", "name=batches")
    assert [row["status"] for row in rows(tmp_path / "outputs" / "batches")].count("completed") == 3


def test_a_changed_configuration_in_an_old_directory_is_refused_with_the_difference(
    sweep: Sweep, tmp_path: Path
) -> None:
    sweep("model.width=2,4", "seed=1", "name=mine")
    job = next((tmp_path / "outputs" / "mine").glob("width=2,*"))
    config = job / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.1", "lr: 0.3"))
    # The recorded hash answers for a configuration that has not changed: a run of another one left another.
    changed = json.loads((job / "result.json").read_text()) | {"config_sha256": "0"}
    (job / "result.json").write_text(json.dumps(changed))
    with pytest.raises(RunDirectoryError, match=r"optimizer.lr was 0\.3, now 0\.1.*rerun=true"):
        sweep("model.width=2,4", "seed=1", "name=mine")
    assert sum(starts(tmp_path / "outputs" / "mine").values()) == 2
    sweep("model.width=2,4", "seed=1", "name=mine", "rerun=true")
    assert sum(starts(tmp_path / "outputs" / "mine").values()) == 4
    assert (job / "attempts" / "1" / "result.json").exists()


def test_an_interrupted_job_goes_on_from_its_checkpoint(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("seed=1,2", "steps=4", "name=mine")
    job = next((tmp_path / "outputs" / "mine").glob("*seed=2*"))
    (job / "result.json").unlink()
    (job / "checkpoints" / "last.ckpt").write_text("2")
    (job / "metrics.csv").write_text("step,epoch,val/loss\n0,0,1.0\n1,1,0.5\n")
    capsys.readouterr()
    sweep("seed=1,2", "steps=4", "name=mine")
    assert "continue" in capsys.readouterr().out
    assert len((job / "metrics.csv").read_text().splitlines()) == 5
    (job / "result.json").unlink()
    (job / "checkpoints" / "last.ckpt").unlink()
    sweep("seed=1,2", "steps=4", "name=mine")
    assert (job / "attempts" / "1" / "metrics.csv").exists()
    assert len((job / "metrics.csv").read_text().splitlines()) == 5


def test_a_job_that_runs_elsewhere_is_left_alone(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("seed=1,2", "name=mine")
    job = next((tmp_path / "outputs" / "mine").glob("*seed=2*"))
    (job / "result.json").unlink()
    with hold_lock(job):
        sweep("seed=1,2", "name=mine")
    assert "runs in another process" in capsys.readouterr().out
    assert sum(starts(tmp_path / "outputs" / "mine").values()) == 2


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.width=2,-1"], "model.width=-1"),
        (["model=small,huge"], "huge"),
        (["optimizer.lrr=1,2"], "optimizer.lrr"),
    ],
)
def test_a_mistake_in_any_job_is_found_before_the_first_runs(
    sweep: Sweep, tmp_path: Path, overrides: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        sweep(*overrides, "seed=1,2")
    assert not list(tmp_path.rglob("starts.txt"))


def test_a_folder_that_cannot_be_written_is_refused(sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="file"):
        sweep("seed=1,2", "output_dir=file")


def test_the_place_can_be_said(sweep: Sweep, tmp_path: Path) -> None:
    sweep("seed=1,2", "hydra.sweep.dir=here/it is")
    assert len(list((tmp_path / "here" / "it is").glob("seed=*"))) == 2


def test_a_study_runs_its_variants_over_its_seeds_and_compares_them(sweep: Sweep, tmp_path: Path) -> None:
    sweep("study=widths")
    directory = tmp_path / "outputs" / "widths"
    assert [(row["variant"], row["seed"]) for row in rows(directory)] == [
        (variant, str(seed)) for variant in ("narrow", "wide") for seed in (1, 2, 3)
    ]
    text = (directory / "summary.md").read_text()
    assert "Does width matter?" in text
    assert "wide" in text.split("Differences")[1]
    sweep("study=widths", "seed=1,2,3,4")
    assert len(rows(directory)) == 8
    assert set(starts(directory).values()) == {1}
    assert {row["variant"] for row in rows(directory)} == {"narrow", "wide"}


@pytest.mark.parametrize("seeds", ["range(5,7)", "5,6", "[5,6]", "choice(5,6)"])
def test_the_command_replaces_what_a_study_says(sweep: Sweep, tmp_path: Path, seeds: str) -> None:
    sweep("study=widths", f"study.seeds={seeds}", "study.question=And now?", "study.reference=null")
    directory = tmp_path / "outputs" / "widths"
    assert [(row["variant"], row["seed"]) for row in rows(directory)] == [
        (variant, str(seed)) for variant in ("narrow", "wide") for seed in (5, 6)
    ]
    assert "And now?" in (directory / "summary.md").read_text()


def test_the_command_replaces_what_a_study_s_search_says(sweep: Sweep, tmp_path: Path) -> None:
    sweep("study=rates", "study.search.seeds=7,8,9", "study.seeds=1,2")
    directory = tmp_path / "outputs" / "rates"
    assert {row["seed"] for row in rows(directory / "search")} == {"7", "8", "9"}
    assert len(rows(directory)) == 2 * 2


def test_an_axis_beside_a_study_s_variants_adds_to_their_names(sweep: Sweep, tmp_path: Path) -> None:
    sweep("study=widths", "optimizer.lr=0.1,0.2", "seed=1")
    names = {row["variant"] for row in rows(tmp_path / "outputs" / "widths")}
    assert names == {f"{variant}, lr={lr}" for variant in ("narrow", "wide") for lr in ("0.1", "0.2")}


def test_a_study_with_a_search_compares_each_variant_at_its_own_best(sweep: Sweep, tmp_path: Path) -> None:
    sweep("study=rates")
    directory = tmp_path / "outputs" / "rates"
    assert len(rows(directory / "search")) == 2 * 3 * 2
    found = rows(directory)
    # The program's loss is smallest at a rate of 0.2, whatever the optimizer.
    assert {row["optimizer.lr"] for row in found if "optimizer.lr" in row} <= {"0.2"}
    assert [(row["variant"], row["seed"]) for row in found] == [
        (variant, str(seed)) for variant in ("sgd", "adam") for seed in (1, 2, 3)
    ]
    assert "optimizer.lr=0.2" in (directory / "summary.md").read_text()


def test_a_study_s_unknown_key_and_two_studies_at_once_are_refused(sweep: Sweep) -> None:
    with pytest.raises(ConfigError, match=r"study\.sede.*study\.seeds"):
        sweep("study=widths", "+study.sede=1")
    with pytest.raises(ConfigError, match=r"study\.sede.*study\.seeds"):
        sweep("study=widths", "+study.sede=1,2")
    with pytest.raises(ConfigError, match=r"optimizer\.lr=0\.1,0\.2"):
        sweep("study=rates", "study.params.optimizer.lr=0.1,0.2")
    with pytest.raises(ConfigError, match="one study at a time"):
        sweep("study=widths,rates")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("study.variants=1", "a mapping"),
        ("study.variants={wide: 'model.width=8'}", r"study\.variants\.wide=model\.width=8 .* a list of overrides"),
        ("study.metrics=7", "a list of metrics"),
        ("+study.curves=[[train/loss]]", "a list of metrics"),
        ("+study.notes='Hello, reader.'", "a list of sentences"),
        ("study.name=../elsewhere", "a folder name"),
        ("study.name=train", "a folder name"),
        ("+study.search=3", "a mapping"),
        ("+study.search={seeds: 1, metric: val/loss}", r"study\.search\.params is missing"),
        ("+study.search={params: {steps: 1}, seeds: 1, metric: val/loss, size: 2}", r"study\.search\.size"),
        ("+study.params={model.width: [2,4]}", r"study\.variants\.narrow sets model\.width, and so does study\.params"),
        ("+study.search={params: {model.width: 1}, seeds: 1, metric: val/loss}", r"so does study\.search\.params"),
        ("study.variants={narrow: ['seed=3']}", r"study\.variants\.narrow sets seed, and so does study\.seeds"),
    ],
)
def test_a_study_s_value_of_another_kind_is_refused(sweep: Sweep, tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sweep("study=widths", override)
    assert not (tmp_path / "outputs").exists()


def test_a_study_may_be_of_some_of_its_variants_whatever_they_are_called(sweep: Sweep, tmp_path: Path) -> None:
    sweep("study=spoken", "+study.only=['wide, of course', wide]")
    listed = json.loads((tmp_path / "outputs" / "spoken" / "sweep.json").read_text())
    assert {job["variant"] for job in listed["jobs"].values()} == {"wide, of course", "wide"}
    assert listed["reference"] is None  # narrow, which is left out
    with pytest.raises(ConfigError, match=r"unknown variant 'wid': did you mean 'wide'"):
        sweep("study=spoken", "+study.only=[narrow,wid]")


def test_metrics_that_no_run_recorded_are_named(sweep: Sweep, tmp_path: Path) -> None:
    sweep("study=widths", "study.metrics=test/loss,test/los")
    text = (tmp_path / "outputs" / "widths" / "summary.md").read_text()
    assert "No run recorded test/los. There are: test/loss, " in text
    assert (
        "No run recorded test/los. There are: test/loss, "
        in (tmp_path / "outputs" / "widths" / "report.html").read_text()
    )
    sweep("study=widths", "study.metrics=test/loss")  # its runs are not repeated
    assert "No run recorded" not in (tmp_path / "outputs" / "widths" / "summary.md").read_text()
    assert set(starts(tmp_path / "outputs" / "widths").values()) == {1}
    with pytest.raises(ConfigError, match=r"study.search.metric=val/los is not accepted"):
        sweep("study=rates", "study.search.metric=val/los")  # before any run
    with pytest.raises(ConfigError, match=r"unknown metric 'val/lo/loss'.*'val/loss'"):
        sweep("study=rates", "study.search.metric=val/lo/loss")


@pytest.mark.parametrize("damage", [b"", bytes(300), b"model: [1"])
def test_a_damaged_configuration_is_named_and_stops_no_other_job(
    damage: bytes, sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("seed=1,2", "name=mine")
    job = next((tmp_path / "outputs" / "mine").glob("*seed=2*"))
    (job / ".hydra" / "config.yaml").write_bytes(damage)
    sweep("seed=1,2,3", "name=mine")
    # A finished job's recorded hash shows that it is the one asked for.
    assert sum(starts(tmp_path / "outputs" / "mine").values()) == 3
    (job / "result.json").write_bytes(damage)
    capsys.readouterr()
    sweep("seed=1,2,3", "name=mine")
    assert f"{job}/.hydra/config.yaml is damaged" in capsys.readouterr().out
    assert sum(starts(tmp_path / "outputs" / "mine").values()) == 4
    assert (job / "attempts" / "1" / "result.json").exists()


def test_a_damaged_definition_is_named_and_written_anew(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("model.width=2,4", "seed=1,2,3", "name=mine")
    definition = tmp_path / "outputs" / "mine" / "sweep.json"
    whole = json.loads(definition.read_text())
    definition.write_text(definition.read_text()[:100])
    damaged = summarise(read_sweep(definition.parent))
    assert str(definition) in damaged.notes(Language("en"))[0]
    assert damaged.comparisons == []
    sweep("model.width=2,4", "seed=1,2,3", "name=mine")
    assert str(definition) in capsys.readouterr().err
    assert json.loads(definition.read_text())["jobs"] == whole["jobs"]


@pytest.mark.parametrize("record", ["{", '{"status": "completed", "overrides": ["seed=[1", "=2"]}'])
def test_a_run_with_a_damaged_record_is_left_out_and_named(record: str, sweep: Sweep, tmp_path: Path) -> None:
    sweep("seed=1,2,3", "name=mine")
    place = tmp_path / "outputs" / "mine"
    job = next(place.glob("*seed=2*"))
    (job / "result.json").write_text(record)
    (job / "link").symlink_to(tmp_path / "nowhere")
    summary = summarise(read_sweep(place))
    assert [run.status for run in summary.sweep.runs].count("damaged") == 1
    assert [str(job / "result.json") in note for note in summary.notes(Language("en"))].count(True) == 1
    assert next(iter(summary.groups[0].measured.values())).n == 2


def test_a_run_elsewhere_is_read_through_a_link_and_never_written(sweep: Sweep, tmp_path: Path) -> None:
    sweep("seed=1,2", "name=mine")
    place = tmp_path / "outputs" / "mine"
    job = next(place.glob("*seed=2*"))
    elsewhere = job.rename(tmp_path / "elsewhere")
    job.symlink_to(elsewhere)
    assert [run.status for run in read_sweep(place).runs] == ["completed"] * 2
    sweep("seed=1,2", "name=mine")  # completed: nothing is written there
    (elsewhere / "result.json").unlink()
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    with pytest.raises(RunDirectoryError, match=f"is a link to {elsewhere}"):
        sweep("seed=1,2", "name=mine")
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before


def test_axes_that_move_together_make_the_diagonal_in_a_sweep_of_its_own(sweep: Sweep, tmp_path: Path) -> None:
    axes = ("model.width=2,4,8", "optimizer.lr=0.1,0.2,0.4")
    sweep(*axes, "seed=1,2", "zip=[model.width,optimizer.lr]")
    directory = only(tmp_path / "outputs")
    assert directory.name.startswith("width+lr,seed-")
    pairs = [("2", "0.1"), ("4", "0.2"), ("8", "0.4")]
    assert [(row["model.width"], row["optimizer.lr"], row["seed"]) for row in rows(directory)] == [
        (*pair, seed) for pair in pairs for seed in ("1", "2")
    ]
    assert {row["variant"] for row in rows(directory)} == {f"width={width}, lr={lr}" for width, lr in pairs}
    sweep("zip=[optimizer.lr,model.width]", "seed=1,2,3", *axes)
    assert sorted(starts(directory).values()) == [1] * 9
    text = (directory / "summary.md").read_text()
    assert "model.width, optimizer.lr change together" in text
    assert '"axes":["model.width","optimizer.lr"]' in (directory / "report.html").read_text()
    crossed = sweep(*axes, "seed=1,2")
    assert len(crossed) == 18
    assert len(list((tmp_path / "outputs").iterdir())) == 2
    # The same point is the same job wherever it stands.
    assert {path.name for path in directory.iterdir() if "seed=1" in path.name} <= set(crossed)


def test_axes_of_a_study_and_its_search_move_together(sweep: Sweep, tmp_path: Path) -> None:
    held = ("+study.params={model.width:'2,4',optimizer.lr:'0.1,0.2'}", "+study.zip=[model.width,optimizer.lr]")
    sweep("study=widths", "study.variants=null", "study.reference=null", *held, "seed=1")
    directory = tmp_path / "outputs" / "widths"
    assert [(r["model.width"], r["optimizer.lr"]) for r in rows(directory)] == [("2", "0.1"), ("4", "0.2")]
    # What the command holds fixed moves with nothing.
    sweep("study=widths", "study.variants=null", "study.reference=null", *held, "optimizer.lr=0.3", "seed=1", "name=b")
    assert {row["variant"] for row in rows(tmp_path / "outputs" / "b")} == {"width=2", "width=4"}
    grid = "+study.search.params={optimizer.lr:'0.1,0.2',delay:'0.0,0.001'}"
    sweep("study=rates", grid, "zip=[optimizer.lr,delay]", "study.seeds=[1]", "study.search.seeds=[11]")
    assert len(rows(tmp_path / "outputs" / "rates" / "search")) == 2 * 2
    assert len(rows(tmp_path / "outputs" / "rates")) == 2


def test_unequal_axes_are_refused_before_anything_is_written(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model.width has 2, optimizer.lr has 3"):
        sweep("model.width=2,4", "optimizer.lr=0.1,0.2,0.4", "zip=[model.width,optimizer.lr]")
    with pytest.raises(ConfigError, match=r"zip=\[seed,steps\] is not accepted: steps is given no values"):
        sweep("study=widths", "zip=[seed,steps]")
    with pytest.raises(ConfigError, match=r"optimizer.lr is given no values"):
        sweep("study=rates", "steps=2,3,4", "zip=[optimizer.lr,steps]")
    assert not (tmp_path / "outputs").exists() or not list((tmp_path / "outputs").iterdir())
