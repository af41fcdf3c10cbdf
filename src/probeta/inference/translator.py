"""A finished translator as a function of text: what `probeta translate` and notebooks use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from probeta.data.codec import TextCodec
from probeta.data.vocabulary import BOS, EOS, UNK
from probeta.errors import ConfigError, RunDirectoryError, check_whole
from probeta.inference.load_run import LoadedRun, load_run
from probeta.models.decoding import Decoding
from probeta.models.translator import TranslatorModule
from probeta.nn import cpu
from probeta.nn.decoding import Hypothesis, beam_search, greedy, replace_unknown
from probeta.nn.devices import pick_device, slow_in_bfloat16
from probeta.nn.positions import LearnedPositions
from probeta.nn.translator import Translator
from probeta.runs.directory import RunDirectory

PRECISIONS = ("32", "bf16")
"""Of matrix products: bfloat16 takes about half the time where the processor knows it, and rounds to 3 digits."""

LONGEST = 1000
"""Source tokens beyond this many are not read: one endless line must not take the memory of a whole batch."""

AT_A_TIME = 4
"""Batches that are searched at a time."""

Part = TypeVar("Part")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Translation:
    """One line's translation."""

    text: str
    score: float
    """Σ log p, over the length penalty of a beam search."""
    source: list[str]
    """The tokens that the model read, `<bos>` and `<eos>` among them."""
    tokens: list[str]
    attention: list[list[float]] | None
    """A row for each of `tokens`, a column for each of `source`; `None` where there is no attention."""


@dataclass(frozen=True)
class TextTranslator:
    """`net` in evaluation mode with the text codec and the search settings it was trained with.

    Unknown words stay `<unk>`, or are copied from the source word that was attended to most (through
    `lexicon` where that holds an entry), with `copy_unknown`.
    """

    net: Translator
    codec: TextCodec
    decoding: Decoding
    batch_size: int = 64
    copy_unknown: bool = False
    lexicon: Mapping[str, str] | None = None
    precision: str = "32"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError.value("precision", self.precision, " or ".join(PRECISIONS))
        check_whole("batch_size", self.batch_size)
        if self.precision == "bf16" and (reason := slow_in_bfloat16(self.device)):
            log.warning("precision=bf16 is slow here: %s.", reason)

    @cached_property
    def prepared(self) -> Any:
        """The net's weights as searches read them: they do not change here."""
        with torch.inference_mode(), self.rounded():
            return self.net.prepare(self.decoding.beam_size)

    def rounded(self) -> torch.autocast:
        """Products inside run in `precision`."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Translations in the order of `texts`; a blank line stays blank."""
        return [best[0].text if best else "" for best in self.translate(texts)]

    def translate(self, texts: Sequence[str], n_best: int = 1, need_weights: bool = False) -> list[list[Translation]]:
        """The `n_best` translations of each line, best first; none for a blank line."""
        lines = self.codec.source.tokenizer.tokenize_all(texts)
        longest = self.longest
        if cut := sum(len(tokens) > longest for tokens in lines):
            log.warning("%d of %d lines are longer than %d tokens: they are cut there", cut, len(lines), longest)
            lines = [tokens[:longest] for tokens in lines]
        found: list[list[Translation]] = [[] for _ in texts]
        batches, prepared, fast = list(self._batches(lines)), self.prepared, cpu.enabled()

        def search(rows: list[int]) -> list[list[Hypothesis]]:
            with cpu.set_enabled(fast), self.rounded():
                return self._search([lines[row] for row in rows], n_best, need_weights, prepared)

        together = map_in_threads if self.device.type == "cpu" else map
        for rows, hypotheses in zip(batches, together(search, batches), strict=True):
            for row, best in zip(rows, hypotheses, strict=True):
                found[row] = [self._translation(lines[row], hypothesis) for hypothesis in best]
        return found

    @property
    def longest(self) -> int:
        """Source tokens that are read at most: learned positions end, and memory does too."""
        learned = [len(m.weight) - 2 for m in self.net.modules() if isinstance(m, LearnedPositions)]
        return min([LONGEST, *learned])

    def _batches(self, lines: Sequence[Sequence[str]]) -> Iterator[list[int]]:
        """Row numbers, longest lines first; a batch of long lines holds fewer of them."""
        order = sorted((i for i, line in enumerate(lines) if line), key=lambda i: -len(lines[i]))
        start = 0
        while start < len(order):
            length = len(lines[order[start]])
            size = max(1, min(self.batch_size, self.batch_size * 64 // length))
            yield order[start : start + size]
            start += size

    def _search(self, lines: list[list[str]], n_best: int, need_weights: bool, prepared: Any) -> list[list[Hypothesis]]:
        d, spec = self.decoding, self.codec.spec
        source = self.codec.tokens_batch(lines).source.to(self.device)
        weights = need_weights or self.copy_unknown
        if d.beam_size == 1 and n_best == 1:
            found = greedy(
                self.net, source, d.max_length,
                bos_id=spec.bos_id, eos_id=spec.eos_id, length_ratio=d.length_ratio, need_weights=weights,
                prepared=prepared,
            )  # fmt: skip
            return [[hypothesis] for hypothesis in found]
        return beam_search(
            self.net, source, d.max_length,
            bos_id=spec.bos_id, eos_id=spec.eos_id, beam_size=d.beam_size, n_best=n_best, alpha=d.length_penalty,
            length_norm=d.length_norm, length_ratio=d.length_ratio, need_weights=weights, prepared=prepared,
        )  # fmt: skip

    def _translation(self, line: list[str], hypothesis: Hypothesis) -> Translation:
        target, source = self.codec.target, [BOS, *line, EOS]
        tokens = target.tokens(hypothesis.tokens)
        if self.copy_unknown and UNK in tokens:
            tokens = replace_unknown(tokens, hypothesis.attention, source, UNK, self.lexicon)
        weights = hypothesis.attention
        return Translation(
            text=target.tokenizer.detokenize(tokens),
            score=hypothesis.score,
            source=source,
            tokens=tokens,
            attention=None if weights is None else weights[: len(tokens)].tolist(),
        )


def map_in_threads(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """`work` of each part, in order, of which several run at a time, each with its share of torch's threads.

    A step of a search is too small to be cut between cores; batches are not. More than `AT_A_TIME` would wait for
    Python.
    """
    threads = torch.get_num_threads()
    sides = min(AT_A_TIME, threads, len(parts))
    if sides < 2:
        yield from map(work, parts)
        return
    try:
        with ThreadPoolExecutor(sides, initializer=torch.set_num_threads, initargs=(threads // sides,)) as pool:
            yield from pool.map(work, parts)
    finally:
        torch.set_num_threads(threads)


def load_translator(directory: str | Path, device: str = "auto", trust: list[str] | None = None) -> TextTranslator:
    """The kept weights, the tokenizers and vocabularies, and the search settings of a finished run."""
    return make_translator(load_run(directory, trust), device)


def make_translator(run: LoadedRun, device: str = "auto") -> TextTranslator:
    """`load_translator` of a run whose weights are loaded."""
    if not isinstance(run.model, TranslatorModule):
        raise RunDirectoryError(f"{run.path} is no run of a translator: its model is a {type(run.model).__name__}")
    codec = run.kept if isinstance(run.kept, TextCodec) else TextCodec.load(RunDirectory(run.path).artifacts.text)
    return TextTranslator(run.model.net.to(pick_device("device", device)), codec, run.model.decoding)
