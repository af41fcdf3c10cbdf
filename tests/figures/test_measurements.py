from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probeta.figures.length import distance_figure
from probeta.figures.measurements import MeasurementTable, geometric


def test_the_interval_of_a_geometric_mean_is_student_s_of_the_logarithms() -> None:
    values = np.random.default_rng(0).lognormal(size=7)
    [mean], [low], [high] = geometric([np.append(values, 0.0)])
    expected = stats.t.interval(0.95, 6, np.log(values).mean(), stats.sem(np.log(values)))
    assert (np.log(low), np.log(high)) == pytest.approx(expected)
    assert mean == pytest.approx(stats.gmean(values))


def test_one_value_has_no_interval() -> None:
    assert [float(x[0]) for x in geometric([np.array([3.0])])] == pytest.approx([3.0] * 3)


def test_titles_of_panels_are_read_and_not_typeset_as_source() -> None:
    rows = [("state_gradient", k, 0.5**k) for k in range(4)]
    rows += [("rate", 0, 0.5), ("spectral_radius", 0, 0.6), ("largest_singular", 0, 1.1)]
    names, distances, values = zip(*rows, strict=True)
    columns = {"cell": ["rnn"] * len(rows), "quantity": names, "distance": distances, "value": values}
    drawn = distance_figure(MeasurementTable({name: np.array(column) for name, column in columns.items()}), "n = 1")
    titles = [axes.get_title() for axes in drawn.axes]
    assert titles == ["rnn\nrecurrent matrix:\nρ = 0.60, σₘₐₓ = 1.10"]
    assert drawn.axes[0].title.get_window_extent().width < drawn.bbox.width
