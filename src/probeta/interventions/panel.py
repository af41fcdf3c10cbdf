"""What a page needs to let its reader remove links, source words, heads and layers: the translations without each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from probeta.data.batch import PairBatch
from probeta.data.spec import TextSpec
from probeta.interventions.changes import Change, Cut, Force, Row, Temperature, count_heads, find_sites
from probeta.interventions.passes import Case, Subject, translate
from probeta.nn.translator import Translator

LONGEST = 16
"""Tokens of either side: of a longer sentence there are too many links."""


@torch.no_grad()
def cut_one_by_one(
    net: Translator, spec: TextSpec, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]],
    spell: Callable[[list[int]], str],
) -> list[dict[str, Any] | None]:  # fmt: skip
    """Of each sentence what the net writes, greedily, as its attention on the source is changed; `None` of a long one.

    `{"base": text, "links": {"t,s": text}, "words": {"s": text}, "heads": {"layer,head": text},
    "layers": {"layer": text}, "everywhere": {name: text}}`, with only those texts that differ from the `base`. Links
    are cut in every layer and head; `everywhere` has changes of all weights, by the names of
    `effects.whole_sentences`. `targets` say how many steps have links.
    """
    cross = {layer: module for (kind, layer), module in find_sites(net).items() if kind == "cross"}
    heads = [(layer, h) for layer, module in cross.items() for h in range(count_heads(module))]
    short = [i for i, pair in enumerate(zip(sources, targets, strict=True)) if max(map(len, pair)) <= LONGEST]
    named: list[tuple[int, str, str]] = []
    cases: list[Case] = []
    for at, i in enumerate(short):
        changes: list[tuple[str, str, Row]] = [("base", "", ())]
        changes += [("words", f"{s}", (Cut(column=s),)) for s in range(len(sources[i]))]
        changes += [("links", f"{t},{s}", (Cut(row=t, column=s),))
                    for t in range(len(targets[i])) for s in range(len(sources[i]))]  # fmt: skip
        changes += [("heads", f"{layer},{h}", (Cut(layer=layer, head=h),)) for layer, h in heads if len(heads) > 1]
        changes += [("layers", f"{layer}", (Cut(layer=layer),)) for layer in cross if len(cross) > 1]
        changes += [("everywhere", name, (change,)) for name, change in change_everywhere(len(sources[i])).items()]
        named += [(i, group, key) for group, key, _ in changes]
        cases += [(at, row) for _, _, row in changes]
    found: list[dict[str, Any] | None] = [None] * len(sources)
    if not short or not heads:
        return found
    said = translate(_subject(net, spec, [sources[i] for i in short], max(len(targets[i]) for i in short)), cases)
    for (i, group, key), ids in zip(named, said, strict=True):
        text = spell(ids)
        one = found[i]
        if one is None:
            found[i] = {"base": text, "links": {}, "words": {}, "heads": {}, "layers": {}, "everywhere": {}}
        elif text != one["base"]:
            one[group][key] = text
    return found


def change_everywhere(length: int) -> dict[str, Change]:
    """Changes of every weight on a source of `length` tokens."""
    even = torch.full((2 * LONGEST, length), 1 / length)
    return {
        "temperature 0.5": Temperature(value=0.5), "temperature 2": Temperature(value=2.0),
        "uniform": Force(weights=even), "all cut": Cut(),
    }  # fmt: skip


def _subject(net: Translator, spec: TextSpec, sources: Sequence[Sequence[int]], steps: int) -> Subject:
    """Sources to translate; the targets only say how long a translation may be."""
    device, width = net.output_weight.device, max(map(len, sources))
    rows = [[*source, *[spec.pad_id] * (width - len(source))] for source in sources]
    target = torch.full((len(rows), steps + 1), spec.eos_id, device=device)
    return Subject(net, spec, PairBatch(torch.tensor(rows, device=device), target, torch.arange(len(rows))))
