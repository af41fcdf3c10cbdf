"""A compiled graph computes what was recorded, on other numbers, in less memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from probeta.vectorized.graph import compile_graph

GENERATOR = torch.Generator().manual_seed(0)
SHIFT = torch.arange(5.0)


def draw(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.randn(shape, generator=GENERATOR) for shape in shapes]


def step(x: Tensor, w: Tensor, running: Tensor) -> list[Tensor]:
    """Views, aliases, an input written in place, several results of one operation, a constant, and a gradient."""
    with torch.enable_grad():
        leaf = w.detach().requires_grad_()
        h = torch.relu(x @ leaf + SHIFT)
        z = (h + 1) * torch.tanh(h) - h.detach()
        alias = z.view(-1)
        running.mul_(0.5).add_(z.detach().sum(0))
        (grad,) = torch.autograd.grad((alias * alias).sum() + z.unbind(0)[1].sum(), leaf)
    return [z.detach(), grad, alias.detach() * 1]


SHAPES = ((4, 3), (3, 5), (5,))


def assert_same(function: Callable[..., list[Tensor]], shapes: Sequence[tuple[int, ...]]) -> None:
    """Outputs, and what became of the inputs, are equal to the bit on numbers that were not recorded."""
    replay = compile_graph(function, draw(*shapes))
    for _ in range(3):
        inputs = draw(*shapes)
        copies = [t.clone() for t in inputs]
        expected, outputs = function(*inputs), replay(*copies)
        for a, b in zip([*expected, *inputs], [*outputs, *copies], strict=True):
            assert torch.equal(a, b)


def test_a_graph_computes_what_was_recorded_on_other_numbers() -> None:
    assert_same(step, SHAPES)


def test_recording_does_not_write_into_the_inputs() -> None:
    inputs = draw(*SHAPES)
    copies = [t.clone() for t in inputs]
    compile_graph(step, inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, copies, strict=True))


def test_what_is_still_needed_is_not_overwritten() -> None:
    def read_again(x: Tensor) -> list[Tensor]:
        a = x + 1
        view = a.t()
        b = torch.tanh(a)  # `a` is read below, by way of its view
        c = torch.exp(view)
        d = x + 3
        return [b, c, d, torch.neg(d)]  # an output is the caller's

    def both_orders(x: Tensor) -> list[Tensor]:
        a = x - 1
        return [a * a.t(), torch.neg(x)]  # an input is the caller's, too

    assert_same(read_again, ((4, 4),))
    assert_same(both_orders, ((4, 4),))


def test_an_output_that_was_multiplied_by_one_is_not_an_input() -> None:
    def unchanged(x: Tensor) -> list[Tensor]:
        return [torch.ops.aten.mul.Scalar(x, 1)]

    (x,) = draw((3,))
    (output,) = compile_graph(unchanged, [x])(x)
    assert output.data_ptr() != x.data_ptr()


class Memories(TorchDispatchMode):
    """How many distinct memories results are written to, none of them being freed."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.tensors += [t for t in (result if isinstance(result, (list, tuple)) else [result]) if t is not None]
        return result

    def __len__(self) -> int:
        return len({t.untyped_storage().data_ptr() for t in self.tensors})


def test_elementwise_results_are_written_over_what_nothing_reads_afterwards() -> None:
    def chain(x: Tensor, y: Tensor) -> list[Tensor]:
        return [torch.tanh(torch.relu(y + x * 2) / 3).detach() * torch.exp(y)]

    inputs = draw((4,), (3, 4))
    replay = compile_graph(chain, inputs)
    counts = []
    for function in (chain, replay):
        with Memories() as memories:
            function(*inputs)
        counts.append(len(memories))
    # y + … and exp(y) are new; everything else is written over them, but for x * 2, which is smaller.
    assert counts == [7, 3]
