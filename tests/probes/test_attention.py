from __future__ import annotations

import csv
from pathlib import Path

import pytest

import probeta
from probeta.errors import ConfigError, RunDirectoryError
from probeta.probes.attention import AttentionProbe


def test_it_asks_for_a_run() -> None:
    with pytest.raises(ConfigError, match="add run=DIR"):
        AttentionProbe(None)


@pytest.mark.parametrize("name", ["attention", "curvature"])
def test_a_run_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunDirectoryError, match="no run directory at"):
        probeta.probe(name, f"run={tmp_path / 'nowhere'}", f"output_dir={tmp_path / 'outputs'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["attention", "curvature"])
def test_a_run_brings_its_own_data_and_model(tmp_path: Path, name: str) -> None:
    config = tmp_path / "run" / ".hydra" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.touch()
    with pytest.raises(ConfigError, match="leave data and model out"):
        probeta.probe(name, f"run={tmp_path / 'run'}", "data=moons", "model=mlp", f"output_dir={tmp_path / 'outputs'}")


@pytest.mark.slow
def test_it_looks_into_a_finished_run(tmp_path: Path) -> None:
    common = (f"output_dir={tmp_path}", "figures=none", "logger=none")
    run = probeta.train("experiment=toy_seq2seq_attn", "trainer.max_epochs=2", *common)
    found = probeta.probe("attention", f"run={run.path}", "probe.path_steps=2", *common)
    with (found.path / "measurements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"area", "tau", "link", "drop", "exact", "bleu", "head_lost"} <= {row["quantity"] for row in rows}
    assert "explain/tau/weight" in found.metrics
    blind = probeta.train("experiment=toy_seq2seq", "trainer.max_epochs=1", *common)
    with pytest.raises(ConfigError, match="no translator with attention"):
        probeta.probe("attention", f"run={blind.path}", *common)
