"""The injected bugs in every layer of the translators, and right nets that pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from probeta.nn.attention import Additive, Dot, General, Local, MultiHead, ScaledDot
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq
from probeta.nn.transformer import Transformer
from probeta.probes.bugs import BUGS, find_culprits, inject
from probeta.probes.finite_differences import list_layers
from probeta.probes.layer_checks import check_gradients
from tests.probes.objectives import Translated

SIZES = {"source_vocab_size": 7, "target_vocab_size": 6, "pad_id": 0, "hidden_size": 4}


def pairs() -> tuple[Tensor, Tensor]:
    """Three pairs of different lengths, padded with 0."""
    source = torch.tensor([[1, 4, 5, 2], [1, 6, 2, 0], [1, 3, 4, 2]])
    target = torch.tensor([[1, 5, 4, 2], [1, 3, 2, 0], [1, 4, 2, 0]])
    return source, target


def recurrent(attention: Any = None, cell: str = "lstm", layer_count: int = 1, **decoder: Any) -> nn.Module:
    bidirectional = decoder.pop("bidirectional", False)
    net = Seq2Seq(
        **SIZES, cell=cell, layers=layer_count, attention=attention,
        encoder=partial(Encoder, embedding_size=3, bidirectional=bidirectional),
        decoder=partial(Decoder, embedding_size=3, **decoder),
    )  # fmt: skip
    return Translated(spread(net))


def transformer(**settings: Any) -> nn.Module:
    net = Transformer(**SIZES, encoder_layers=1, decoder_layers=1, heads=2, feed_forward=5, **settings)
    return Translated(spread(net))


def spread(net: Any) -> Any:
    """Larger weights than at initialisation: every gradient stands out of rounding, and no unit is exactly 0."""
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        with torch.no_grad():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.8)
    return net


FAST: dict[str, Any] = {"additive": lambda: recurrent(Additive)}
SLOW: dict[str, Any] = {
    "no attention": recurrent,
    "two layers, gru": lambda: recurrent(Additive, "gru", 2),
    "bidirectional": lambda: recurrent(Additive, bidirectional=True),
    "input feeding": lambda: recurrent(Additive, input_feeding=True, readout_size=3),
    "tied": lambda: recurrent(tied_embeddings=True),
    "dot": lambda: recurrent(Dot),
    "scaled dot": lambda: recurrent(ScaledDot),
    "general": lambda: recurrent(General),
    "local": lambda: recurrent(Local),
    "multi-head": lambda: recurrent(partial(MultiHead, heads=2)),
    "transformer": transformer,
    "post-norm transformer": lambda: transformer(norm="post", tie_embeddings="none", positions="learned"),
    "rotary transformer": lambda: transformer(positions="rotary", activation="gelu"),
}


def check(net: nn.Module, kind: str) -> None:
    inputs = pairs()
    for layer in list_layers(net):
        with inject(net, inputs, layer.name, kind):
            checks = check_gradients(net, inputs, count=12)
            assert find_culprits(net, inputs, checks) == [layer.name], [c for c in checks if not c.right]


@pytest.mark.parametrize("name", [*FAST, "transformer"])
def test_a_right_translator_passes(name: str) -> None:
    wrong = [c for c in check_gradients({**FAST, **SLOW}[name](), pairs(), count=12) if not c.right]
    assert not wrong


@pytest.mark.parametrize("name", FAST)
def test_a_bug_in_any_layer_is_caught_and_that_layer_named(name: str) -> None:
    check(FAST[name](), "sign")


@pytest.mark.slow
@pytest.mark.parametrize("kind", BUGS)
@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_every_bug_in_any_layer_is_caught_and_that_layer_named(name: str, kind: str) -> None:
    net = {**FAST, **SLOW}[name]()
    assert all(c.right for c in check_gradients(net, pairs(), count=12))
    check(net, kind)
