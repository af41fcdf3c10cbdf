"""What a key's page says is accepted is what a run says when it refuses."""

from __future__ import annotations

import pytest

from docs.options import CONF, Option
from docs.ranges import find_accepted


@pytest.mark.parametrize(
    ("option", "key", "accepted"),
    [
        ("model=mlp", "model.width", "a whole number from 1"),
        ("model=mlp", "model.activation", "gelu, identity, relu, sigmoid, tanh"),
        ("model=mlp", "model.batch_norm", None),
        ("optimizer=sgd", "optimizer.lr", "a number from 0"),
        ("attention=additive", "attention.size", "a whole number from 1 or null"),
        ("probe=depth", "probe.depths", "a list of a whole number from 1"),
        ("study=regularization", "study.max_seeds", "a whole number from 3"),
    ],
)
def test_what_is_accepted_is_what_a_refusal_says(option: str, key: str, accepted: str | None) -> None:
    group, _, name = option.partition("=")
    keys = [told for told in Option(CONF / group / f"{name}.yaml").keys if told.path == key]
    assert len(keys) == 1
    assert find_accepted(option, keys).get(key) == accepted
