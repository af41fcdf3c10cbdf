"""Small nets of every kind of attention, and a batch of sentences for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from probeta.data.batch import PairBatch
from probeta.data.spec import TextSpec
from probeta.interventions.passes import Subject
from probeta.nn.attention import Additive, Attention, Dot, General, Local, MultiHead, ScaledDot
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq
from probeta.nn.transformer import Transformer
from probeta.nn.translator import Translator

SPEC = TextSpec(source_vocab_size=12, target_vocab_size=11, pad_id=0, bos_id=1, eos_id=2, unk_id=3)

RECURRENT: dict[str, Callable[..., Attention]] = {
    "additive": Additive, "dot": Dot, "general": General, "scaled_dot": ScaledDot,
    "local": partial(Local, window=2), "multi_head": partial(MultiHead, heads=2),
}  # fmt: skip
KINDS = [*RECURRENT, "transformer"]


def make_net(kind: str, seed: int = 0) -> Translator:
    torch.manual_seed(seed)
    sizes = (SPEC.source_vocab_size, SPEC.target_vocab_size, SPEC.pad_id)
    if kind == "transformer":
        net: Translator = Transformer(
            *sizes, hidden_size=8, encoder_layers=2, decoder_layers=2, heads=2, feed_forward=8, dropout=0.0
        )
    else:
        encoder, decoder = partial(Encoder, embedding_size=5), partial(Decoder, embedding_size=5)
        net = Seq2Seq(*sizes, 8, encoder, decoder, RECURRENT[kind])
    return net.eval()


def make_subject(net: Translator) -> Subject:
    source = torch.tensor([[1, 4, 5, 6, 7, 2], [1, 8, 9, 2, 0, 0], [1, 10, 11, 4, 2, 0]])
    target = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 8, 2, 0], [1, 9, 10, 4, 2]])
    return Subject(net, SPEC, PairBatch(source, target, torch.arange(3)))
