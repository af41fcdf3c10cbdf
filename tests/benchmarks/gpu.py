"""What a GPU changes: cuDNN over our loop of steps, GPU over CPU, bfloat16 over float32, an ensemble over its members.

Training steps are those of `_multi30k.OurTraining` on random words, at Multi30k's sizes and lengths.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch

from probeta.data.vocabulary import EOS_ID, PAD_ID
from probeta.nn.attention import Additive
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.loss import projected_cross_entropy
from probeta.nn.seq2seq import Seq2Seq
from probeta.nn.transformer import Transformer
from probeta.vectorized.loop import Ensemble
from tests.benchmarks._multi30k import BATCH, CLIP, EMBEDDING, HIDDEN, LR, skipped
from tests.benchmarks._timing import Timed, alternate
from tests.benchmarks.vectorized_fit import members, plain_loop, trees

WORDS, STEPS, EPOCHS = 8000, 10, 50


def sentences(rows: int, device: str) -> torch.Tensor:
    """`(rows, 16)` ids of 6 to 16 words, padded."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(EOS_ID + 1, WORDS, (rows, 16), generator=generator)
    lengths = torch.randint(6, 17, (rows, 1), generator=generator)
    return words.masked_fill(torch.arange(16) >= lengths, PAD_ID).to(device)


def recurrent(attention: Any) -> Seq2Seq:
    part = {"embedding_size": EMBEDDING}
    return Seq2Seq(WORDS, WORDS, PAD_ID, HIDDEN, partial(Encoder, **part), partial(Decoder, **part), attention)


def steps(make: Callable[[], Any], device: str, low: bool = False, cudnn: bool = True, rows: int = BATCH) -> Timed:
    """Seconds of a training step of the net that `make` makes."""
    torch.manual_seed(0)
    net = make().to(device).train()
    optimizer = torch.optim.Adam(net.parameters(), LR, fused=True)
    source, target = sentences(rows, device), sentences(rows, device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def once() -> float:
        wait()
        started = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=low):
                features = net.decode(net.encode(source), target[:, :-1]).features
                total, tokens = projected_cross_entropy(
                    features, net.output_weight, net.output_bias, target[:, 1:], PAD_ID
                )
            (total / tokens).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
        wait()
        return (time.perf_counter() - started) / STEPS

    def timed() -> float:
        with nullcontext() if cudnn else torch.backends.cudnn.flags(enabled=False):
            return once()

    return timed


def fits(count: int, device: str) -> Timed:
    """Seconds of `count` members of the moons net trained together."""

    def timed() -> float:
        ensemble = Ensemble(members(trees(count, EPOCHS)), torch.device(device))
        started = time.perf_counter()
        ensemble.fit()
        return time.perf_counter() - started

    return timed


def run() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return [skipped("gpu", "no GPU is here")]
    additive, plain = partial(recurrent, Additive), partial(recurrent, None)
    transformer = partial(Transformer, WORDS, WORDS, PAD_ID, HIDDEN)
    splits = members(trees(1, EPOCHS))[0].data.splits
    pairs: dict[str, tuple[Timed, Timed, str]] = {
        "gpu_cudnn": (steps(plain, "cuda"), steps(plain, "cuda", cudnn=False), "no attention; b: a loop over steps"),
        "gpu_attn": (steps(additive, "cuda"), steps(additive, "cpu"), "additive attention; b: CPU"),
        "gpu_attn_bf16": (steps(additive, "cuda", low=True), steps(additive, "cuda"), "bf16; b: float32"),
        "gpu_transformer": (steps(transformer, "cuda"), steps(transformer, "cpu"), "b: CPU"),
        "gpu_transformer_bf16": (
            steps(transformer, "cuda", low=True, rows=16 * BATCH),
            steps(transformer, "cuda", rows=16 * BATCH),
            f"batches of {16 * BATCH}; bf16, b: float32",
        ),
        "gpu_ensemble": (fits(256, "cuda"), fits(256, "cpu"), f"256 members, {EPOCHS} epochs; b: CPU"),
        "gpu_ensemble_plain": (
            fits(256, "cuda"),
            lambda: 256 * plain_loop(splits, 0.1, EPOCHS),
            f"256 members, {EPOCHS} epochs; b: 256 times a bare loop on the CPU",
        ),
    }
    found = []
    for name, (a, b, note) in pairs.items():
        medians = alternate({"a": a, "b": b}, repeats=3)
        found.append({"name": name, "ratio": medians["a"] / medians["b"], **medians, "unit": "s", "note": note})
    return found
