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


def test_axes_that_move_together_are_those_of_pairs_in_nested_loops() -> None:
    grid = expand(["a=1,2", "zip=[b,d]", "b=x,y,z", "c=5,6", "+d=range(3)", "zip=[a,c]"])
    pairs = [(a, c, b, d) for a, c in zip((1, 2), (5, 6), strict=True) for b, d in zip("xyz", range(3), strict=True)]
    assert grid.points() == [(f"a={a}", f"c={c}", f"b={b}", f"+d={d}") for a, c, b, d in pairs]
    assert grid == expand(["zip=[[b,+d],[a,c]]", "a=1,2", "b=x,y,z", "c=5,6", "+d=range(3)"])
    assert grid.names() == ["a+c", "b+d"]
    assert expand(["zip=null", "a=1,2"]).points() == [("a=1",), ("a=2",)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["zip=[a,b]", "a=1,2", "b=1,2,3"], "a has 2, b has 3"),
        (["zip=[a,b]", "a=1,2", "b=1"], "b is given no values"),
        (["zip=[a]", "a=1,2"], r"\[optimizer.lr,model.width\]"),
        (["zip=a,b", "a=1,2", "b=1,2"], "zip=a,b is not accepted"),
        (["zip=[[a,b],c]", "a=1,2", "b=1,2", "c=1,2"], "names axes"),
        (["zip=[1,2]"], "names axes"),
        (["zip=[a,b]", "zip=[b,c]", "a=1,2", "b=1,2", "c=1,2"], "b twice"),
        (["zip=[a,a]", "a=1,2"], "a twice"),
    ],
)
def test_groups_that_cannot_move_together_are_refused(lines: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        expand(lines).points()
