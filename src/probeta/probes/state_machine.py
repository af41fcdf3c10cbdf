"""A machine of three states as the smallest recurrent net: `h_t = tanh(W_xh x_t + W_hh h_(t-1) + b)`.

The machine counts down on `x = 1` and up on `x = -1`, within -1 … 1. With `W_xh = -10, W_hh = 10, b = 0`
the net is that machine: an input saturates `tanh`, unless it cancels the state that it starts from. The
same three numbers can be *learned* from sequences, from many random starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.probes.setting import positive, whole

STATES = (-1, 0, 1)


@dataclass(frozen=True)
class Cell:
    """The net's three numbers; each may be a tensor `(K,)`, one number a net."""

    w_xh: Tensor
    w_hh: Tensor
    b: Tensor

    @classmethod
    def fixed(cls, w_xh: float = -10.0, w_hh: float = 10.0, b: float = 0.0) -> Cell:
        return cls(*(torch.tensor([value], dtype=torch.float64) for value in (w_xh, w_hh, b)))

    def run(self, x: Tensor) -> Tensor:
        """States `(K, N, T)` after each of the inputs `x (N, T)`, from `h = 0`."""
        h = torch.zeros(len(self.w_xh), x.shape[0], dtype=self.w_xh.dtype)
        states = []
        for t in range(x.shape[1]):
            h = torch.tanh(self.w_xh[:, None] * x[:, t] + self.w_hh[:, None] * h + self.b[:, None])
            states.append(h)
        return torch.stack(states, dim=2)


def inputs(values: Sequence[int]) -> Tensor:
    """`(1, T)` of the two letters that the machine reads."""
    if isinstance(values, str) or not values or any(value not in (-1, 1) for value in values):
        raise ConfigError.value("probe.inputs", list(values), "a list of -1 and 1, such as [1,1,-1]")
    return torch.tensor([list(values)], dtype=torch.float64)


def expected_states(x: Tensor) -> Tensor:
    """What the machine itself does, `(N, T)`, from state 0: `s ← clamp(s - x, -1, 1)`."""
    state = torch.zeros(x.shape[0], dtype=x.dtype)
    states = []
    for t in range(x.shape[1]):
        state = (state - x[:, t]).clamp(-1, 1)
        states.append(state)
    return torch.stack(states, dim=1)


def read(h: Tensor) -> Tensor:
    """The nearest of the three states: truncation would read -0.99 as 0."""
    return h.round().clamp(-1, 1)


@dataclass(frozen=True)
class Learned:
    """`K` nets after training, each from its own random start."""

    cell: Cell
    start: Cell
    losses: Tensor
    """`(K, updates)`: mean squared error on the training sequences, before each update."""
    accuracy: Tensor
    """`(K,)`: share of states read rightly in new sequences, longer than those of training."""
    path: Tensor
    """`(updates + 1, K, 3)`: `W_xh, W_hh, b` on the way."""


def random_inputs(count: int, length: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (count, length), generator=generator).double() * 2 - 1


def learn(
    *,
    restarts: int = 16,
    updates: int = 600,
    learning_rate: float = 0.1,
    sequences: int = 64,
    length: int = 8,
    test_length: int = 100,
    seed: int = 0,
) -> Learned:
    """Learn the machine from random sequences with their states (mean squared error, Adam).

    Weights start at N(0, 1). The nets share nothing but the data: the sum of their losses trains each
    as if it were alone.

    Raises:
        ConfigError: a count below 1, a learning rate that is not above 0.
    """
    counts = {"restarts": restarts, "updates": updates, "sequences": sequences, "length": length}
    for key, value in {**counts, "test_length": test_length}.items():
        whole(f"probe.{key}", value, 1)
    positive("probe.learning_rate", learning_rate)
    generator = torch.Generator().manual_seed(seed)
    x = random_inputs(sequences, length, generator)
    y = expected_states(x)
    weights = torch.randn(3, restarts, generator=generator, dtype=torch.float64)
    start = Cell(*weights.clone())
    weights.requires_grad_(True)
    optimizer = torch.optim.Adam([weights], lr=learning_rate)
    losses, path = [], [weights.detach().T.clone()]
    for _ in range(updates):
        each = ((Cell(*weights).run(x) - y) ** 2).mean(dim=(1, 2))
        [weights.grad] = torch.autograd.grad(each.sum(), [weights])
        optimizer.step()
        losses.append(each.detach())
        path.append(weights.detach().T.clone())
    cell = Cell(*weights.detach())
    new = random_inputs(sequences, test_length, generator)
    accuracy = (read(cell.run(new)) == expected_states(new)).double().mean(dim=(1, 2))
    return Learned(cell, start, torch.stack(losses, dim=1), accuracy, torch.stack(path))
