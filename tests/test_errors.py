"""Checks of values that a configuration gives: what passes, and that the message names key, value and range."""

from __future__ import annotations

import numpy as np
import pytest

from probeta.errors import ConfigError, check_whole, check_whole_or_null


@pytest.mark.parametrize(("value", "least", "most"), [(1, 1, None), (0, 0, 0), (2**32 - 1, 0, 2**32 - 1)])
def test_a_whole_number_within_its_range_is_handed_on(value: int, least: int, most: int | None) -> None:
    assert check_whole("data.seed", value, least, most) == value


def test_a_number_of_numpy_s_is_a_number() -> None:
    checked = check_whole("batch_size", np.int64(4))
    assert (checked, type(checked)) == (4, int)


@pytest.mark.parametrize("value", [0, -3, 2.0, True, "2", None, float("nan"), [1]])
def test_anything_else_is_refused_by_key_value_and_range(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        check_whole("model.width", value)
    assert str(caught.value) == f"model.width={value} is not accepted: a whole number from 1"


def test_a_range_with_an_end_says_where_it_ends() -> None:
    with pytest.raises(ConfigError, match=r"^data\.max_length=401 is not accepted: a whole number from 4 to 400$"):
        check_whole("data.max_length", 401, 4, 400)


def test_null_is_accepted_where_it_means_something_and_the_message_says_what() -> None:
    assert check_whole_or_null("batch_size", None) is None
    assert check_whole_or_null("batch_size", 3) == 3
    with pytest.raises(ConfigError, match=r"batch_size=0 .* a whole number from 1, or null for the full batch$"):
        check_whole_or_null("batch_size", 0, meaning="for the full batch")
    with pytest.raises(ConfigError, match=r"from 5, or null$"):
        check_whole_or_null("size", 4, 5)
