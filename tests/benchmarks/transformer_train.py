"""Training the Transformer: target tokens per second over `torch.nn.Transformer` in a plain loop.

Both sides: the same batches of like lengths, vocabulary projection and loss in chunks, fused Adam,
dropout 0.3 at every place where `torch.nn.Transformer` has it. Only the encoder and decoder differ.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from probeta.nn.dropout import reseed
from probeta.nn.loss import projected_cross_entropy
from probeta.nn.positions import SinusoidalPositions
from probeta.nn.transformer import Transformer

VOCAB, WIDTH, LAYERS, HEADS, FEED_FORWARD, DROPOUT, PAD = 10_000, 128, 4, 4, 256, 0.3, 0
TARGET, REPEATS = 1.0, 7


class TorchTransformer(nn.Module):
    """`torch.nn.Transformer` with what it lacks: embeddings, positions, dropout on them, tied output."""

    def __init__(self, norm_first: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, WIDTH, padding_idx=PAD)
        self.positions = SinusoidalPositions(WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.net = nn.Transformer(
            WIDTH, HEADS, LAYERS, LAYERS, FEED_FORWARD, DROPOUT, batch_first=True, norm_first=norm_first
        )
        if not norm_first:  # torch ends each stack with a norm that post-norm has already
            self.net.encoder.norm = self.net.decoder.norm = None

    def embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.positions(self.embedding(tokens) * WIDTH**0.5))
        return embedded

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Features `(B, T, D)`."""
        T = target.shape[1]
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        padding = source == PAD
        features: Tensor = self.net(
            self.embed(source),
            self.embed(target),
            tgt_mask=future,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return features


def batches(count: int = 4, tokens: int = 2048) -> list[tuple[Tensor, Tensor]]:
    """Random pairs with the lengths of image captions (13 ± 4 tokens), those of like lengths together."""
    generator = torch.Generator().manual_seed(0)
    pairs = []
    for i in range(count):
        longest = (10, 13, 16, 22)[i % 4]
        rows = tokens // longest
        lengths = torch.randint(longest - 2, longest + 1, (2, rows), generator=generator)
        ids = torch.randint(4, VOCAB, (2, rows, longest), generator=generator)
        source, target = ids.masked_fill(torch.arange(longest) >= lengths[..., None], PAD)
        pairs.append((source, target))
    return pairs


def step_of_ours(norm: str) -> Callable[[Tensor, Tensor, int], None]:
    torch.manual_seed(0)
    net = Transformer(
        VOCAB, VOCAB, PAD, WIDTH, LAYERS, LAYERS, HEADS, FEED_FORWARD, norm=norm, dropout=DROPOUT,
        attention_dropout=DROPOUT, activation_dropout=DROPOUT, tie_embeddings="all",
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)

    def step(source: Tensor, target: Tensor, number: int) -> None:
        reseed(net, 0, number)
        optimizer.zero_grad()
        features = net.decode(net.encode(source), target[:, :-1]).features
        total, tokens = projected_cross_entropy(features, net.output_weight, None, target[:, 1:], PAD, 0.1)
        (total / tokens).backward()
        optimizer.step()

    return step


def step_of_torch(norm: str) -> Callable[[Tensor, Tensor, int], None]:
    torch.manual_seed(0)
    net = TorchTransformer(norm == "pre")
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)

    def step(source: Tensor, target: Tensor, number: int) -> None:
        optimizer.zero_grad()
        features = net(source, target[:, :-1])
        total, tokens = projected_cross_entropy(features, net.embedding.weight, None, target[:, 1:], PAD, 0.1)
        (total / tokens).backward()
        optimizer.step()

    return step


def run() -> list[dict[str, object]]:
    data = batches()
    real = sum(int((target[:, 1:] != PAD).sum()) for _, target in data)
    rows = []
    for norm in ("post", "pre"):
        sides = {"ours": step_of_ours(norm), "torch": step_of_torch(norm)}
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for repeat in range(REPEATS + 1):
            for name, step in sides.items():
                start = time.perf_counter()
                for number, (source, target) in enumerate(data):
                    step(source, target, repeat * len(data) + number)
                if repeat:  # the first round warms up
                    seconds[name].append(time.perf_counter() - start)
        ours, torchs = (real / statistics.median(seconds[name]) for name in ("ours", "torch"))
        rows.append(
            {
                "name": "transformer_train" if norm == "post" else "transformer_train_pre_norm",
                "ratio": ours / torchs,
                "a": ours,
                "b": torchs,
                "unit": "real target tokens/s",
                "target": f">= {TARGET}",
                "note": f"{LAYERS}+{LAYERS} layers, D {WIDTH}, {norm}-norm, dropout {DROPOUT}, V {VOCAB}",
            }
        )
    return rows
