"""What `probe=gradcheck` shows beside the checks of each layer."""

from __future__ import annotations

from probeta.probes.gradcheck import error_by_step
from probeta.probes.layer_checks import STEPS
from tests.probes.objectives import mlp, points


def test_the_error_is_least_near_the_chosen_step() -> None:
    for dtype, step in STEPS.items():
        steps = [step * 10.0**k for k in (-3, 0, 2)]
        left, here, right = (error for _, error in error_by_step(mlp(), points(), steps, dtype, 20))
        assert here < left
        assert here < right
