"""50 parameters of every layer: perturbed copies as a batch over one evaluation at a time.

The first row is the net and the batch of `probe=gradcheck` as shipped. A deeper net and a larger batch leave less to
gain: there both sides spend their time in the same products and the same tanh.

Both sides make the same differences of the same parameters in the same format, and the same backward pass.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.models.tiny_rnn import TinyRNNNet
from probeta.nn.mlp import MLP
from probeta.probes.layer_checks import check_gradients
from tests.benchmarks._timing import alternate


class Classified(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.net(x), y)


def seconds(net: nn.Module, x: Tensor, batched: bool) -> float:
    objective, y = Classified(net), torch.arange(len(x)) % 2
    started = time.perf_counter()
    checks = check_gradients(objective, (x, y), count=50, batched=batched)
    elapsed = time.perf_counter() - started
    assert all(check.right for check in checks)
    assert all(check.batched == batched for check in checks)
    return elapsed


def run() -> list[dict[str, Any]]:
    torch.manual_seed(0)
    problems = {
        "gradcheck": (MLP(2, 2), torch.randn(32, 2)),
        "gradcheck_deep": (MLP(2, 2, width=64, depth=4, activation="tanh"), torch.randn(64, 2)),
        "gradcheck_lstm": (TinyRNNNet(8, 2, "lstm", 32), torch.randn(16, 20, 8)),
    }
    rows = []
    for name, (net, x) in problems.items():

        def batch(net: nn.Module = net, x: Tensor = x) -> float:
            return seconds(net, x, True)

        def one(net: nn.Module = net, x: Tensor = x) -> float:
            return seconds(net, x, False)

        times = alternate({"batch": batch, "one": one}, repeats=5)
        rows.append({
            "name": name, "ratio": times["batch"] / times["one"], "a": times["batch"], "b": times["one"], "unit": "s",
            "target": 0.3, "note": "50 parameters a layer, float64",
        })  # fmt: skip
    return rows
