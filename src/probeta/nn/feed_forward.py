"""The Transformer's position-wise network."""

from __future__ import annotations

from torch import Tensor, nn

from probeta.errors import ConfigError
from probeta.nn.dropout import Dropout
from probeta.nn.mlp import Activation


class FeedForward(nn.Module):
    """W₂ f(W₁ x + b₁) + b₂ at every position (Vaswani et al. 2017, eq. 2), `(B, T, D)` → `(B, T, D)`."""

    def __init__(self, width: int, hidden: int, activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        if hidden < 1:
            raise ConfigError.value("model.feed_forward", hidden, "a width from 1, or 0 for none")
        self.widen = nn.Linear(width, hidden)
        self.activation = Activation(activation)
        self.dropout = Dropout(dropout)
        self.narrow = nn.Linear(hidden, width)
        for linear in (self.widen, self.narrow):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(self.dropout(self.activation(self.widen(x))))
        return y
