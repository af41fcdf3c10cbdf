"""Lines with bands: means of all runs, also of those that have stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from probeta.report.answer import Answer
from probeta.report.charts import POINTS, band, lines
from probeta.report.language import Language
from probeta.report.page import render
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep
from tests.report.synthetic import write_grid


def test_a_run_that_has_stopped_keeps_its_last_value() -> None:
    long, short = {0: 1.0, 1: 0.8, 2: 0.2}, {0: 2.0, 1: 1.0}
    drawn = band([long, short])
    assert drawn == {"x": [1, 2, 3], "mean": [1.5, 0.9, 0.6], "low": [1.0, 0.8, 0.2], "high": [2, 1, 1], "runs": 2}
    alone = band([long, short], keep=False)
    assert alone is not None
    assert alone["mean"] == [1.5, 0.9, 0.2]


def test_what_begins_later_is_not_made_up_before() -> None:
    drawn = band([{0: 1.0, 9: 1.0}, {9: 3.0}])
    assert drawn is not None
    assert (drawn["mean"], drawn["low"]) == ([1.0, 2.0], [1.0, 1.0])


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    curve = {epoch: float(epoch) for epoch in range(1001)}
    drawn = band([curve, dict(list(curve.items())[:500])])
    assert drawn is not None
    assert len(drawn["x"]) <= POINTS + 1
    assert (drawn["x"][0], drawn["x"][-1], drawn["mean"][-1]) == (1, 1001, (1000 + 499) / 2)
    assert band([{0: 1.0}]) is None


@pytest.mark.parametrize("hint", ["", "The band is another."])
def test_a_page_says_what_the_bands_of_charts_are_that_do_not_say_it_themselves(tmp_path: Path, hint: str) -> None:
    write_grid(tmp_path, {"model.width": [1, 2]}, [1, 2])
    chart = lines("loss", "epoch", "loss", {"a": band([{0: 1.0, 1: 0.5}, {0: 0.9, 1: 0.6}])}, hint=hint)
    page = render(summarise(read_sweep(tmp_path)), Language("en"), Answer([], charts=[chart]))
    assert ("bands go from the lowest to the highest" in page) == (not hint)
