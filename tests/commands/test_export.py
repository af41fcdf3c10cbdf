from __future__ import annotations

import csv
import json
import math
import statistics
from pathlib import Path

import pytest
from scipy.stats import t
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from probeta.commands.export import main
from probeta.errors import ConfigError
from probeta.runs.table import read_sweep
from probeta.sweeps.export import EVENTS
from probeta.sweeps.report import write_report
from tests.loggers.viewers import history, make_store, mlflow_runs, read_csv, wandb_run
from tests.report.synthetic import write_grid, write_run


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    found.Reload()
    return found


def test_means_and_intervals_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    write_grid(tmp_path, {"optimizer.lr": [0.1, 0.2]}, [1, 2, 3, 4], epochs=5)
    assert main([str(tmp_path), "to=tensorboard", "metric=test/acc"]) == 0
    found = read(tmp_path / "aggregates" / "01 lr=0.1")
    values: dict[int, list[float]] = {}
    for file in tmp_path.glob("*lr=0.1*/metrics.csv"):
        for row in csv.DictReader(file.open()):
            values.setdefault(int(row["epoch"]), []).append(float(row["val/loss"]))
    assert len(values) == 5
    for epoch, seen in values.items():
        mean, half = statistics.fmean(seen), t.ppf(0.975, 3) * statistics.stdev(seen) / math.sqrt(4)
        for end, expected in (("mean", mean), ("high", mean + half)):
            told = {event.step: event.value for event in found.Scalars(f"val/loss/{end}")}
            assert told[epoch + 1] == pytest.approx(expected, rel=1e-5), end


def test_the_overview_has_charts_with_margins_and_verdicts(tmp_path: Path) -> None:
    write_grid(tmp_path, {"optimizer.lr": [0.1, 0.2]}, [1, 2, 3], epochs=3)
    main([str(tmp_path), "metric=test/acc"])
    main([str(tmp_path), "metric=test/acc"])
    root = tmp_path / "aggregates"
    assert len(list(root.glob(EVENTS))) == 1
    found = read(root)
    assert (
        b"lr=0.2 and lr=0.1: no difference shown (test/acc"
        in found.Tensors("verdicts/text_summary")[0].tensor_proto.string_val[0]
    )
    layout = layout_pb2.Layout.FromString(found.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    charts = {chart.title: chart.margin.series[0] for category in layout.category for chart in category.chart}
    assert charts["val/loss"].lower == "val/loss/low"
    assert charts["val/loss"].value == "val/loss/mean"
    assert len(read_sweep(tmp_path).runs) == 6


def test_a_run_without_events_gets_its_own_by_step(tmp_path: Path) -> None:
    run = write_run(tmp_path, ["optimizer.lr=0.3", "seed=1"], {"test/acc": 0.9, "test/loss": None}, epochs=3)
    main([str(tmp_path)])
    assert [event.step for event in read(run).Scalars("val/loss")][:3] == [0, 1, 2]
    assert read(run).Scalars("test/acc")[0].value == pytest.approx(0.9)
    before = sorted(run.glob(EVENTS))
    main([str(tmp_path)])
    assert sorted(run.glob(EVENTS)) == before
    assert "custom_scalars__config__" not in read(tmp_path / "aggregates").Tags()["tensors"]


def test_a_run_that_ended_sooner_keeps_its_last_value(tmp_path: Path) -> None:
    for seed, epochs in ((1, 2), (2, 4)):
        write_run(tmp_path, ["optimizer.lr=0.3", f"seed={seed}"], {"test/acc": 0.9}, epochs=epochs, seed=seed)
    main([str(tmp_path)])
    rows = [list(csv.DictReader(file.open())) for file in tmp_path.glob("*/metrics.csv")]
    [folder] = [path for path in (tmp_path / "aggregates").iterdir() if path.is_dir()]
    told = {event.step: event.value for event in read(folder).Scalars("val/acc/mean")}
    assert told[4] == pytest.approx(statistics.fmean(float(row[-1]["val/acc"]) for row in rows))


def told(root: Path) -> str:
    """The Markdown under TEXT."""
    main([str(root)])
    [text] = read(root / "aggregates").Tensors("verdicts/text_summary")[0].tensor_proto.string_val
    return text.decode()


def test_who_fails_more_often_is_told(tmp_path: Path) -> None:
    for seed in range(8):
        write_run(tmp_path, ["model.width=2", f"seed={seed}"], {"test/loss": 1.0 + seed / 100})
        write_run(tmp_path, ["model.width=4", f"seed={seed}"], {"test/loss": None if seed else 0.5})
    assert "width=4 (7 failed) is worse than width=2 (0 failed)" in told(tmp_path)
    assert "width=4 fails more often than width=2 (alone at 7 and at 0 of 8 seeds" in told(tmp_path)


def test_a_study_that_stopped_by_its_decisions_tells_them(tmp_path: Path) -> None:
    write_grid(tmp_path, {"optimizer.lr": [0.1, 0.9]}, range(1, 21))
    for path in tmp_path.glob("*lr=0.9*/result.json"):
        result = json.loads(path.read_text())
        result["metrics"]["test/acc"] -= 0.5
        path.write_text(json.dumps(result))
    (tmp_path / "sweep.json").write_text(json.dumps({"until": "decided", "max_seeds": 20, "metrics": ["test/acc"]}))
    text = told(tmp_path)
    assert "## Decisions" in text
    assert "lr=0.9 is worse than lr=0.1, decided after" in text
    assert text.strip() in write_report(tmp_path).text


def test_mlflow_has_the_runs_below_the_means_of_their_variants(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("mlflow")
    store = make_store(tmp_path / "store", tmp_path_factory.getbasetemp())
    sweep = tmp_path / "outputs" / "lr"
    write_grid(sweep, {"optimizer.lr": [0.1, 0.2]}, [1, 2, 3], epochs=4)
    for _ in range(2):
        assert main([str(sweep), "to=mlflow", f"tracking_uri={store}", "metric=test/acc"]) == 0
    client, runs = mlflow_runs(store, "lr")
    assert len(runs) == 2 + 6
    mean = runs["lr=0.1"]
    assert "seed" not in mean.data.params
    below = [r for r in runs.values() if r.data.tags.get("mlflow.parentRunId") == mean.info.run_id]
    assert sorted(r.data.params["seed"] for r in below) == ["1", "2", "3"]
    means = read(export_to_tensorboard(sweep) / "01 lr=0.1")
    for end in ("mean", "low", "high"):
        expected = {event.step: event.value for event in means.Scalars(f"val/loss/{end}")}
        assert history(client, mean, f"val/loss/{end}") == pytest.approx(expected, rel=1e-5)
    one = next(path for path in sweep.glob("*lr=0.1*seed=2*"))
    assert history(client, runs[one.name], "val/loss") == read_csv(one)["val/loss"]
    write_report(sweep, metrics=["test/acc"])
    told = {row["variant"]: row for row in csv.DictReader((sweep / "groups.csv").open())}["lr=0.1"]
    for end, column in (("mean", "mean"), ("low", "ci_low"), ("high", "ci_high")):
        assert mean.data.metrics[f"test/acc/{end}"] == pytest.approx(float(told[f"test/acc {column}"]))
    note = client.get_experiment_by_name("lr").tags["mlflow.note.content"]
    assert "lr=0.2 and lr=0.1: no difference shown (test/acc" in note


def test_wandb_has_runs_means_and_verdicts_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    sweep = tmp_path / "lr"
    write_grid(sweep, {"optimizer.lr": [0.1, 0.2]}, [1, 2], epochs=2)
    (sweep / "aggregates" / "wandb" / "offline-run-earlier").mkdir(parents=True)
    assert main([str(sweep), "to=wandb", "metric=test/acc"]) == 0
    found = [wandb_run(file) for file in sweep.glob("aggregates/wandb/offline-run-*/*.wandb")]
    assert sorted(run["kind"] for run in found) == ["run"] * 4 + ["variant"] * 2 + ["verdicts"]
    assert {run["group"] for run in found} == {"lr"}
    [mean] = [run for run in found if run["name"] == "lr=0.1"]
    means = read(export_to_tensorboard(sweep) / "01 lr=0.1")
    expected = {event.step: event.value for event in means.Scalars("val/loss/high")}
    assert {row["epoch"]: row["val/loss/high"] for row in mean["history"]} == pytest.approx(expected, rel=1e-5)
    [verdicts] = [run for run in found if run["kind"] == "verdicts"]
    assert "lr=0.2 is better than lr=0.1 (test/acc" in verdicts["notes"]


def export_to_tensorboard(sweep: Path) -> Path:
    main([str(sweep), "metric=test/acc"])
    return sweep / "aggregates"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["to=aim"], "tensorboard or mlflow or wandb"),
        (["a", "project=x"], "project is not used by to=tensorboard"),
        (["a", "to=wandb", "offline=maybe"], "true or false"),
        ([], "DIR"),
        (["a", "b"], "DIR"),
        (["metrics=test/acc", "x"], "metrics"),
    ],
)
def test_mistakes_are_named(words: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        main(words)


def test_a_sweep_of_which_nothing_has_finished_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, ["seed=1"], {}, status="failed")
    with pytest.raises(ConfigError, match="has finished"):
        main([str(tmp_path)])
