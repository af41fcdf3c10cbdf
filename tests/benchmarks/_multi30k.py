"""Multi30k English→German and the notebook's way of training on it: what the translation benchmarks share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from probeta.data.buckets import PairBatches
from probeta.data.pairs import EncodedPairs
from probeta.data.vocabulary import BOS_ID, EOS_ID, PAD_ID, Vocabulary
from probeta.nn.attention import Additive
from probeta.nn.decoder import Decoder
from probeta.nn.devices import slow_in_bfloat16
from probeta.nn.encoder import Encoder
from probeta.nn.loss import projected_cross_entropy
from probeta.nn.seq2seq import Seq2Seq
from probeta.runs.memory import keep_freed_memory

EMBEDDING, HIDDEN, BATCH, LR, CLIP = 256, 512, 64, 1e-3, 1.0
Pair = tuple[Tensor, Tensor]


def folder() -> Path:
    here = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("PROBETA_MULTI30K", here.parent / "shared" / "multi30k"))


def missing() -> str | None:
    """Why the benchmarks cannot run here, or `None`."""
    path = folder() / "train.lc.norm.tok.en"
    return None if path.exists() else f"{path} is not there: set PROBETA_MULTI30K to Multi30k's folder"


def halves(*others: str) -> tuple[list[str], str]:
    """`others`, float32 and, where the processor computes in it, bf16: the sides to measure; and why not bf16."""
    reason = slow_in_bfloat16(torch.device("cpu"))
    return [*others, "float32", *([] if reason else ["bf16"])], reason


def skipped(name: str, reason: str) -> dict[str, object]:
    return {"name": name, "ratio": None, "a": None, "b": None, "unit": "", "target": "", "note": f"skipped: {reason}"}


@dataclass(frozen=True)
class Corpus:
    source: Vocabulary
    target: Vocabulary
    train: EncodedPairs
    test_source: list[list[int]]


def lines(split: str, language: str) -> list[list[str]]:
    text = (folder() / f"{split}.lc.norm.tok.{language}").read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines()]


def load() -> Corpus:
    """Words seen at least twice in training."""
    texts = {language: lines("train", language) for language in ("en", "de")}
    vocabularies = {language: Vocabulary.build(rows, min_frequency=2) for language, rows in texts.items()}

    def encode(language: str, rows: list[list[str]]) -> list[list[int]]:
        return [[BOS_ID, *vocabularies[language].encode(row), EOS_ID] for row in rows]

    pairs = EncodedPairs.from_lists(encode("en", texts["en"]), encode("de", texts["de"]))
    return Corpus(vocabularies["en"], vocabularies["de"], pairs, encode("en", lines("test_2016_flickr", "en")))


def sample(pairs: EncodedPairs, count: int, bucketed: bool) -> list[Pair]:
    """`count` batches of an epoch that stand for all of it, spread evenly over its order by length if bucketed."""
    if not bucketed:
        order = np.random.default_rng(0).permutation(len(pairs))
        chosen = [order[i * BATCH : (i + 1) * BATCH] for i in range(count)]
    else:
        plan = PairBatches(pairs, batch_size=BATCH).plan(0)
        chosen = [np.asarray(plan[int((i + 0.5) * len(plan) / count)]) for i in range(count)]
    return [tuple(pairs.batch(np.sort(rows))[:2]) for rows in chosen]


def longest(pairs: EncodedPairs, bucketed: bool) -> Pair:
    """The batch of an epoch with the longest target."""
    if bucketed:
        plan = [np.asarray(rows) for rows in PairBatches(pairs, batch_size=BATCH).plan(0)]
    else:
        order = np.random.default_rng(0).permutation(len(pairs))
        plan = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    rows = max(plan, key=lambda rows: int(pairs.target.lengths[rows].max()))
    return tuple(pairs.batch(np.sort(rows))[:2])


def real_tokens(batches: list[Pair]) -> int:
    return sum(int((target[:, 1:] != PAD_ID).sum()) for _, target in batches)


def ours(corpus: Corpus) -> Seq2Seq:
    torch.manual_seed(0)
    part = {"embedding_size": EMBEDDING}
    return Seq2Seq(
        len(corpus.source),
        len(corpus.target),
        PAD_ID,
        HIDDEN,
        partial(Encoder, **part),
        partial(Decoder, **part),
        Additive,
    )


class OurTraining:
    """One optimisation step as a run of probeta takes it."""

    def __init__(self, corpus: Corpus, precision: str = "float32", net: Seq2Seq | None = None) -> None:
        keep_freed_memory()
        self.net = (ours(corpus) if net is None else net).train()
        self.optimizer = torch.optim.Adam(self.net.parameters(), LR, fused=True)
        self.low = precision == "bf16"

    def step(self, source: Tensor, target: Tensor) -> float:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            features = self.net.decode(self.net.encode(source), target[:, :-1]).features
            total, tokens = projected_cross_entropy(
                features, self.net.output_weight, self.net.output_bias, target[:, 1:], PAD_ID
            )
        loss = total / tokens
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimizer.step()
        return loss.item()


class NotebookAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.Linear(HIDDEN * 2, HIDDEN)
        self.v = nn.Linear(HIDDEN, 1, bias=False)

    def forward(self, hidden: Tensor, outputs: Tensor) -> Tensor:
        last = hidden[-1].unsqueeze(0).repeat(outputs.shape[0], 1, 1)
        energy = torch.tanh(self.attn(torch.cat((last, outputs), dim=2)))
        return torch.softmax(self.v(energy).squeeze(2).transpose(0, 1), dim=1)


class NotebookTranslator(nn.Module):
    """The notebook's EncoderAttn, DecoderAttn and Seq2SeqAttn, time first: all steps and all padding, one by one."""

    def __init__(self, source_vocab: int, target_vocab: int) -> None:
        super().__init__()
        self.target_vocab = target_vocab
        self.source_embedding = nn.Embedding(source_vocab, EMBEDDING)
        self.encoder = nn.LSTM(EMBEDDING, HIDDEN, 1)
        self.attention = NotebookAttention()
        self.target_embedding = nn.Embedding(target_vocab, EMBEDDING)
        self.decoder = nn.LSTM(EMBEDDING + HIDDEN, HIDDEN, 1)
        self.fc_out = nn.Linear(HIDDEN * 2 + EMBEDDING, target_vocab)
        self.softmax = nn.LogSoftmax(dim=1)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (hidden, cell) = self.encoder(self.source_embedding(source))
        return outputs, hidden, cell

    def step(self, token: Tensor, hidden: Tensor, cell: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedded = self.target_embedding(token.unsqueeze(0))
        weights = self.attention(hidden, outputs)
        context = torch.bmm(weights.unsqueeze(1), outputs.transpose(0, 1)).transpose(0, 1)
        output, (hidden, cell) = self.decoder(torch.cat((embedded, context), dim=2), (hidden, cell))
        logits = self.fc_out(torch.cat((output.squeeze(0), context.squeeze(0), embedded.squeeze(0)), dim=1))
        return self.softmax(logits), hidden, cell

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        predictions = torch.zeros(target.shape[0], target.shape[1], self.target_vocab)
        outputs, hidden, cell = self.encode(source)
        token = target[0]
        for t in range(1, target.shape[0]):
            predictions[t], hidden, cell = self.step(token, hidden, cell, outputs)
            token = target[t]
        return predictions


class NotebookTraining:
    """One step of the notebook's `train_with_tf`, teacher forcing 1."""

    def __init__(self, corpus: Corpus) -> None:
        torch.manual_seed(0)
        self.net = NotebookTranslator(len(corpus.source), len(corpus.target)).train()
        self.optimizer = torch.optim.Adam(self.net.parameters(), LR)
        self.criterion = nn.NLLLoss(ignore_index=PAD_ID)

    def step(self, source: Tensor, target: Tensor) -> float:
        source, target = source.t().contiguous(), target.t().contiguous()
        self.optimizer.zero_grad()
        output = self.net(source, target)
        loss = self.criterion(output[1:].view(-1, output.shape[-1]), target[1:].contiguous().view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimizer.step()
        return loss.item()
