"""Small losses over the project's layers, shared by the tests of the gradient check."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.nn.mlp import MLP
from probeta.nn.rnn import Recurrent
from probeta.nn.translator import Translator


class Classified(nn.Module):
    """Cross-entropy of a net's logits."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.net(x), y)


class LastState(nn.Module):
    """A recurrent net that reads its last output."""

    def __init__(self, cell: str, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, 3, 4, layers, bidirectional)
        self.output = nn.Linear(self.recurrent.output_size, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.recurrent(x).outputs[:, -1])
        return logits


class Translated(nn.Module):
    """A translator's teacher-forced loss per token."""

    def __init__(self, net: Translator) -> None:
        super().__init__()
        self.net = net

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        logits = self.net(source, target[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=self.net.pad_id)


def points(n: int = 9, features: int = 3, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, features, generator=generator), torch.randint(classes, (n,), generator=generator)


def sequences(n: int = 5, length: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(n, length, 3, generator=generator), torch.randint(3, (n,), generator=generator)


def mlp(**settings: Any) -> Classified:
    torch.manual_seed(0)
    return Classified(MLP(3, 3, **{"width": 5, "depth": 2, "activation": "tanh", **settings}))
