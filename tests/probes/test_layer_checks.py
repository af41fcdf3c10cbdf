"""The batched gradient check against one evaluation at a time, exact gradients and torch's own check."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from probeta.errors import ConfigError
from probeta.probes.bugs import BUGS, inject
from probeta.probes.finite_differences import central_differences, list_layers
from probeta.probes.gradcheck import torch_gradcheck
from probeta.probes.layer_checks import STEPS, check_gradients
from tests.probes.objectives import Classified, LastState, mlp, points, sequences


class Scalar(nn.Module):
    """sin θ + θ² at θ = 0.7: its derivative is cos 0.7 + 1.4."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([0.7], dtype=torch.float64))

    def forward(self) -> Tensor:
        return (torch.sin(self.theta) + self.theta**2).sum()


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_the_scalar_example_has_the_derivative_that_calculus_gives(dtype: torch.dtype, digits: float) -> None:
    [check] = check_gradients(Scalar(), dtype=dtype)
    assert check.right
    assert check.numeric == pytest.approx(math.cos(0.7) + 1.4, rel=digits)
    assert check.backprop == pytest.approx(math.cos(0.7) + 1.4, rel=1e-6)


def test_batched_differences_are_those_of_one_evaluation_at_a_time() -> None:
    model, args = mlp(batch_norm=True).double().eval(), points()
    args = (args[0].double(), args[1])
    for name, parameter in model.named_parameters():
        index = torch.arange(0, parameter.numel(), 2)
        together, batched = central_differences(model, args, name, parameter, index, 1e-5, True)
        assert batched
        for i, found in zip(index, together, strict=True):
            losses = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[i] += sign * 1e-5
                    losses.append(float(model(*args)))
                    parameter.view(-1)[i] -= sign * 1e-5
            assert float(found) == pytest.approx((losses[0] - losses[1]) / 2e-5, abs=1e-9)


@pytest.mark.parametrize("dtype", list(STEPS))
@pytest.mark.parametrize(
    "settings",
    [{}, {"batch_norm": True}, {"layer_norm": True, "residual": True, "depth": 3}, {"activation": "gelu"}],
)
def test_a_right_net_passes_in_either_format_and_agrees_with_torch(
    dtype: torch.dtype, settings: dict[str, object]
) -> None:
    model = mlp(**settings)
    checks = check_gradients(model, points(), dtype=dtype)
    assert [check.layer for check in checks] == [layer.name for layer in list_layers(model)]
    assert all(check.right and check.batched for check in checks), checks
    assert all(torch_gradcheck(model, points()).values())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_net_passes(cell: str) -> None:
    model = Classified(LastState(cell, layers=2, bidirectional=True))
    assert all(check.right for check in check_gradients(model, sequences()))


def test_a_step_across_a_kink_is_made_again_smaller() -> None:
    class Kinked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.theta = nn.Parameter(torch.tensor([1e-6], dtype=torch.float64))

        def forward(self) -> Tensor:
            return torch.relu(self.theta).sum() + 0.5

    [check] = check_gradients(Kinked())
    assert check.right
    assert check.retried == 1
    assert check.numeric == pytest.approx(1.0, rel=1e-4)


class Sum(nn.Module):
    """`slope · f(θ)` of one number."""

    def __init__(self, value: float, function: Callable[[Tensor], Tensor], slope: float = 1.0) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([value, 0.3], dtype=torch.float64))
        self.function, self.slope = function, slope

    def forward(self) -> Tensor:
        return 0.7 + self.slope * (self.function(self.theta[0]) + self.theta[1])


@pytest.mark.parametrize("dtype", list(STEPS))
def test_a_parameter_on_a_kink_is_left_out(dtype: torch.dtype) -> None:
    """At 0 the difference gives half the slope of a ReLU at any step, and backpropagation none."""
    [check] = check_gradients(Sum(0.0, torch.relu), dtype=dtype)
    assert check.right
    assert not check.retried


@pytest.mark.parametrize("dtype", list(STEPS))
def test_a_step_across_a_kink_is_made_again_in_either_format(dtype: torch.dtype) -> None:
    [check] = check_gradients(Sum(STEPS[dtype] / 3, torch.relu), dtype=dtype)
    assert (check.right, check.retried) == (True, 1)


@pytest.mark.parametrize("bug", list(BUGS))
def test_what_rounding_hides_is_neither_right_nor_wrong(bug: str) -> None:
    [check] = check_gradients(Sum(0.5, lambda x: BUGS[bug](x.sin()), 1e-13))
    assert check.verdict == "not resolved"
    [check] = check_gradients(Sum(0.5, lambda x: BUGS[bug](x.sin()), 1e-2))
    assert check.wrong


def test_a_step_that_is_lost_in_rounding_accuses_nobody() -> None:
    checks = check_gradients(mlp(), points(), dtype=torch.float32, step=1e-9)
    assert {check.verdict for check in checks} == {"not resolved"}


@pytest.mark.parametrize("kind", list(BUGS))
def test_a_bug_below_ten_saturated_layers_is_not_called_right(kind: str) -> None:
    model = mlp(depth=10, width=16, activation="sigmoid")
    with inject(model, points(), "net.hidden.0.linear", kind):
        assert not check_gradients(model, points(), count=20)[0].right


@pytest.mark.parametrize("seed", range(5))
def test_fresh_batch_norm_above_dead_units_is_right(seed: int) -> None:
    model = mlp(depth=3, width=4, activation="relu", batch_norm=True)
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    assert not any(check.wrong for check in check_gradients(model, points(32)))


def test_a_net_that_cannot_be_batched_is_checked_one_copy_at_a_time() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x).sum()
            return y if y.item() > 0 else -2 * y

    [check] = check_gradients(Branching(), (points()[0],))
    assert check.right
    assert not check.batched


def test_the_model_its_modes_and_the_generators_stay_as_they_were() -> None:
    model = mlp(batch_norm=True, dropout=0.3)
    model.net.hidden[0].eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    check_gradients(model, points(), dtype=torch.float32)
    assert torch.equal(before, torch.get_rng_state())
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_only_rows_of_an_embedding_that_the_batch_reads_are_drawn() -> None:
    class Embedded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return (self.table(ids) ** 2).sum()

    [check] = check_gradients(Embedded(), (torch.tensor([3, 7, 3]),))
    assert check.right
    assert check.count == 4


def test_the_padding_row_of_an_embedding_is_not_taken_for_a_bug() -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(9, 2, padding_idx=0)
            nn.init.ones_(self.table.weight)

        def forward(self, ids: Tensor) -> Tensor:
            return (self.table(ids) ** 2).sum()

    [check] = check_gradients(Padded(), (torch.tensor([[3, 0], [5, 3]]),))
    assert check.right
    assert check.count == 4


@pytest.mark.parametrize(
    ("key", "settings"),
    [("probe.count", {"count": 0}), ("probe.step", {"step": 0.0}), ("probe.tolerance", {"tolerance": -1.0})],
)
def test_settings_without_sense_are_refused(key: str, settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=key):
        check_gradients(Scalar(), **settings)  # type: ignore[arg-type]
