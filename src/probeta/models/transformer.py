"""Translation by the Transformer: `nn.transformer` with every part a switch."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from torch import Tensor

from probeta.data.spec import TextSpec
from probeta.errors import ConfigError
from probeta.models.decoding import Decoding
from probeta.models.translator import TranslatorModule
from probeta.nn.transformer import TIES, Transformer

KEPT_MAPS = 8
"""Sentences per split whose weights in all layers and heads are kept: they are many numbers."""
LONGEST_MAP = 50
"""Maximum tokens per side: longer sources are skipped, longer translations (of a model that never stops) cut."""


class TransformerModule(TranslatorModule):
    """`probeta.nn.transformer.Transformer` (Vaswani et al. 2017), trained.

    The defaults are the tiny size of Wu et al. 2021 (arXiv 2105.14462), pre-norm.

    `tie_embeddings=auto` ties all three matrices where both languages share a vocabulary, else the target's
    two. A finished run leaves `attention_maps.json` beside what every translator leaves.
    """

    net: Transformer

    def __init__(
        self,
        spec: TextSpec,
        decoding: Decoding,
        hidden_size: int = 128,
        encoder_layers: int = 4,
        decoder_layers: int = 4,
        heads: int = 4,
        feed_forward: int = 256,
        activation: str = "relu",
        norm: str = "pre",
        residual: bool = True,
        positions: str = "sinusoidal",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        tie_embeddings: str = "auto",
        max_positions: int = 512,
        teacher_forcing_ratio: float = 1.0,
        label_smoothing: float = 0.1,
    ) -> None:
        super().__init__(spec, decoding, teacher_forcing_ratio, label_smoothing)
        if tie_embeddings == "auto":
            tie_embeddings = "all" if spec.shared_vocabulary else "target"
        elif tie_embeddings == "all" and not spec.shared_vocabulary:
            raise ConfigError.value(
                "model.tie_embeddings", "all", "one vocabulary for both languages (data.joint=true)"
            )
        elif tie_embeddings not in TIES:
            raise ConfigError.unknown("model.tie_embeddings", tie_embeddings, ("auto", *TIES))
        if positions == "learned" and decoding.max_length > max_positions:
            accepted = f"a whole number from decoding.max_length={decoding.max_length}: learned positions end there"
            raise ConfigError.value("model.max_positions", max_positions, accepted)
        self.net = Transformer(
            spec.source_vocab_size,
            spec.target_vocab_size,
            spec.pad_id,
            hidden_size=hidden_size,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            heads=heads,
            feed_forward=feed_forward,
            activation=activation,
            norm=norm,
            residual=residual,
            positions=positions,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            tie_embeddings=tie_embeddings,
            max_positions=max_positions,
        )

    def aligned(self) -> tuple[str, ...]:
        return (*super().aligned(), "aer_head")

    def head_weights(self, source: Tensor, inputs: Tensor) -> Tensor:
        """`(B, layers, heads, T, S)` on the source."""
        return self.net.attention_maps(source, inputs).cross

    def artifacts(self, data: Any) -> dict[str, Any]:
        values = super().artifacts(data)
        rows = []
        for split, hypotheses in self.translations.items():
            sources = data.sources(split)
            short = (row for row in sorted(hypotheses) if len(data.source.encode(sources[row])) <= LONGEST_MAP)
            rows += [self.maps(split, row, data) for row in islice(short, KEPT_MAPS)]
        return values | {"attention_maps": rows}

    @torch.no_grad()
    def maps(self, split: str, number: int, data: Any) -> dict[str, Any]:
        """All weights of one translation: `encoder`, `decoder`, `cross` are lists by layer, head, row, column.

        Row t of `decoder` and `cross` is the step that gives `target[t]`; column t of `decoder` is what was
        read there, `inputs[t]`.
        """
        ids = data.source.encode(data.sources(split)[number])
        words = self.translations[split][number].tokens
        device = self.net.output_weight.device
        source = torch.tensor([ids], device=device)
        inputs = torch.tensor([[self.spec.bos_id, *words][:LONGEST_MAP]], device=device)
        weights = self.net.attention_maps(source, inputs)
        tokens = data.source.vocabulary.tokens
        target = [*data.target.tokens(words), "<eos>"][:LONGEST_MAP]
        return {
            "split": split,
            "number": number,
            "source": [tokens[i] for i in ids],
            "inputs": ["<bos>", *target[:-1]],
            "target": target,
            **{name: round_weights(part[0]) for name, part in weights._asdict().items()},
        }


def round_weights(weights: Tensor) -> Any:
    """Nested lists with three decimals: what a picture can show."""
    return (weights.double() * 1e3).round().div(1e3).tolist()
