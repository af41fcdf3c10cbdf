from __future__ import annotations

import pytest

from probeta.composition.app import sweeps


@pytest.mark.parametrize(
    ("overrides", "several"),
    [
        (["hydra/sweeper=optuna", "optimizer.lr=interval(0,1)"], True),
        (["study=regularization"], True),
        (["study=null", "hydra/sweeper=probeta"], False),
        (["seed=1"], False),
    ],
)
def test_a_study_and_a_search_are_sweeps_without_saying_so(overrides: list[str], several: bool) -> None:
    assert sweeps(overrides) is several
