"""The multilayer perceptron, with every switch that the notebook's first half turns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError, check_whole
from probeta.nn.dropout import Dropout

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": lambda x: x,
}


class Activation(nn.Module):
    """One of `ACTIVATIONS`, as a module so that probes can hook its output."""

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in ACTIVATIONS:
            raise ConfigError.unknown("activation", name, ACTIVATIONS)
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](x)

    def extra_repr(self) -> str:
        return self.name


class Layer(nn.Module):
    """`dropout(activation(norm(W x + b)))`, plus `x` itself where `residual` (He et al. 2016)."""

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        activation: str,
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        # Batch norm subtracts the mean, so a bias before it has no gradient: it is left out.
        self.linear = nn.Linear(fan_in, fan_out, bias=not batch_norm)
        norms = ([nn.BatchNorm1d(fan_out)] if batch_norm else []) + ([nn.LayerNorm(fan_out)] if layer_norm else [])
        self.norm = nn.Sequential(*norms)
        self.activation = Activation(activation)
        self.dropout = Dropout(dropout)
        self.residual = residual and fan_in == fan_out

    def forward(self, x: Tensor) -> Tensor:
        """`(B, fan_in)` → `(B, fan_out)`."""
        y = self.dropout(self.activation(self.norm(self.linear(x))))
        return x + y if self.residual else y


class MLP(nn.Module):
    """`depth` hidden layers of `width` units and a linear read-out: `(B, in_features)` → logits `(B, classes)`.

    `init_scale` multiplies every weight matrix at initialisation (PyTorch's default, LeCun-uniform).
    With `depth=0` this is multinomial logistic regression.

    Args:
        width: units of each hidden layer, from 1.
        depth: hidden layers, from 0.
        activation: `relu`, `gelu`, `tanh`, `sigmoid` or `identity`.
        dropout: probability that a hidden unit is dropped, 0 <= p < 1.
        batch_norm: whether each hidden layer normalises over the batch before its activation.
        layer_norm: whether each hidden layer normalises over its units before its activation.
        residual: whether a hidden layer adds its input where the widths agree (He et al. 2016).
        init_scale: factor of every weight matrix at initialisation, above 0.
    """

    def __init__(
        self,
        in_features: int,
        classes: int,
        width: int = 64,
        depth: int = 1,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_whole("width", width)
        check_whole("depth", depth, 0)
        if init_scale <= 0:
            raise ConfigError.value("init_scale", init_scale, "a factor above 0")
        fans = [in_features, *[width] * depth]
        self.hidden = nn.Sequential(
            *(
                Layer(fan_in, fan_out, activation, dropout, batch_norm, layer_norm, residual)
                for fan_in, fan_out in pairwise(fans)
            )
        )
        self.output = nn.Linear(fans[-1], classes)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    module.weight.mul_(init_scale)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.hidden(x))
        return logits
