"""The charts of scores against sentence length and reordering distance."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest
from scipy import stats

from probeta.report.by_size import charts
from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep
from tests.report.synthetic import write_grid, write_run

PLACES = {"test/bleu_length_05": 5.0, "test/bleu_length_10": 10.0, "test/bleu_length_over_10": 12.5}


def test_a_line_a_variant_goes_through_the_means_over_seeds(tmp_path: Path) -> None:
    noise = random.Random(4)
    written: dict[str, list[dict[str, float]]] = {}
    for model, level in (("seq2seq", 30.0), ("seq2seq_attn", 90.0)):
        for seed in range(1, 6):
            found = {name: level - at + noise.gauss(0, 2) for name, at in PLACES.items()}
            written.setdefault(model, []).append(found)
            metrics = {"test/loss": 1.0, "test/bleu": level, "test/exact_match_length_05": 0.5, **found}
            write_run(tmp_path, [f"model={model}", f"seed={seed}"], metrics, seed=seed)
    made = charts(summarise(read_sweep(tmp_path)), Language())
    # One group alone is no curve, so exact match has no lines; the whole test set's BLEU belongs to no group.
    assert [chart.title for chart in made] == ["BLEU – source words"]
    series = {line["name"]: line for line in made[0].data["series"]}
    assert set(series) == set(written)
    for variant, seeds in written.items():
        line = series[variant]
        assert line["x"] == list(PLACES.values())
        for i, name in enumerate(PLACES):
            values = [found[name] for found in seeds]
            assert line["mean"][i] == pytest.approx(statistics.mean(values), rel=1e-3)
            low, high = stats.t.interval(0.95, len(values) - 1, statistics.mean(values), stats.sem(values))
            # BLEU ends at 100; the chart's numbers are rounded.
            assert (line["low"][i], line["high"][i]) == pytest.approx((low, min(high, 100.0)), rel=1e-3)


def test_other_sweeps_have_no_such_charts(tmp_path: Path) -> None:
    write_grid(tmp_path, {"optimizer.lr": [0.1, 1.0]}, [1, 2])
    assert charts(summarise(read_sweep(tmp_path)), Language()) == []
