"""Lines with bands: means of all runs, also of those that have stopped."""

from __future__ import annotations

from probeta.report.charts import POINTS, band


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
