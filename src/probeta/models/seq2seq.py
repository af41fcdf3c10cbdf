"""Recurrent translation: `nn.seq2seq` with and without attention."""

from __future__ import annotations

from collections.abc import Callable

from probeta.data.spec import TextSpec
from probeta.models.decoding import Decoding
from probeta.models.translator import TranslatorModule
from probeta.nn.attention import Attention
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq


class RecurrentTranslator(TranslatorModule):
    """`probeta.nn.seq2seq.Seq2Seq`, trained.

    `attention=None` is the notebook's Seq2Seq (Sutskever et al. 2014), any attention its Seq2SeqAttn.
    """

    vectorizes = True
    net: Seq2Seq

    def __init__(
        self,
        spec: TextSpec,
        decoding: Decoding,
        encoder: Callable[..., Encoder],
        decoder: Callable[..., Decoder],
        attention: Callable[..., Attention] | None = None,
        hidden_size: int = 128,
        cell: str = "lstm",
        layers: int = 1,
        shared_embeddings: bool = False,
        teacher_forcing_ratio: float = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(spec, decoding, teacher_forcing_ratio, label_smoothing)
        self.net = Seq2Seq(
            spec.source_vocab_size,
            spec.target_vocab_size,
            spec.pad_id,
            hidden_size,
            encoder=encoder,
            decoder=decoder,
            attention=attention,
            cell=cell,
            layers=layers,
            shared_embeddings=shared_embeddings,
        )

    def aligned(self) -> tuple[str, ...]:
        return () if self.net.decoder.attention is None else super().aligned()
