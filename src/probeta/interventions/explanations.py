"""Explanations of a target word by source words: what each says, and what the net does without the words it names.

Every explanation is an array `(n, T, S)`: how much source position s is to step t of the reference, greater for more.
The reference that they are held to is leave-one-word-out: log p of the word, less that when the source lacks s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from probeta.interventions.changes import Site, find_sites, hook_attention
from probeta.interventions.passes import Subject, chunks, read
from probeta.nn.attention import MultiHead
from probeta.nn.multi_head import MultiHeadAttention

Floats = NDArray[np.float64]

NAMES = ("weight", "value_norm", "rollout", "gradient", "integrated", "left_out")
"""Of explanations; a net without an encoder's attention has no `rollout`."""


def watch(subject: Subject) -> dict[Site, tuple[Tensor, Tensor]]:
    """Every attention's weights `(n, h, T, S)` and values `(n, h, S, d)` as the net reads the references."""
    seen: dict[Site, list[tuple[Tensor, Tensor]]] = {}

    def keep(site: Site, weights: Tensor, values: Tensor, offset: int) -> Tensor:
        seen.setdefault(site, []).append((weights, values))
        return weights

    net = subject.net
    hooks = {site: partial(keep, site) for site in find_sites(net)}
    with torch.no_grad(), hook_attention(net, hooks):
        net.decode(net.encode(subject.batch.source), subject.batch.target[:, :-1])
    return {site: (torch.cat([w for w, _ in parts], dim=2), parts[-1][1]) for site, parts in seen.items()}


def explain(subject: Subject, path_steps: int = 16) -> dict[str, Floats]:
    """All of `NAMES` that the net has, but `left_out`. `path_steps` are those of the integral."""
    seen = watch(subject)
    layer = max(at for kind, at in seen if kind == "cross")
    weights, values = seen["cross", layer]
    module = find_sites(subject.net)["cross", layer]
    mean = weights.mean(1)
    found = {"weight": mean, "value_norm": norm_of_values(module, weights, values)}
    if any(kind == "encoder" for kind, _ in seen):
        found["rollout"] = mean @ roll_out([seen[site][0] for site in sorted(seen) if site[0] == "encoder"])
    found["gradient"], found["integrated"] = attribute(subject, 1), attribute(subject, path_steps)
    return {name: array.double().cpu().numpy() for name, array in found.items()}


def norm_of_values(module: nn.Module, weights: Tensor, values: Tensor) -> Tensor:
    """‖Σ_h α_hts W_o v_hs‖ (Kobayashi et al. 2020, arXiv 2004.10102, eq. 3): `(n, h, T, S)`, `(n, h, S, d)` →
    `(n, T, S)`. Of one head without output matrix, α ‖v‖.
    """
    if isinstance(module, MultiHead | MultiHeadAttention):
        maps = module.output.weight.detach().unflatten(1, (values.shape[1], -1))  # (D, h, d)
        values = torch.einsum("bhsd,Dhd->bhsD", values, maps)
    return torch.einsum("bhts,bhsd->btsd", weights, values).norm(dim=-1)


def roll_out(layers: Sequence[Tensor]) -> Tensor:
    """Π (½ Ā + ½ I), Ā the mean of a layer's heads, the last layer first (Abnar & Zuidema 2020, arXiv 2005.00928)."""
    identity = torch.eye(layers[0].shape[-1], device=layers[0].device)
    rolled = identity.expand(len(layers[0]), -1, -1)
    for weights in layers:
        rolled = (weights.mean(1) + identity) / 2 @ rolled
    return rolled


def attribute(subject: Subject, steps: int) -> Tensor:
    """Σ_d e_sd ∂ log p_t / ∂e_sd of the source's embeddings e, averaged over the path from 0 to e: `(n, T, S)`.

    One step is the gradient at e itself times the input, more the midpoint rule of integrated gradients (Sundararajan
    et al. 2017, arXiv 1703.01365), which add up to log p at e less log p at 0.
    """
    batch, steps_of = subject.batch, subject.steps.tolist()
    rows = [(i, t) for i, end in enumerate(steps_of) for t in range(end)]
    found = torch.zeros(len(subject), batch.target.shape[1] - 1, batch.source.shape[1], device=batch.source.device)
    scales = [1.0] if steps == 1 else [(k + 0.5) / steps for k in range(steps)]
    for part in chunks(subject, len(rows)):
        i, t = torch.tensor(rows[part], device=found.device).T
        for scale in scales:
            found[i, t] += _input_gradient(subject, i, t, scale) / len(scales)
    return found


@torch.enable_grad()
def _input_gradient(subject: Subject, i: Tensor, t: Tensor, scale: float) -> Tensor:
    net, kept = subject.net, []

    def scaled(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        kept.append(output.detach())
        kept.append((scale * output.detach()).requires_grad_())
        return kept[1]

    handle = embedding(net).register_forward_hook(scaled)
    try:
        target = subject.batch.target[i]
        decoded = net.decode(net.encode(subject.batch.source[i]), target[:, :-1])
        row = torch.arange(len(i), device=i.device)
        own = torch.log_softmax(net.project(decoded.features[row, t]), -1)[row, target[row, t + 1]]
        (gradient,) = torch.autograd.grad(own.sum(), kept[1])
    finally:
        handle.remove()
    return (gradient * kept[0]).sum(-1)


def embedding(net: Any) -> nn.Module:
    """What turns source ids into vectors."""
    found: nn.Module = net.source_embedding if hasattr(net, "source_embedding") else net.encoder.embedding
    return found


class Deletions:
    """log p of every reference word from sources that lack words, each of which is read once."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.known: dict[tuple[int, frozenset[int]], Floats] = {}

    def want(self, sets: Sequence[tuple[int, frozenset[int]]]) -> None:
        """Read the sentences without these positions."""
        new = [one for one in dict.fromkeys(sets) if one not in self.known]
        if not new:
            return
        batch, pad = self.subject.batch, self.subject.spec.pad_id
        source = torch.full((len(new), batch.source.shape[1]), pad, device=batch.source.device)
        lengths = self.subject.lengths.tolist()
        for row, (i, gone) in enumerate(new):
            kept = [s for s in range(lengths[i]) if s not in gone]
            source[row, : len(kept)] = batch.source[i, kept]
        index = torch.tensor([i for i, _ in new], device=source.device)
        shorter = replace(self.subject, batch=batch._replace(source=source, target=batch.target[index], index=index))
        values = read(shorter, [(row, ()) for row in range(len(new))]).log_p
        self.known |= dict(zip(new, values, strict=True))

    def left_out(self) -> Floats:
        """`(n, T, S)`: log p less log p without s; 0 for `<bos>` and `<eos>`, which stay."""
        n, T, S = len(self.subject), self.subject.batch.target.shape[1] - 1, self.subject.batch.source.shape[1]
        words = [(i, s) for i, end in enumerate(self.subject.lengths.tolist()) for s in range(1, end - 1)]
        self.want([(i, frozenset()) for i in range(n)] + [(i, frozenset([s])) for i, s in words])
        found = np.zeros((n, T, S))
        for i, s in words:
            found[i, :, s] = self.known[i, frozenset()] - self.known[i, frozenset([s])]
        return found

    def area(self, scores: Floats, steps: int) -> Floats:
        """Mean of p of the word as its 1 … `steps` most important source words are gone: `(n, T)`, NaN at padding.

        The area under the deletion curve: lower where `scores` (n, T, S) names the words that the net needs.
        """
        lengths, ends = self.subject.lengths.tolist(), self.subject.steps.tolist()
        orders = {
            (i, t): (1 + np.argsort(-scores[i, t, 1 : lengths[i] - 1], kind="stable")).tolist()
            for i, end in enumerate(ends)
            for t in range(end)
        }
        gone = {place: [frozenset(order[:k]) for k in range(1, steps + 1)] for place, order in orders.items()}
        self.want([(i, one) for (i, _), sets in gone.items() for one in sets])
        area = np.full(scores.shape[:2], np.nan)
        for (i, t), sets in gone.items():
            area[i, t] = np.mean([np.exp(self.known[i, one][t]) for one in sets])
        return area


def rank_correlation(a: Floats, b: Floats) -> Floats:
    """Kendall's τ-b of the last dimensions; NaN where one of them is all ties."""
    signs = [np.sign(x[..., :, None] - x[..., None, :]) for x in (a, b)]
    among = [np.square(s).sum((-2, -1)) for s in signs]
    with np.errstate(invalid="ignore", divide="ignore"):
        tau: Floats = (signs[0] * signs[1]).sum((-2, -1)) / np.sqrt(among[0] * among[1])
    return tau


def correlate(subject: Subject, scores: Floats, reference: Floats) -> Floats:
    """τ over the source words, of each step: `(n, T)`, NaN at padding and where either has no order."""
    found = np.full(scores.shape[:2], np.nan)
    for i, (length, end) in enumerate(zip(subject.lengths.tolist(), subject.steps.tolist(), strict=True)):
        words = slice(1, length - 1)
        found[i, :end] = rank_correlation(scores[i, :end, words], reference[i, :end, words])
    return found


@dataclass(frozen=True)
class Judged:
    """How well each explanation says what the net needs, of every step of every sentence: `(n, T)` each."""

    area: dict[str, Floats]
    """Under the deletion curve, in order of each explanation; `random` is any order's mean."""
    correlation: dict[str, Floats]
    """With leave-one-word-out."""
    scores: dict[str, Floats]


def judge(subject: Subject, steps: int = 3, draws: int = 4, seed: int = 0, path_steps: int = 16) -> Judged:
    """`draws` random orders stand for any order."""
    deletions = Deletions(subject)
    scores: dict[str, Floats] = {**explain(subject, path_steps), "left_out": deletions.left_out()}
    generator = np.random.default_rng(seed)
    shape = scores["weight"].shape
    area = {name: deletions.area(array, steps) for name, array in scores.items()}
    area["random"] = np.mean([deletions.area(generator.random(shape), steps) for _ in range(draws)], axis=0)
    correlation = {name: correlate(subject, array, scores["left_out"]) for name, array in scores.items()}
    return Judged(area, correlation, scores)


def by_sentence(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """`(n, T)` → `(n,)`: each sentence's mean over the `chosen` steps; NaN where it has none."""
    kept = np.where(chosen, values, np.nan)
    counts = np.isfinite(kept).sum(1)
    return np.where(counts > 0, np.nansum(kept, axis=1) / np.maximum(counts, 1), np.nan)
