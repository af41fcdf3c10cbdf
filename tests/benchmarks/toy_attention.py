"""The fit of the default experiment over a plain loop in the manner of a notebook: the same 200 epochs.

The plain loop calls the decoder once a step, computes the encoder's energies and the vocabulary projection anew each
time, and validates without teacher forcing after every epoch, as our side validates after every epoch.
"""

from __future__ import annotations

import logging
import random
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_module
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from probeta.commands.plugins import register_plugins
from probeta.composition.app import register_resolvers
from probeta.data.toy_pairs import ToyPairsData
from tests.benchmarks._timing import alternate

EPOCHS, EMBEDDING, HIDDEN, BATCH = 200, 64, 128, 4


class Steps(nn.Module):
    """A decoder that is called once a word; tensors are time-first, as the notebook has them."""

    def __init__(self, source_words: int, target_words: int) -> None:
        super().__init__()
        self.source = nn.Embedding(source_words, EMBEDDING)
        self.encoder = nn.LSTM(EMBEDDING, HIDDEN)
        self.target = nn.Embedding(target_words, EMBEDDING)
        self.attention = nn.Linear(2 * HIDDEN, HIDDEN)
        self.energy = nn.Linear(HIDDEN, 1, bias=False)
        self.decoder = nn.LSTM(EMBEDDING + HIDDEN, HIDDEN)
        self.output = nn.Linear(2 * HIDDEN + EMBEDDING, target_words)

    def step(self, word: Tensor, hidden: Tensor, cell: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedded = self.target(word).unsqueeze(0)
        query = hidden[-1].unsqueeze(0).repeat(len(memory), 1, 1)
        scores = self.energy(torch.tanh(self.attention(torch.cat([query, memory], 2)))).squeeze(2).t()
        context = torch.bmm(scores.softmax(1).unsqueeze(1), memory.transpose(0, 1)).transpose(0, 1)
        output, (hidden, cell) = self.decoder(torch.cat([embedded, context], 2), (hidden, cell))
        features = torch.cat([output[0], context[0], embedded[0]], 1)
        return self.output(features).log_softmax(1), hidden, cell

    def forward(self, source: Tensor, target: Tensor, forcing: float) -> Tensor:
        memory, (hidden, cell) = self.encoder(self.source(source))
        outputs = torch.zeros(len(target), target.shape[1], self.output.out_features)
        word = target[0]
        for t in range(1, len(target)):
            outputs[t], hidden, cell = self.step(word, hidden, cell, memory)
            word = target[t] if random.random() < forcing else outputs[t].argmax(1)
        return outputs


def rows(data: ToyPairsData, split: str) -> list[tuple[Tensor, Tensor]]:
    pairs = data.pairs[split]
    return [
        (torch.from_numpy(pairs.source[i]).long(), torch.from_numpy(pairs.target[i]).long()) for i in range(len(pairs))
    ]


def padded(chosen: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    sources, targets = zip(*chosen, strict=True)
    return pad_sequence(list(sources)), pad_sequence(list(targets))


def loop(data: ToyPairsData) -> float:
    torch.manual_seed(42)
    model = Steps(data.spec.source_vocab_size, data.spec.target_vocab_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.NLLLoss(ignore_index=0)
    train, val = rows(data, "train"), rows(data, "val")
    started = time.perf_counter()
    for _ in range(EPOCHS):
        model.train()
        order = torch.randperm(len(train)).tolist()
        for begin in range(0, len(train), BATCH):
            source, target = padded([train[i] for i in order[begin : begin + BATCH]])
            optimizer.zero_grad()
            outputs = model(source, target, 1.0)
            criterion(outputs[1:].flatten(0, 1), target[1:].flatten()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            source, target = padded(val)
            criterion(model(source, target, 0.0)[1:].flatten(0, 1), target[1:].flatten())
    return time.perf_counter() - started


def ours(config: Any) -> float:
    from probeta.runs.record import execute
    from probeta.training.fit import train

    with tempfile.TemporaryDirectory() as folder:
        return float(execute(train, config, Path(folder), overrides=[])["fit_s"])


def run() -> dict[str, Any]:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    data = ToyPairsData()
    data.setup()
    register_resolvers()
    register_plugins()
    with initialize_config_module("probeta.conf", version_base="1.3"):
        config = compose("train", ["trainer=cpu", "figures=none"])
    seconds = alternate({"ours": lambda: ours(config), "loop": lambda: loop(data)}, repeats=3)
    logging.disable(logging.NOTSET)
    return {
        "name": "toy_attention", "ratio": seconds["ours"] / seconds["loop"], "a": seconds["ours"], "b": seconds["loop"],
        "unit": "s", "target": "≤ 1.0", "note": "default experiment, all features on / notebook-style loop",
    }  # fmt: skip
