"""What interventions do to a translator: to each word's probability, to whole translations, to alignment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probeta.interventions.changes import Cut, Force, Row, Temperature, count_heads, find_sites
from probeta.interventions.explanations import Floats, watch
from probeta.interventions.passes import Case, Subject, read, references, translate
from probeta.metrics.alignment import corpus_counts
from probeta.metrics.translation import bleu


@dataclass(frozen=True)
class Effect:
    """Of one intervention on every sentence; `(n,)` each."""

    drop: Floats
    """Mean over steps of log p of the reference's words less that under the intervention, nats."""
    divergence: Floats
    """Mean Jensen–Shannon divergence of what is said, bits."""
    changed: Floats
    """Share of steps at which another word is the most probable one."""
    exact: Floats
    """Whether the greedy translation is the reference."""
    bleu: float
    aer: float
    """Of the weights that the net reads with; NaN without gold links."""


def whole_sentences(subject: Subject, seed: int = 0) -> dict[str, list[Row]]:
    """Interventions on all cross-attention, by name: each sentence's changes. Of a net with several attentions also
    `encoder 1 cut` and so on: all that one layer of a kind reads, gone.

    Distributions that are forced are those of every layer and head: `gold` spreads over a word's links (`<eos>` where
    it has none), `shuffled` permutes the sentence's own columns, `another's` are those of the next sentence.
    """
    seen = watch(subject)
    weights, _ = seen[max(site for site in seen if site[0] == "cross")]
    own, lengths, steps = weights.mean(1), subject.lengths.tolist(), subject.steps.tolist()
    generator = torch.Generator().manual_seed(seed)
    rows: dict[str, list[Row]] = {name: [] for name in (
        "nothing", "top words cut", "random words cut", "all cut", "all averaged", "uniform", "shuffled", "another's",
        "diagonal", *(["gold"] if subject.golds else []), "temperature 0.5", "temperature 2",
    )}  # fmt: skip
    for i, (length, end) in enumerate(zip(lengths, steps, strict=True)):
        top = own[i, :end, :length].argmax(-1).tolist()
        others = torch.randint(1, max(length - 1, 2), (end,), generator=generator).tolist()
        order = torch.randperm(length, generator=generator)
        next_one = (i + 1) % len(lengths)
        forced = {
            "uniform": torch.full((end, length), 1 / length),
            "shuffled": own[i, :end, :length][:, order],
            "another's": resize(own[next_one, : steps[next_one], : lengths[next_one]], end, length),
            "diagonal": one_hot([min(round(1 + t * (length - 2) / max(end - 1, 1)), length - 1) for t in range(end)],
                                length),
        }  # fmt: skip
        if subject.golds is not None:
            forced["gold"] = gold_weights(subject.golds[i].sure, end, length)
        for name, given in forced.items():
            rows[name].append((Force(weights=given),))
        rows["nothing"].append(())
        rows["top words cut"].append(tuple(Cut(row=t, column=s) for t, s in enumerate(top)))
        rows["random words cut"].append(tuple(Cut(row=t, column=s) for t, s in enumerate(others)))
        rows["all cut"].append((Cut(),))
        rows["all averaged"].append((Cut(mean=True),))
        rows["temperature 0.5"].append((Temperature(value=0.5),))
        rows["temperature 2"].append((Temperature(value=2.0),))
    if len(seen) > 1:
        rows |= {f"{kind} {at + 1} cut": [(Cut(kind=kind, layer=at),)] * len(lengths) for kind, at in sorted(seen)}
    return rows


def one_hot(columns: Sequence[int], width: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(columns), width).float()


def resize(weights: Tensor, steps: int, length: int) -> Tensor:
    """A sentence's weights for one of another size: cut off, or with the last step again; rows sum to 1."""
    taken = weights[torch.arange(steps).clamp(max=len(weights) - 1), :length]
    fitted = torch.nn.functional.pad(taken, (0, length - taken.shape[1]))
    total = fitted.sum(-1, keepdim=True)
    return torch.where(total > 0, fitted / total.clamp_min(1e-12), torch.full_like(fitted, 1 / length))


def gold_weights(links: Iterable[tuple[int, int]], steps: int, length: int) -> Tensor:
    """`(steps, length)` of `(source, target)` word links: columns count from `<bos>`."""
    table = torch.zeros(steps, length)
    for s, t in links:
        table[t, s + 1] = 1.0
    table[table.sum(-1) == 0, length - 1] = 1.0
    return table / table.sum(-1, keepdim=True)


def measure(subject: Subject, interventions: Mapping[str, Sequence[Row]]) -> dict[str, Effect]:
    """Every intervention on every sentence, in as few batches as memory allows."""
    cases: list[Case] = [(i, row) for rows in interventions.values() for i, row in enumerate(rows)]
    n = len(subject)
    clean, found = read(subject, [(i, ()) for i in range(n)]), read(subject, cases)
    inside = np.isfinite(clean.log_p)
    said, wanted = translate(subject, cases), references(subject, cases)
    effects = {}
    for k, name in enumerate(interventions):
        part = slice(k * n, (k + 1) * n)
        ours, theirs = ([[str(token) for token in ids] for ids in side[part]] for side in (said, wanted))
        effects[name] = Effect(
            drop=np.nanmean(clean.log_p - found.log_p[part], axis=1),
            divergence=np.nanmean(found.divergence[part], axis=1),
            changed=((found.best[part] != clean.best) & inside).sum(1) / inside.sum(1),
            exact=np.array([a == b for a, b in zip(ours, theirs, strict=True)], dtype=float),
            bleu=bleu(ours, theirs).value,
            aer=error_rate(subject, None if found.attention is None else found.attention[part]),
        )
    return effects


def error_rate(subject: Subject, weights: NDArray[np.floating] | None) -> float:
    """Alignment error rate of `weights (n, T, S)`, as of attention: see `metrics.alignment`."""
    if weights is None or subject.golds is None:
        return math.nan
    return float(corpus_counts(list(weights), subject.golds).error_rate)


@dataclass(frozen=True)
class Links:
    """Every link from a step to a source word, cut alone: `(n, T, S)`, NaN where there is no word."""

    drop: Floats
    """log p of the step's word less that without the link."""
    divergence: Floats


def cut_links(subject: Subject, mean: bool = False) -> Links:
    """What each link is worth to its own step."""
    places = [
        (i, t, s)
        for i, (length, end) in enumerate(zip(subject.lengths.tolist(), subject.steps.tolist(), strict=True))
        for t in range(end)
        for s in range(1, length - 1)
    ]
    clean = read(subject, [(i, ()) for i in range(len(subject))])
    found = read(subject, [(i, (Cut(row=t, column=s, mean=mean),)) for i, t, s in places])
    shape = (*clean.log_p.shape, subject.batch.source.shape[1])
    drop, divergence = np.full(shape, np.nan), np.full(shape, np.nan)
    for n, (i, t, s) in enumerate(places):
        drop[i, t, s] = clean.log_p[i, t] - found.log_p[n, t]
        divergence[i, t, s] = found.divergence[n, t]
    return Links(drop, divergence)


def top_and_random(weights: Floats, worth: Floats) -> tuple[Floats, Floats]:
    """`worth` of each step's most attended word, and the mean of the other words': `(n, T)` each."""
    words = np.isfinite(worth)
    top = np.where(words, weights, -np.inf).argmax(-1)[..., None]
    first = np.take_along_axis(worth, top, -1)[..., 0]
    others = words.sum(-1) - 1
    rest = (np.nansum(worth, -1) - np.nan_to_num(first)) / np.maximum(others, 1)
    return first, np.where(others > 0, rest, np.nan)


@dataclass(frozen=True)
class Head:
    kind: str
    layer: int
    head: int
    lost: Floats
    """`(n,)` exact match lost where the head gives nothing."""
    drop: Floats
    """`(n,)` mean over the reference's words of log p lost, nats: it also tells heads apart where few translations are
    exact."""
    aer: float
    """Of a head on the source; else NaN."""


def ablate_heads(subject: Subject) -> list[Head]:
    """Each head alone without what it reads (Michel et al. 2019, arXiv 1905.10650): importance and alignment."""
    places = [(*site, h) for site, module in find_sites(subject.net).items() for h in range(count_heads(module))]
    n, seen = len(subject), watch(subject)
    rows: list[Row] = [(), *((Cut(kind=k, layer=at, head=h),) for k, at, h in places)]
    cases: list[Case] = [(i, row) for row in rows for i in range(n)]
    exact = exact_matches(subject, cases).reshape(len(rows), n)
    log_p = np.nanmean(read(subject, cases).log_p, axis=1).reshape(len(rows), n)
    return [
        Head(k, at, h, exact[0] - exact[row], log_p[0] - log_p[row],
             error_rate(subject, seen[k, at][0][:, h].double().cpu().numpy()) if k == "cross" else math.nan)
        for row, (k, at, h) in enumerate(places, start=1)
    ]  # fmt: skip


def prune_heads(subject: Subject, heads: Sequence[Head]) -> Floats:
    """Exact match with 0, 1, … of `heads` gone, those first whose loss (on other sentences) is least: of exact match,
    and of log p where that is the same.
    """
    order = sorted(heads, key=lambda head: (float(head.lost.mean()), float(head.drop.mean())))
    cuts = [Cut(kind=head.kind, layer=head.layer, head=head.head) for head in order]
    cases: list[Case] = [(i, cuts[:k]) for k in range(len(cuts) + 1) for i in range(len(subject))]
    curve: Floats = exact_matches(subject, cases).reshape(len(cuts) + 1, -1).mean(1)
    return curve


def exact_matches(subject: Subject, cases: Sequence[Case]) -> Floats:
    """Whether each case's greedy translation is its reference."""
    said = translate(subject, cases)
    return np.array([a == b for a, b in zip(said, references(subject, cases), strict=True)], dtype=float)
