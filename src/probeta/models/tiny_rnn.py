"""The notebook's recurrent probe as a classifier of sequences."""

from __future__ import annotations

from torch import Tensor, nn

from probeta.data.spec import SequenceSpec
from probeta.models.classifier import Classifier
from probeta.nn.rnn import Recurrent


class TinyRNNNet(nn.Module):
    """One recurrent layer without biases, and a linear read-out of its last state: `(B, T, in)` → `(B, classes)`."""

    def __init__(self, in_features: int, classes: int, cell: str = "rnn", hidden_size: int = 32) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, in_features, hidden_size, bias=False)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.recurrent(x).outputs[:, -1])
        return logits


class TinyRNN(Classifier):
    """h_t = tanh(W_x x_t + W_h h_(t-1)) (or an LSTM or GRU cell), logits from h_T.

    Args:
        cell: `rnn`, `lstm` or `gru`.
        hidden_size: units of the layer.
    """

    accepts = SequenceSpec

    def __init__(self, spec: SequenceSpec, cell: str = "rnn", hidden_size: int = 32) -> None:
        super().__init__(spec)
        self.net = TinyRNNNet(spec.in_features, spec.classes, cell, hidden_size)
