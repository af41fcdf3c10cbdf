"""The nets of the project, each with fewer than 600 parameters, and their losses written out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, jacrev

from probeta.config.build import resolve_config
from probeta.inference.probe import make_subject
from probeta.models.module import Module
from probeta.nn.cpu import set_enabled
from probeta.probes.probe import Subject, TrainingLoss

SIZES = {
    "mlp": ["data=moons", "data.n_samples=100", "model=mlp", "model.width=8", "model.depth=2", "model.activation=tanh"],
    "batch_norm": ["data=moons", "data.n_samples=100", "model=mlp", "model.width=6", "model.depth=1",
                   "model.batch_norm=true", "model.activation=tanh"],
    "rnn": ["data=random_sequences", "data.length=5", "model=tiny_rnn", "model.hidden_size=6"],
    "translator": [
        "data=toy_pairs", "model=seq2seq_attn", "model.hidden_size=2", "model.encoder.embedding_size=2",
        "model.decoder.embedding_size=2",
    ],
    "transformer": [
        "data=toy_pairs", "model=transformer", "model.hidden_size=4", "model.heads=2", "model.feed_forward=4",
        "model.encoder_layers=1", "model.decoder_layers=1", "model.dropout=0.1",
    ],
}  # fmt: skip


def make(net: str, configure: Callable[..., Any]) -> Subject:
    subject, _ = make_subject(resolve_config(configure(*SIZES[net])))
    return subject


class Dense:
    """A loss of one net as a function of a vector, by `functional_call` on the parameters one by one."""

    def __init__(self, model: Module, batch: Any) -> None:
        self.loss, self.batch = TrainingLoss(model).double(), batch
        for module in self.loss.modules():
            if "Dropout" in type(module).__name__:
                module.training = False
        self.names = [name for name, _ in self.loss.named_parameters()]
        self.shapes = [p.shape for p in self.loss.parameters()]
        self.flat = torch.cat([p.detach().flatten() for p in self.loss.parameters()])

    def tensors(self, flat: Tensor) -> dict[str, Tensor]:
        parts = flat.split([shape.numel() for shape in self.shapes])
        named = {n: p.reshape(s) for n, p, s in zip(self.names, parts, self.shapes, strict=True)}
        # Of batch norm's buffers, into which training writes.
        return named | {name: b.clone() for name, b in self.loss.named_buffers()}

    def __call__(self, flat: Tensor) -> Tensor:
        with set_enabled(False):
            value: Tensor = functional_call(self.loss, self.tensors(flat), (self.batch,))
        return value

    def gradient(self, flat: Tensor) -> Tensor:
        return grad(self)(flat)

    def hessian(self) -> Tensor:
        # Reverse over reverse: torch.func.hessian is forward over reverse, which is wrong for layer norm (torch 2.13).
        return jacrev(grad(self))(self.flat)


def to_double(batch: Any) -> Any:
    return type(batch)(*(t.double() if t.is_floating_point() else t for t in batch))
