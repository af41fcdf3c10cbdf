from __future__ import annotations

from pathlib import Path

import pytest

from probeta.commands.report import main
from probeta.errors import ConfigError, RunDirectoryError
from probeta.report.summary import groups_csv, summarise
from probeta.report.together import write_together
from probeta.runs.table import read_pair, read_sweep, read_together
from probeta.stats.comparisons import paired_p
from tests.report.synthetic import write_grid, write_run


def test_variants_of_two_sweeps_are_compared_over_the_seeds_that_they_share(tmp_path: Path) -> None:
    left = write_grid(tmp_path / "one", {"optimizer.lr": [0.1]}, range(1, 6))
    right = write_grid(tmp_path / "two", {"model.width": [8, 16]}, range(2, 8))
    sweep = read_together([tmp_path / "one", tmp_path / "two"])
    assert sweep.variants == ["lr=0.1", "width=8", "width=16"]
    found = {(c.a, c.b): c for c in summarise(sweep).comparisons}
    a, b = left["optimizer.lr=0.1"], right["model.width=16"]
    pair = found["width=16", "lr=0.1"]
    assert pair.seeds == 4
    assert pair.p == pytest.approx(paired_p([b[seed] - a[seed] for seed in range(2, 6)]))
    written = write_together([str(tmp_path / "one"), str(tmp_path / "two")], metrics=["test/loss"])
    assert written.page == tmp_path / "two" / "against_one.html"
    assert "test/loss" in written.text
    assert "lr=0.1" in written.page.read_text()


def test_a_variant_of_several_folders_is_named_by_them(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write_grid(tmp_path / name, {"optimizer.lr": [0.1, 0.2]}, [1, 2])
    run = write_run(tmp_path / "runs", ["optimizer.lr=0.3", "seed=1"], {"test/acc": 0.9})
    sweep = read_together([tmp_path / "one", tmp_path / "two", tmp_path / "three", run])
    assert sweep.variants[:2] == ["one: lr=0.1", "one: lr=0.2"]
    assert sweep.variants[-2:] == ["three: lr=0.2", "lr=0.3"]
    two = [write_run(tmp_path / n, ["optimizer.lr=0.3", "seed=1"], {"test/acc": 0.9}, seed=1) for n in ("x", "y")]
    two[1].rename(tmp_path / "y" / "other")
    assert read_together([two[0], tmp_path / "y" / "other"]).variants == [two[0].name, "other"]


def test_a_run_is_named_by_what_it_ran_with_where_another_overrides_it(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "a", ["seed=1"], {"test/acc": 0.9})
    (plain / ".hydra" / "config.yaml").write_text("optimizer: {lr: 0.05}\ntrainer: {max_epochs: 7}\n")
    (plain / ".hydra" / "hydra.yaml").write_text(
        "hydra: {runtime: {choices: {model: mlp, scheduler: none}, config_sources: []}}\n"
    )
    changed = ["model=logistic", "optimizer.lr=0.05", "optimizer.beta=1", "scheduler=cosine", "trainer.max_epochs=9"]
    other = write_run(tmp_path / "b", [*changed, "seed=1"], {"test/acc": 0.9})
    names = ["mlp, scheduler=none, max_epochs=7", "logistic, beta=1, cosine, max_epochs=9"]
    assert [run.variant for run in read_pair(plain, other).runs] == [
        f"{a}: {b}" for a, b in zip("AB", names, strict=True)
    ]
    assert sorted(read_together([plain, other]).variants) == sorted(names)


def test_the_command_takes_a_metric_and_any_number_of_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "three"):
        write_grid(tmp_path / name, {"optimizer.lr": [0.1, 0.2]}, [1, 2, 3])
    folders = [str(tmp_path / name) for name in ("one", "two", "three")]
    assert main([folders[0], "metric=val/loss,test/acc"]) == 0
    assert "| variant | n | val/loss" in capsys.readouterr().out
    assert (tmp_path / "one" / "groups.csv").read_text().startswith("variant,jobs,completed,failed,val/loss n")
    assert main([*folders, "metric=test/loss"]) == 0
    assert "three: lr=0.2" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"test/losss.*test/loss"):
        main([*folders, "metric=test/losss"])
    with pytest.raises(ConfigError, match="twice"):
        main([folders[0], folders[0]])
    with pytest.raises(RunDirectoryError, match="nowhere"):
        main([folders[0], str(tmp_path / "nowhere")])


def test_groups_csv_has_the_metrics_of_the_tables_alone(tmp_path: Path) -> None:
    many = {f"test/recall/{i}": 0.5 for i in range(40)} | {"test/acc": 0.9, "test/loss": 0.1}
    write_run(tmp_path, ["model.width=8", "seed=1"], many)
    header = groups_csv(summarise(read_sweep(tmp_path))).splitlines()[0].split(",")
    assert len(header) == 4 + 4 * 7
