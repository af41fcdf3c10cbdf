from __future__ import annotations

import itertools

import pytest

from probeta.composition.grid import expand
from probeta.errors import ConfigError


def test_the_points_are_those_of_nested_loops() -> None:
    grid = expand(["a=1,2", "b=x", "c=range(0,3)", "+d=choice(p,q)"])
    expected = [("b=x", f"a={a}", f"c={c}", f"+d={d}") for a, c, d in itertools.product((1, 2), (0, 1, 2), ("p", "q"))]
    assert grid.points() == expected
    assert grid.fixed == ("b=x",)


def test_without_axes_there_is_one_point() -> None:
    assert expand(["a=1", "b=2"]).points() == [("a=1", "b=2")]


def test_the_last_line_of_a_key_wins() -> None:
    assert expand(["seed=1,2,3", "seed=4"]).points() == [("seed=4",)]
    assert expand(["seed=4", "seed=1,2"]).points() == [("seed=1",), ("seed=2",)]


@pytest.mark.parametrize("line", ["a=interval(0,1)", "a=range(3,3)"])
def test_what_is_no_list_of_values_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="a="):
        expand([line])
