from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra

from probeta.cli import main
from probeta.errors import ConfigError
from probeta.runs.row import REPLICATES
from probeta.sweeps.crossing import leave_out_absent
from probeta.sweeps.question import Wanted

SOURCES = ("seeds.init", "seeds.order", "seeds.noise", "data.seed")


@pytest.mark.parametrize(
    ("experiment", "there"),
    [
        (["experiment=moons_mlp"], {"seeds.init", "data.seed"}),
        (["experiment=moons_mlp", "data.batch_size=64"], {"seeds.init", "seeds.order", "data.seed"}),
        (["experiment=moons_dropout"], {"seeds.init", "seeds.noise", "data.seed"}),
        (["experiment=toy_seq2seq_attn"], {"seeds.init", "seeds.order"}),
        (["experiment=toy_seq2seq_attn", "model.teacher_forcing_ratio=0.5"], set(SOURCES) - {"data.seed"}),
        (["experiment=toy_seq2seq_attn", "data.batch_size=null"], {"seeds.init"}),
        (["experiment=grammar_transformer", "model.dropout=0.1"], set(SOURCES)),
    ],
)
def test_only_what_a_run_draws_is_crossed(configure: Any, experiment: list[str], there: set[str]) -> None:
    points = product(*([f"{key}={value}" for value in range(2)] for key in SOURCES))
    wanted = [Wanted((*experiment, "seed=42", *point)) for point in points]
    kept = leave_out_absent(wanted, lambda lines: configure(*lines))
    assert len(kept) == 2 ** len(there)
    for want in kept:
        assert {line.partition("=")[0] for line in want.overrides} & set(REPLICATES) == there | {"seed"}
        assert set(want.absent) == set(SOURCES) - there


@pytest.mark.parametrize("value", ["1.5", "-1", "one"])
def test_a_value_that_is_no_seed_is_refused_where_its_axis_is_left_out_too(configure: Any, value: str) -> None:
    wanted = [Wanted(("experiment=moons_mlp", f"seeds.order={seed}")) for seed in (1, value)]
    with pytest.raises(ConfigError, match=rf"seeds\.order={value}"):
        leave_out_absent(wanted, lambda lines: configure(*lines))


def test_what_does_not_compose_is_left_to_the_check_of_the_jobs(configure: Any) -> None:
    wanted = [Wanted(("experiment=moons_mlp", "optimizer.lrr=1", f"seeds.order={seed}")) for seed in range(2)]
    assert leave_out_absent(wanted, lambda lines: configure(*lines)) == wanted


def test_a_seed_that_is_held_stays(configure: Any) -> None:
    wanted = [Wanted(("experiment=moons_mlp", "seeds.order=3", f"seeds.init={seed}")) for seed in range(2)]
    assert leave_out_absent(wanted, lambda lines: configure(*lines)) == wanted


def test_other_studies_stay_as_they_are(configure: Any) -> None:
    wanted = [Wanted(("experiment=moons_mlp", f"data.seed={seed}")) for seed in range(3)]
    assert leave_out_absent(wanted, lambda lines: configure(*lines)) == wanted


def test_the_study_of_variance_runs_for_any_experiment(tmp_path: Path) -> None:
    GlobalHydra.instance().clear()
    small = ["data.n_samples=60", "trainer.max_epochs=3", "model.width=4", "trainer=cpu"]
    crossed = ["seeds.init=range(3)", "seeds.noise=range(2)", "data.seed=range(2)"]
    status = main(["train", "study=variance", "experiment=moons_dropout", *small, *crossed, f"output_dir={tmp_path}"])
    assert status == 0
    with (tmp_path / "variance" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["variant"] for row in rows} == {"all"}
    shares = [row["sources"] for row in csv.DictReader((tmp_path / "variance" / "variance.csv").open(newline=""))]
    assert shares[:3] == ["seeds.init", "seeds.noise", "data.seed"]
    assert "no such source" in (tmp_path / "variance" / "report.html").read_text()
