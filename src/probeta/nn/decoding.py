"""Greedy and beam search over any `Translator`, a batch of sentences at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.nn.best_words import best_words
from probeta.nn.cpu.matmul import fast_float32
from probeta.nn.translator import PerSource, State, Translator, map_leaves


@dataclass(frozen=True)
class Hypothesis:
    """One translation."""

    tokens: list[int]
    """Ids without `<bos>` and `<eos>`."""
    score: float
    """Σ log p of the tokens and of `<eos>`, divided by the length penalty of a beam search."""
    attention: Tensor | None
    """`(len(tokens), S)` weights on the source positions (padding cut off), where asked for and there are any."""


def select(state: State, rows: Tensor, sources: Tensor | None = None) -> State:
    """The prefixes `rows` of a batch-first tree, in that order, and of what is `PerSource` the `sources` (or all)."""

    def pick(part: object) -> object:
        if isinstance(part, Tensor):
            return part.index_select(0, rows)
        if isinstance(part, PerSource) and sources is not None:
            return PerSource(map_leaves(lambda inner: inner.index_select(0, sources), part.value))
        return part

    return map_leaves(pick, state)


def limits(source: Tensor, pad_id: int, max_length: int, length_ratio: float | None, extra: int = 10) -> Tensor:
    """`(B,)` maximum tokens per sentence: `max_length`, or `length_ratio` times those of the source plus `extra`."""
    for key, value in (("max_length", max_length), ("length_ratio", length_ratio)):
        if value is not None and value <= 0:
            raise ConfigError.value(f"decoding.{key}", value, "a number above 0")
    lengths = (source != pad_id).sum(1)
    if length_ratio is None:
        return torch.full_like(lengths, max_length)
    return (lengths * length_ratio + extra).long().clamp(max=max_length)


def begin(model: Translator, source: Tensor, prefixes: int, prepared: Any) -> State:
    """The first state of a search over `source (B, S)`."""
    with fast_float32():
        return model.start(model.encode(source), model.prepare(prefixes) if prepared is None else prepared)


@torch.inference_mode()
def greedy(
    model: Translator,
    source: Tensor,
    max_length: int = 100,
    *,
    bos_id: int,
    eos_id: int,
    length_ratio: float | None = None,
    need_weights: bool = False,
    prepared: Any = None,
) -> list[Hypothesis]:
    """The most probable next word, again and again: `source (B, S)` → B hypotheses, in order.

    Sentences that are finished leave the batch. The model should be in eval mode. Searches that share
    `prepared=model.prepare()` do not prepare them each.
    """
    batch, steps = source.shape[0], 0
    limit = limits(source, model.pad_id, max_length, length_ratio)
    state = begin(model, source, 1, prepared)
    alive = torch.arange(batch, device=source.device)
    token = torch.full_like(alive, bos_id)
    words = source.new_full((batch, int(limit.max()) if batch else 0), eos_id)
    score = torch.zeros(batch, device=source.device)
    weights: list[tuple[Tensor, Tensor]] = []
    while alive.numel():
        logits, attention, state = model.step(token, state)
        best, ids = best_words(logits.float(), 1, (model.pad_id, bos_id))
        token = ids[:, 0]
        words[alive, steps] = token
        score[alive] += best[:, 0]
        if need_weights and attention is not None:
            weights.append((alive, attention))
        steps += 1
        going = (token != eos_id) & (limit[alive] > steps)
        if not bool(going.all()):
            rows = going.nonzero()[:, 0]
            alive, token, state = alive[rows], token[rows], select(state, rows, rows)
    attended = restore_rows(weights, batch) if weights else None
    lengths = (source != model.pad_id).sum(1).tolist()
    hypotheses = []
    for b, (ids, total) in enumerate(zip(words.tolist(), score.tolist(), strict=True)):
        tokens = ids[: ids.index(eos_id)] if eos_id in ids else ids
        seen = None if attended is None else attended[b, : len(tokens), : lengths[b]]
        hypotheses.append(Hypothesis(tokens, total, seen))
    return hypotheses


def restore_rows(weights: list[tuple[Tensor, Tensor]], batch: int) -> Tensor:
    """Put the weights `(alive, S)` of each step back into `(B, T, S)`."""
    _, first = weights[0]
    whole = first.new_zeros(batch, len(weights), first.shape[1])
    for t, (alive, attention) in enumerate(weights):
        whole[alive, t] = attention
    return whole


LENGTH_NORMS = ("gnmt", "length")


def length_penalty(length: int, alpha: float, norm: str = "gnmt") -> float:
    """What a hypothesis' Σ log p is divided by; `length` counts `<eos>`.

    `gnmt`: ((5 + length) / 6)^α (Wu et al. 2016, arXiv 1609.08144, eq. 14). `length`: length^α, so that α = 1
    compares means, as fairseq does.
    """
    return float((length if norm == "length" else (5.0 + length) / 6.0) ** alpha)


@dataclass
class Beam:
    """One sentence's search: what has finished, best first, and what is still open."""

    limit: int
    source_length: int
    size: int
    n_best: int
    alpha: float
    norm: str
    finished: list[Hypothesis] = field(default_factory=list)
    ended: int = 0

    def finish(self, tokens: list[int], score: float, length: int, attention: Tensor | None) -> None:
        score /= length_penalty(length, self.alpha, self.norm)
        cut = None if attention is None else attention[: len(tokens), : self.source_length].clone()
        self.finished.append(Hypothesis(tokens, score, cut))
        self.finished.sort(key=lambda h: -h.score)
        del self.finished[self.n_best :]
        self.ended += 1

    def done(self, best_open: float, steps: int) -> bool:
        """Whether no open prefix can change the answer: log p only falls, the penalty is greatest at the end."""
        if self.ended >= self.size or steps >= self.limit:
            return True
        reachable = best_open / length_penalty(self.limit + 1, self.alpha, self.norm)
        return len(self.finished) >= self.n_best and reachable <= self.finished[-1].score


class Frontier(NamedTuple):
    """The open prefixes after one step, k per sentence."""

    alive: list[int]
    """Which of the still searched sentences go on."""
    parents: list[int]
    """The row that each prefix continues."""
    tokens: list[int]
    scores: list[list[float]]


def advance(
    beams: Sequence[Beam],
    best: Tensor,
    place: Tensor,
    vocab: int,
    eos_id: int,
    words: Tensor,
    history: Tensor | None,
) -> Frontier:
    """Sort the best candidates `(n, 2k)` of each sentence into finished hypotheses and open prefixes."""
    frontier = Frontier([], [], [], [])
    steps, width = words.shape[1] + 1, words.shape[0] // len(beams)
    for i, (beam, scores, places) in enumerate(zip(beams, best.tolist(), place.tolist(), strict=True)):
        opened: list[tuple[float, int, int]] = []
        for rank, (score, at) in enumerate(zip(scores, places, strict=True)):
            row, token = i * width + at // vocab, at % vocab
            ends = token == eos_id
            if score > -math.inf and rank < beam.size and (ends or steps == beam.limit):
                tokens = words[row].tolist() + ([] if ends else [token])
                beam.finish(tokens, score, steps, None if history is None else history[row])
            elif not ends and len(opened) < beam.size:
                opened.append((score, row, token))
        if opened and opened[0][0] > -math.inf and not beam.done(opened[0][0], steps):
            # Fewer candidates than the beam holds: fill up with prefixes that cannot win.
            opened += [(-math.inf, opened[0][1], opened[0][2])] * (beam.size - len(opened))
            frontier.alive.append(i)
            frontier.scores.append([score for score, _, _ in opened])
            frontier.parents.extend(row for _, row, _ in opened)
            frontier.tokens.extend(token for _, _, token in opened)
    return frontier


@torch.inference_mode()
def beam_search(
    model: Translator,
    source: Tensor,
    max_length: int = 100,
    *,
    bos_id: int,
    eos_id: int,
    beam_size: int = 5,
    n_best: int = 1,
    alpha: float = 1.0,
    length_norm: str = "gnmt",
    length_ratio: float | None = None,
    need_weights: bool = False,
    prepared: Any = None,
) -> list[list[Hypothesis]]:
    """`source (B, S)` → for each sentence its `n_best` hypotheses, best first.

    Keeps the `beam_size` most probable prefixes; a prefix that takes `<eos>` among the best `beam_size`
    continuations is finished, with the score Σ log p / length_penalty(length, alpha, length_norm). A sentence ends when
    `beam_size` hypotheses have finished, when no prefix can still overtake its `n_best`, or at its maximum length,
    where the prefixes themselves count as finished. With `beam_size` 1 this is `greedy`. `prepared`: the weights of
    `model.prepare(beam_size)`, where several searches share them.
    """
    if beam_size < 1 or not 1 <= n_best <= beam_size:
        raise ConfigError(
            f"decoding.beam_size={beam_size} and decoding.n_best={n_best} are not accepted: "
            f"beam_size from 1, n_best from 1 to beam_size"
        )
    if alpha < 0:
        raise ConfigError.value("decoding.alpha", alpha, "a number from 0")
    if length_norm not in LENGTH_NORMS:
        raise ConfigError.value("decoding.length_norm", length_norm, " or ".join(LENGTH_NORMS))
    batch, device, k = source.shape[0], source.device, beam_size
    limit = limits(source, model.pad_id, max_length, length_ratio).tolist()
    lengths = (source != model.pad_id).sum(1).tolist()
    beams = [Beam(limit[b], lengths[b], k, n_best, alpha, length_norm) for b in range(batch)]
    alive = list(beams)
    state = begin(model, source, k, prepared)
    token = torch.full((batch,), bos_id, device=device)
    score = torch.zeros(batch, 1, device=device)
    words = token.new_zeros(batch, 0)
    history: Tensor | None = None
    while alive:
        logits, attention, state = model.step(token, state)
        vocab = logits.shape[-1]
        # At most k candidates end the sentence, one for each prefix: of the best 2k, k can go on.
        log_probs, ids = best_words(logits.float(), 2 * k, (model.pad_id, bos_id))
        total = (score.view(-1, 1) + log_probs).view(len(alive), -1)
        best, order = total.topk(min(2 * k, total.shape[1]), dim=-1)
        # Before the first step a sentence has one prefix, then k.
        prefix = torch.arange(score.shape[1], device=device)[:, None] * vocab
        place = (ids.view(*score.shape, -1) + prefix).view(len(alive), -1).gather(1, order)
        if need_weights and attention is not None:
            history = torch.cat([*([] if history is None else [history]), attention[:, None]], dim=1)
        frontier = advance(alive, best, place, vocab, eos_id, words, history)
        if not frontier.alive:
            break
        sources = torch.tensor(frontier.alive, device=device) if len(frontier.alive) < len(alive) else None
        alive = [alive[i] for i in frontier.alive]
        score = torch.tensor(frontier.scores, device=device)
        token = torch.tensor(frontier.tokens, device=device)
        rows = torch.tensor(frontier.parents, device=device)
        state = select(state, rows, sources)
        words = torch.cat([words.index_select(0, rows), token[:, None]], dim=1)
        history = None if history is None else history.index_select(0, rows)
    return [beam.finished[:n_best] for beam in beams]


def replace_unknown(
    tokens: Sequence[str],
    attention: Tensor | None,
    source: Sequence[str],
    unknown: str = "<unk>",
    lexicon: Mapping[str, str] | None = None,
) -> list[str]:
    """Each unknown word becomes the source word with the greatest weight at its step (Luong et al. 2015,
    arXiv 1410.8206), or that word's entry in `lexicon`.

    `source` are the words at the attended positions, `<bos>` and `<eos>` among them where the model read them;
    these specials are never copied. Without attention the tokens are returned as they are.
    """
    if attention is None:
        return list(tokens)
    special = {"<bos>", "<eos>", "<pad>", unknown}
    replaced = list(tokens)
    for t, word in enumerate(tokens):
        if word != unknown:
            continue
        ranked = attention[t, : len(source)].argsort(descending=True).tolist()
        copied = next((source[s] for s in ranked if source[s] not in special), None)
        if copied is not None:
            replaced[t] = copied if lexicon is None else lexicon.get(copied, copied)
    return replaced
