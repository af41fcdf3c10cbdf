"""`probe=state_machine`: three states as the smallest recurrent net, `h_t = tanh(W_xh x_t + W_hh h_(t-1) + b)`.

The machine counts down on `x = 1` and up on `x = -1`, within -1 … 1. With `W_xh = -10, W_hh = 10, b = 0`
the net is that machine: an input saturates `tanh`, unless it cancels the state that it starts from. The
same three numbers can be *learned* from sequences, from many random starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probeta.errors import ConfigError, check_whole
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import check_positive

PATH_POINTS = 100


@dataclass(frozen=True)
class RecurrentUnit:
    """The net's three numbers; each may be a tensor `(K,)`, one number per net."""

    w_xh: Tensor
    w_hh: Tensor
    b: Tensor

    @classmethod
    def fixed(cls, w_xh: float = -10.0, w_hh: float = 10.0, b: float = 0.0) -> RecurrentUnit:
        return cls(*(torch.tensor([value], dtype=torch.float64) for value in (w_xh, w_hh, b)))

    def run(self, x: Tensor) -> Tensor:
        """States `(K, N, T)` after each of the inputs `x (N, T)`, from `h = 0`."""
        h = torch.zeros(len(self.w_xh), x.shape[0], dtype=self.w_xh.dtype)
        states = []
        for t in range(x.shape[1]):
            h = torch.tanh(self.w_xh[:, None] * x[:, t] + self.w_hh[:, None] * h + self.b[:, None])
            states.append(h)
        return torch.stack(states, dim=2)


def encode_inputs(values: Sequence[int]) -> Tensor:
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

    cell: RecurrentUnit
    start: RecurrentUnit
    losses: Tensor
    """`(K, updates)`: mean squared error on the training sequences, before each update."""
    accuracy: Tensor
    """`(K,)`: share of states read rightly in new sequences, longer than those of training."""
    path: Tensor
    """`(updates + 1, K, 3)`: `W_xh, W_hh, b` on the way."""


def random_inputs(count: int, length: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (count, length), generator=generator).double() * 2 - 1


class StateMachineProbe(Probe):
    """`inputs` through the fixed weights and through learned ones.

    Args:
        inputs: what the machine reads, each 1 or -1.
        w_xh, w_hh, b: the fixed weights.
        restarts: nets that learn, each from weights of its own; 0 learns nothing.
        updates: steps of Adam, from 1.
        learning_rate: Adam's, above 0.
        sequences: training sequences, and as many new ones that accuracy is measured on.
        length: inputs of a training sequence.
        test_length: inputs of a new sequence.

    Raises:
        ConfigError: a value outside these ranges.
    """

    name = "state_machine"

    def __init__(
        self,
        inputs: Sequence[int] = (1, 1, -1, -1, 1, 1),
        w_xh: float = -10.0,
        w_hh: float = 10.0,
        b: float = 0.0,
        restarts: int = 16,
        updates: int = 600,
        learning_rate: float = 0.1,
        sequences: int = 64,
        length: int = 8,
        test_length: int = 100,
    ) -> None:
        encode_inputs(inputs)
        self.inputs = [int(value) for value in inputs]
        self.weights = (float(w_xh), float(w_hh), float(b))
        self.restarts = check_whole("probe.restarts", restarts, 0)
        self.learning_rate = check_positive("probe.learning_rate", learning_rate)
        self.updates = check_whole("probe.updates", updates)
        self.sequences = check_whole("probe.sequences", sequences)
        self.length = check_whole("probe.length", length)
        self.test_length = check_whole("probe.test_length", test_length)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        x = encode_inputs(self.inputs)
        states, expected = RecurrentUnit.fixed(*self.weights).run(x)[0, 0], expected_states(x)[0]
        right = float((read(states) == expected).double().mean())
        metrics = {"fixed/accuracy": right}
        report = [
            "input     " + " ".join(f"{int(v):+d}" for v in self.inputs),
            "expected  " + " ".join(f"{int(v):+d}" for v in expected),
            "fixed     " + " ".join(f"{int(v):+d}" for v in read(states)) + f"   ({right:.0%} right)",
        ]
        learned = self.learn(seed) if self.restarts else None
        best = 0 if learned is None else int(learned.losses[:, -1].argmin())
        own = None if learned is None else learned.cell.run(x)[best, 0]
        rows: list[Row] = [
            {
                "quantity": "state", "t": t + 1, "x": int(self.inputs[t]), "expected": int(expected[t]),
                "state": float(states[t]), "learned_state": None if own is None else float(own[t]),
            }
            for t in range(len(self.inputs))
        ]  # fmt: skip
        if learned is not None and own is not None:
            rows += path_rows(learned)
            solved = float((learned.accuracy == 1).double().mean())
            w_xh, w_hh, b = (float(w) for w in learned.path[-1, best])
            metrics |= {
                "learned/solved": solved, "learned/accuracy": float(learned.accuracy[best]),
                "learned/loss": float(learned.losses[best, -1]), "learned/w_xh": w_xh, "learned/w_hh": w_hh,
                "learned/b": b,
            }  # fmt: skip
            report += [
                "learned   " + " ".join(f"{int(v):+d}" for v in read(own)),
                f"{solved:.0%} of {self.restarts} starts learned the machine "
                f"(right on new sequences of {self.test_length} steps)",
                f"best weights: W_xh = {w_xh:.2f}, W_hh = {w_hh:.2f}, b = {b:.3f}",
            ]
        return Findings(rows, metrics, report=report)

    def learn(self, seed: int) -> Learned:
        """Learn the machine from random sequences with their states (mean squared error, Adam).

        Weights start at N(0, 1). The nets share nothing but the data: the sum of their losses trains each
        as if it were alone.
        """
        generator = torch.Generator().manual_seed(seed)
        x = random_inputs(self.sequences, self.length, generator)
        y = expected_states(x)
        weights = torch.randn(3, self.restarts, generator=generator, dtype=torch.float64)
        start = RecurrentUnit(*weights.clone())
        weights.requires_grad_(True)
        optimizer = torch.optim.Adam([weights], lr=self.learning_rate)
        losses, path = [], [weights.detach().T.clone()]
        for _ in range(self.updates):
            each = ((RecurrentUnit(*weights).run(x) - y) ** 2).mean(dim=(1, 2))
            [weights.grad] = torch.autograd.grad(each.sum(), [weights])
            optimizer.step()
            losses.append(each.detach())
            path.append(weights.detach().T.clone())
        cell = RecurrentUnit(*weights.detach())
        new = random_inputs(self.sequences, self.test_length, generator)
        accuracy = (read(cell.run(new)) == expected_states(new)).double().mean(dim=(1, 2))
        return Learned(cell, start, torch.stack(losses, dim=1), accuracy, torch.stack(path))


def path_rows(learned: Learned) -> list[Row]:
    """Some hundred points of each start's way; a row holds the weights and the loss before an update."""
    updates = learned.losses.shape[1]
    points = sorted({round(i * (updates - 1) / PATH_POINTS) for i in range(PATH_POINTS + 1)})
    return [
        {
            "quantity": "learned", "restart": k, "update": u, "loss": float(learned.losses[k, u]),
            "w_xh": float(learned.path[u, k, 0]), "w_hh": float(learned.path[u, k, 1]),
            "b": float(learned.path[u, k, 2]), "accuracy": float(learned.accuracy[k]),
        }
        for k in range(len(learned.accuracy))
        for u in points
    ]  # fmt: skip
