from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probeta.figures.measurements import geometric


def test_the_interval_of_a_geometric_mean_is_student_s_of_the_logarithms() -> None:
    values = np.random.default_rng(0).lognormal(size=7)
    [mean], [low], [high] = geometric([np.append(values, 0.0)])
    expected = stats.t.interval(0.95, 6, np.log(values).mean(), stats.sem(np.log(values)))
    assert (np.log(low), np.log(high)) == pytest.approx(expected)
    assert mean == pytest.approx(stats.gmean(values))


def test_one_value_has_no_interval() -> None:
    assert [float(x[0]) for x in geometric([np.array([3.0])])] == pytest.approx([3.0] * 3)
