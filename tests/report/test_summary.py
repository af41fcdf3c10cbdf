from __future__ import annotations

import csv
import io
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from probeta.errors import RunDirectoryError
from probeta.metrics.direction import choose_leading, format_metric, is_maximised
from probeta.report.language import Language
from probeta.report.summary import groups_csv, runs_csv, summarise
from probeta.runs.reading import Damaged
from probeta.runs.row import read_curves
from probeta.runs.table import read_sweep
from probeta.sweeps.report import write_report
from tests.report.synthetic import write_grid, write_run


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_a_variant_has_the_numbers_of_a_plain_loop(tmp_path: Path) -> None:
    written = write_grid(tmp_path, {"optimizer.lr": [0.1, 1.0], "model.width": [8, 16]}, range(1, 6))
    groups = {row["variant"]: row for row in table(groups_csv(summarise(read_sweep(tmp_path))))}
    assert len(groups) == 4
    for settings, values in written.items():
        lr, width = (part.split("=")[1] for part in settings.split())
        row = groups[f"width={width}, lr={lr}"]
        of_seed = list(values.values())
        assert float(row["test/acc mean"]) == pytest.approx(statistics.mean(of_seed))
        assert float(row["test/acc std"]) == pytest.approx(statistics.stdev(of_seed))
        assert (float(row["test/acc best"]), float(row["test/acc worst"])) == (max(of_seed), min(of_seed))
        assert float(row["test/loss best"]) == pytest.approx(1 - max(of_seed))
        assert float(row["test/acc ci_low"]) < float(row["test/acc mean"]) < float(row["test/acc ci_high"])
        assert (row["test/acc n"], row["jobs"], row["failed"]) == ("5", "5", "0")


def test_a_row_a_job_in_the_order_of_settings_and_seeds(tmp_path: Path) -> None:
    written = write_grid(tmp_path, {"optimizer.lr": [0.1, 0.02]}, [10, 9, 1])
    rows = table(runs_csv(summarise(read_sweep(tmp_path))))
    assert [(float(row["optimizer.lr"]), int(row["seed"])) for row in rows] == [
        (lr, seed) for lr in (0.02, 0.1) for seed in (1, 9, 10)
    ]
    for row in rows:
        assert float(row["test/acc"]) == written[f"optimizer.lr={row['optimizer.lr']}"][int(row["seed"])]


def test_runs_on_different_data_in_one_table_are_named(tmp_path: Path) -> None:
    for i, digest in enumerate("aab"):
        write_run(tmp_path, [f"model.width={i}", "seed=1"], {"test/acc": 0.5}, extra={"data_sha256": digest})
    [note] = summarise(read_sweep(tmp_path)).notes(Language("en"))
    assert "different data" in note
    assert all(f"width={i}" in note for i in (0, 2))
    assert "width=1" not in note


@pytest.mark.parametrize("key", ["data.noise", "data.seed", "experiment"])
def test_data_that_an_axis_varies_are_no_news(tmp_path: Path, key: str) -> None:
    for i, digest in enumerate("ab"):
        write_run(tmp_path, [f"{key}={i}", "seed=1"], {"test/acc": 0.5}, extra={"data_sha256": digest})
    assert not summarise(read_sweep(tmp_path)).notes(Language("en"))


def test_data_that_follow_the_seed_are_no_news_and_others_at_one_seed_are(tmp_path: Path) -> None:
    for variant, digests in {"1": "ab", "2": "ac"}.items():
        for seed, digest in enumerate(digests):
            extra = {"data_sha256": digest}
            run = write_run(
                tmp_path, [f"model.width={variant}", f"seed={seed}"], {"test/acc": 0.5}, seed=seed, extra=extra
            )
            (run / ".hydra" / "config.yaml").write_text("data:\n  seed: ${seed}\n")
    [note] = summarise(read_sweep(tmp_path)).notes(Language("en"))
    assert "seed=1" in note
    assert "seed=0" not in note


def test_failed_and_unfinished_runs_are_counted_not_averaged(tmp_path: Path) -> None:
    error = {"type": "ValueError", "message": "too\nlong", "traceback": ""}
    write_run(tmp_path, ["model.width=2", "seed=1"], {"test/acc": 0.5})
    write_run(tmp_path, ["model.width=2", "seed=2"], {"test/acc": 0.9}, status="failed", error=error)
    write_run(tmp_path, ["model.width=4", "seed=1"], {"test/acc": None})
    waiting = write_run(tmp_path, ["model.width=4", "seed=2"], {})
    (waiting / "result.json").unlink()
    summary = summarise(read_sweep(tmp_path))
    narrow, wide = table(groups_csv(summary))
    assert (narrow["test/acc mean"], narrow["completed"], narrow["failed"]) == ("0.5", "1", "1")
    assert (wide["test/acc mean"], wide["completed"], wide["failed"]) == ("", "1", "0")
    rows = table(runs_csv(summary))
    assert [row["status"] for row in rows] == ["completed", "failed", "completed", "not finished"]
    assert rows[1]["error"] == "ValueError: too long"


def test_a_study_s_names_metrics_and_reference_are_used(tmp_path: Path) -> None:
    jobs = {}
    for variant, width in (("wide", 8), ("narrow", 2)):
        for seed in (1, 2, 3):
            path = write_run(
                tmp_path, [f"model.width={width}", f"seed={seed}"], {"test/acc": width / 10 + seed / 97, "epochs": 3.0}
            )
            jobs[path.name] = {"overrides": [], "variant": variant}
    definition = {
        "name": "s",
        "question": "Why?",
        "metrics": ["epochs", "test/acc"],
        "reference": "narrow",
        "jobs": jobs,
    }
    (tmp_path / "sweep.json").write_text(json.dumps(definition))
    summary = summarise(read_sweep(tmp_path))
    assert [group.variant for group in summary.groups] == ["wide", "narrow"]
    assert summary.metrics[:2] == ("epochs", "test/acc")
    assert [(c.a, c.b) for c in summary.comparisons] == [("wide", "narrow")]
    assert "Why?" in write_report(tmp_path).text


def float32(right: int, total: int = 240) -> float:
    return float(np.float32(right) / np.float32(total))


def counted(root: Path, width: int, right: Sequence[int], data: str | None = None) -> None:
    """Runs over seeds with so many right answers of 240, as they are recorded."""
    for seed, k in enumerate(right):
        extra = {"counts": {"test/acc": [k, 240]}, "data_sha256": data or f"{seed:064d}"}
        write_run(root, [f"model.width={width}", f"seed={seed}"], {"test/acc": float32(k)}, extra=extra)


def test_accuracies_are_compared_in_counts(tmp_path: Path) -> None:
    counted(tmp_path, 2, [233, 230, 236, 200], "0" * 64)
    counted(tmp_path, 4, [234, 231, 237, 197], "0" * 64)
    summary = summarise(read_sweep(tmp_path))
    [c] = summary.comparisons
    assert (c.difference, c.p) == (0.0, 1.0)
    assert summary.groups[0].measured["test/acc"].mean == pytest.approx((233 + 230 + 236 + 200) / 960, rel=1e-15)


def test_what_is_no_count_is_read_as_the_recorded_number(tmp_path: Path) -> None:
    for seed, counts in enumerate(([5], ["1", 2], [3, 2], [1, 0], None, "x")):
        write_run(tmp_path, [f"seed={seed}"], {"test/acc": 0.5}, extra={"counts": {"test/acc": counts}})
    assert [run.value("test/acc") for run in read_sweep(tmp_path).runs] == [0.5] * 6


def test_an_interval_says_what_it_is_about(tmp_path: Path) -> None:
    for folder, data, told in (
        ("same", "0" * 64, "Intervals are over seeds, on the same data. test/acc: these 240 examples alone allow"),
        ("drawn", None, "Intervals are over seeds and the data drawn with them. test/acc: the 240 examples of a run"),
    ):
        counted(tmp_path / folder, 2, [230, 234, 238], data)
        text = write_report(tmp_path / folder).text
        assert told in text
        p = 234 / 240
        assert f"a standard error of {math.sqrt(p * (1 - p) / 240):.2g} (binomial)" in text


def test_a_metric_that_is_no_number_counts_as_a_failed_run(tmp_path: Path) -> None:
    for seed in range(8):
        write_run(tmp_path, ["model.width=2", f"seed={seed}"], {"test/loss": 1.0 + seed / 100})
        write_run(tmp_path, ["model.width=4", f"seed={seed}"], {"test/loss": None if seed else 0.5})
    summary = summarise(read_sweep(tmp_path))
    [c] = summary.comparisons
    assert (c.a, c.failed, c.ranked, c.sign, c.differs) == ("width=4", (7, 0), True, 1, True)
    [f] = summary.failures_compared
    assert (f.only, f.p, f.family) == ((7, 0), 2 / 2**7, 2)
    text = write_report(tmp_path).text
    assert "width=4 (7 failed) is worse than width=2 (0 failed)" in text
    assert "width=4 fails more often than width=2 (alone at 7 and at 0 of 8 seeds" in text


def test_n_counts_the_values_of_the_mean(tmp_path: Path) -> None:
    for seed in range(4):
        loss = 0.3 + seed if seed < 2 else None
        write_run(tmp_path, ["model.width=2", f"seed={seed}"], {"test/loss": loss, "val/loss": 1.0 + seed})
    written = write_report(tmp_path)
    row = next(line for line in written.text.splitlines() if line.startswith("| all"))
    assert [cell.strip() for cell in row.split("|")[2:5]] == ["2", "0.8 ± 0.71", "2.5 ± 1.3 (n = 4)"]
    assert '<td class="number" data-sort="2">2<small>of 4 completed</small></td>' in written.page.read_text()


def test_both_seeds_repeat_a_variant(tmp_path: Path) -> None:
    for data_seed in (1, 2):
        for seed in (1, 2):
            write_run(tmp_path, [f"data.seed={data_seed}", f"seed={seed}"], {"test/acc": 0.5})
    [group] = summarise(read_sweep(tmp_path)).groups
    assert len({run.replicate for run in group.runs}) == 4


def test_a_single_run_has_a_report_too(tmp_path: Path) -> None:
    path = write_run(tmp_path, ["seed=1"], {"test/acc": 0.5}, epochs=5)
    assert "0.5" in write_report(path).text
    assert (path / "report.html").exists()


@pytest.mark.parametrize("make", [lambda p: p / "none", lambda p: p])
def test_a_folder_without_runs_is_refused(tmp_path: Path, make: object) -> None:
    with pytest.raises(RunDirectoryError, match="no "):
        write_report(make(tmp_path))  # type: ignore[operator]


def test_curves_are_the_epochs_last_values_and_survive_a_half_written_row(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,train/loss,val/loss\n1,0,3.0,\n2,0,2.0,1.5\n3,1,1.0,nan\n4,1,,1.25\n5,2,0."
    )
    # The last number may be the first half of another.
    assert read_curves(tmp_path) == {"train/loss": {0: 2.0, 1: 1.0}, "val/loss": {0: 1.5, 1: 1.25}}
    assert read_curves(tmp_path, {"val/loss"}) == {"val/loss": {0: 1.5, 1: 1.25}}
    assert read_curves(tmp_path / "nowhere") == {}
    damage: list[Damaged] = []
    # Of a run that nobody is at any more it is no row that is being written.
    assert read_curves(tmp_path, None, damage) == {}
    assert [str(found) for found in damage] == [f"{tmp_path / 'metrics.csv'} is damaged: its last line is cut"]


def test_metrics_know_their_direction_and_their_rank() -> None:
    assert all(map(is_maximised, ("test/acc", "val/bleu", "test/bleu_13a", "test/exact_match", "val/bleu_sentence")))
    assert not any(
        map(is_maximised, ("test/loss", "val/loss_free", "epochs", "train/errors", "test/calibration_error"))
    )
    assert choose_leading(["zeta", "test/loss", "test/acc", "val/acc"]) == ["test/acc", "test/loss", "val/acc"]
    assert choose_leading(["b", "a"]) == ["a", "b"]
    assert [format_metric(v) for v in (0.5, 5.0, 1e-9, None, math.nan)] == [
        "0.5",
        "5",
        "1e-09",
        "not a number",
        "not a number",
    ]


def test_a_report_imports_nothing_heavy_that_it_does_not_need(tmp_path: Path) -> None:
    write_grid(tmp_path, {"model.width": [1, 2]}, [1, 2, 3], epochs=3)
    program = (
        "import sys; from probeta.cli import main; status = main(['report', sys.argv[1]]);"
        "names = ('torch', 'pytorch_lightning', 'pandas', 'plotly', 'optuna', 'matplotlib');"
        "heavy = [m for m in names if m in sys.modules];"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_a_thousand_runs_are_reported_within_their_memory(tmp_path: Path) -> None:
    write_grid(tmp_path, {"a": range(20), "b": range(10)}, range(5), epochs=200)
    program = (
        "import resource, sys; from probeta.sweeps.report import write_report; write_report(sys.argv[1]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    print(f"1,000 runs of 200 epochs: {time.perf_counter() - started:.1f} s, {int(done.stdout) / 1e3:.0f} MB")
    assert int(done.stdout) < 1_000_000
