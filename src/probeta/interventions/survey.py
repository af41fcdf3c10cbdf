"""Everything that interventions tell of a translator: arrays for reports, metrics for tables, rows for a probe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from probeta.data.grammar.counterfactuals import CHANGES, counterfactuals
from probeta.data.grammar.kinds import KINDS, link_kinds
from probeta.data.spec import TextSpec
from probeta.interventions.counterfactual import FARTHEST, follow
from probeta.interventions.effects import (
    ablate_heads,
    cut_links,
    error_rate,
    measure,
    prune_heads,
    top_and_random,
    whole_sentences,
)
from probeta.interventions.explanations import NAMES, Floats, by_sentence, judge
from probeta.interventions.passes import Subject, take
from probeta.metrics.alignment import agreement
from probeta.nn.translator import Translator

PAIRS = 150
"""Counterfactual pairs of each kind of change."""

EXPLAINED, CUT, EXACT = NAMES[:-1], ("top", "others"), ("nothing", "all_cut")
METRICS = {
    f"explain/{quantity}/{name}"
    for quantity, names in (
        ("explained", EXPLAINED), ("tau", EXPLAINED), ("cut", CUT), ("exact_match", EXACT),
        ("counterfactual_acc", CHANGES),
    )
    for name in names
}  # fmt: skip
"""The names of `Survey.metrics`; a net lacks some."""


@dataclass
class Survey:
    """Names have parts, apart by `/`.

    Of every sentence (`(n,)`; NaN where it has no such word): `area/EXPLANATION/KIND`, `tau/EXPLANATION/KIND`;
    `link/top/KIND`, `link/others/KIND` (bits, a link cut alone); `drop/…`, `divergence/…`, `changed/…`, `exact/…` of
    interventions. Numbers: `bleu/INTERVENTION`, `aer/INTERVENTION`, `aer_of/EXPLANATION`. Of heads: `heads/name`,
    `heads/lost (H, n)`, `heads/drop (H, n)`, `heads/aer (H,)`, `heads/pruned (H + 1,)`. Of changes: `change/KIND`, the
    rows of `follow`.
    """

    arrays: dict[str, Any] = field(default_factory=dict)

    def mean(self, name: str) -> float:
        values = np.asarray(self.arrays.get(name, math.nan), dtype=float)
        return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan

    @property
    def metrics(self) -> dict[str, float]:
        """What a table of runs shows; see `share_explained`."""
        found = {f"explained/{name}": share_explained(self, name) for name in EXPLAINED}
        found |= {f"tau/{name}": self.mean(f"tau/{name}/all") for name in EXPLAINED}
        found |= {f"cut/{name}": self.mean(f"link/{name}/all") for name in CUT}
        found |= {f"exact_match/{name}": self.mean(f"exact/{name.replace('_', ' ')}") for name in EXACT}
        for change in CHANGES:
            if (rows := self.arrays.get(f"change/{change}")) is not None:
                found[f"counterfactual_acc/{change}"] = agreement(rows)[2]
        return {f"explain/{name}": value for name, value in found.items() if math.isfinite(value)}

    def rows(self) -> Iterator[dict[str, Any]]:
        """One per number: `quantity`, `name`, `kind` of link, `value` (the mean over sentences) and `n`."""
        for name, array in self.arrays.items():
            quantity, what, *kind = name.split("/")
            if quantity == "heads":
                continue
            if quantity == "change":
                yield from change_rows(what, array)
                continue
            values = np.asarray(array, dtype=float)
            if n := int(np.isfinite(values).sum()):  # none of what needs gold links, where there are none
                yield {"quantity": quantity, "name": what, "kind": "".join(kind), "value": self.mean(name), "n": n}
        names = self.arrays.get("heads/name", [])
        for h, head in enumerate(names):
            lost, aer = self.arrays["heads/lost"][h], float(self.arrays["heads/aer"][h])
            for quantity in ("lost", "drop"):
                value = float(self.arrays[f"heads/{quantity}"][h].mean())
                yield {"quantity": f"head_{quantity}", "name": str(head), "value": value, "n": len(lost)}
            if math.isfinite(aer):
                yield {"quantity": "head_aer", "name": str(head), "value": aer, "n": len(lost)}
        for k, value in enumerate(self.arrays.get("heads/pruned", [])):
            yield {"quantity": "pruned", "name": str(k), "value": float(value)}


def change_rows(change: str, rows: Floats) -> Iterator[dict[str, Any]]:
    looked, away, balanced = agreement(rows)
    for name, value in (("attended_if_changed", looked), ("spared_if_not", away), ("balanced_accuracy", balanced)):
        yield {"quantity": f"change_{name}", "name": change, "kind": "all", "value": value, "n": len(rows)}
    must = rows[rows[:, 2] == 1]
    yield {"quantity": "change_right", "name": change, "kind": "all", "value": float(must[:, 3].mean()), "n": len(must)}
    for distance in range(FARTHEST + 1):
        own = must[must[:, 1] == distance]
        if len(own):
            for name, column in (("right", 3), ("attended_if_changed", 4)):
                value = float(own[:, column].mean())
                yield {"quantity": f"change_{name}", "name": change, "kind": distance, "value": value, "n": len(own)}


def share_explained(survey: Survey, explanation: str, kind: str = "all") -> float:
    """How much of what can be explained an explanation does: (A_random - A) / (A_random - A_left_out) of the areas A
    under deletion curves. 0: its order is as good as any. 1: as good as leaving out each word and looking.
    """
    area = {name: survey.mean(f"area/{name}/{kind}") for name in (explanation, "random", "left_out")}
    most = area["random"] - area["left_out"]
    return (area["random"] - area[explanation]) / most if most > 0 else math.nan


@torch.inference_mode(False)  # Lightning tests in inference mode, in which nothing has a gradient
@torch.no_grad()
def make_survey(
    net: Translator, spec: TextSpec, data: Any, sentences: int, deletions: int = 3, path_steps: int = 16, seed: int = 0
) -> Survey:
    """Of the first `sentences` of the test set; heads are ordered for pruning on as many of validation.

    Kinds of link, counterfactuals and alignment need the grammar's data; everything else needs none. A kind of link
    that fewer than half of those sentences have is told of as many of the test set's first that have it.
    """
    subject, found = take(net, spec, data, "test", sentences), Survey()
    more = find_more(data, "test", sentences) if hasattr(data, "grammar") else []
    _explanations(subject, take(net, spec, data, "test", sentences, more), found, deletions, path_steps, seed)
    for name, effect in measure(subject, whole_sentences(subject, seed)).items():
        for quantity, value in vars(effect).items():
            found.arrays[f"{quantity}/{name}"] = value
    heads, curve = ablate_heads(subject), prune_heads(subject, ablate_heads(take(net, spec, data, "val", sentences)))
    found.arrays |= {
        "heads/name": np.array([f"{head.kind} {head.layer + 1}.{head.head + 1}" for head in heads]),
        "heads/lost": np.stack([head.lost for head in heads]),
        "heads/drop": np.stack([head.drop for head in heads]),
        "heads/aer": np.array([head.aer for head in heads]),
        "heads/pruned": curve,
    }
    if hasattr(data, "grammar"):
        for change in CHANGES:
            pairs = counterfactuals(data.grammar, change, PAIRS, seed)
            found.arrays[f"change/{change}"] = follow(subject, data, pairs)
    return found


def _explanations(subject: Subject, wide: Subject, found: Survey, deletions: int, path_steps: int, seed: int) -> None:
    """`wide` has sentences behind those of `subject`, for rare kinds of link alone."""
    judged = judge(wide, deletions, seed=seed, path_steps=path_steps)
    first, others = top_and_random(judged.scores["weight"], cut_links(wide).divergence)
    for kind, steps in choose_steps(wide, len(subject)).items():
        for quantity, arrays in (("area", judged.area), ("tau", judged.correlation)):
            for name, values in arrays.items():
                found.arrays[f"{quantity}/{name}/{kind}"] = by_sentence(values, steps)
        found.arrays[f"link/top/{kind}"] = by_sentence(first, steps)
        found.arrays[f"link/others/{kind}"] = by_sentence(others, steps)
    for name, scores in judged.scores.items():
        found.arrays[f"aer_of/{name}"] = error_rate(subject, np.maximum(scores[: len(subject)], 0.0))


def find_more(data: Any, split: str, count: int) -> list[int]:
    """Rows behind the first `count` that each kind of link needs for half as many sentences."""
    size = len(data.pairs[split])
    has = {kind: [] for kind in KINDS}  # type: dict[str, list[int]]
    for row in range(size):
        for kind in frozenset().union(*link_kinds(data.gold(split, row))):
            has[kind].append(row)
    return sorted({row for rows in has.values() for row in rows[: count // 2] if row >= count})


def choose_steps(subject: Subject, count: int) -> dict[str, Any]:
    """Kind of link → `(n, T)` bool: the steps that write a word of that kind; `all`: every word.

    `<eos>` is no word, nor is `<unk>` where there are others.

    Of the sentences behind the first `count` those alone that a kind needs to have `count // 2`.
    """
    words = np.arange(subject.batch.target.shape[1] - 1) < subject.steps.cpu().numpy()[:, None] - 1
    known = words & (subject.batch.target[:, 1:] != subject.spec.unk_id).cpu().numpy()
    words = known if known.any() else words
    chosen = {"all": words & (np.arange(len(subject)) < count)[:, None]}
    if subject.golds is None:
        return chosen
    kinds = [link_kinds(gold) for gold in subject.golds]
    for kind in KINDS:
        own = words & [[t < len(row) and kind in row[t] for t in range(words.shape[1])] for row in kinds]
        own[count:] &= (own.any(1).cumsum() <= count // 2)[count:, None]
        chosen[kind] = own
    return chosen
