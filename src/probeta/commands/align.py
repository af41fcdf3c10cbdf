"""`probeta align`: word links of given translations by a finished run's attention, and their scores."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from probeta.commands.arguments import parse, required
from probeta.errors import ConfigError, DataError

if TYPE_CHECKING:
    from probeta.inference.align import Aligner
    from probeta.inference.translator import TextTranslator
    from probeta.metrics.alignment import AlignmentCounts, Links

USAGE = "probeta align run=DIR source=FILE target=FILE [reverse=DIR] [gold=FILE] [output=FILE]"

ACCEPTED = {
    "run": "DIR: the directory of a finished translator",
    "source": "FILE: one sentence per line, plain or .gz; words are what white space parts",
    "target": "FILE: their translations, line by line",
    "output": "FILE, new: the links, i-j of source word i and target word j from 0 (standard output, but with gold)",
    "gold": "FILE: links to score against, i-j sure, i?j possible: precision, recall, AER",
    "layer": "N: a Transformer's layer, from 0 (the last)",
    "head": "N: of that layer, from 0 (the mean of all)",
    "reverse": "DIR: a run of the other direction, whose links are joined with these",
    "symmetrise": "intersection or grow-diag-final-and: how they are joined (grow-diag-final-and)",
    "trust": "[PACKAGE]: packages of your own that a run may build from",
    "device": "auto, cpu, cuda, mps: where to compute (auto)",
}


def main(argv: list[str]) -> int:
    values = parse(USAGE, argv, ACCEPTED)
    for key, meaning in (("run", "DIR"), ("source", "FILE"), ("target", "FILE")):
        required(values, key, meaning)
    links = align_files(values)
    if "gold" in values:
        links, counts = score(links, Path(values["gold"]))
        print("\n".join(f"{name:<10}{getattr(counts, key):.4f}" for name, key in NAMES.items()))
    write(links, values.get("output"), quiet="gold" in values)
    return 0


NAMES = {"AER": "error_rate", "precision": "precision", "recall": "recall"}


def align_files(values: Mapping[str, str], aligner: Aligner | None = None) -> Iterator[Links]:
    """The links of every pair of lines, by `aligner` or the one that `values` name."""
    from probeta.data.aligned_files import read_pairs
    from probeta.inference.align import CHUNK
    from probeta.metrics.pharaoh import SYMMETRISATIONS, symmetrise

    method = values.get("symmetrise", SYMMETRISATIONS[-1])
    if method not in SYMMETRISATIONS:
        raise ConfigError.value("symmetrise", method, " or ".join(SYMMETRISATIONS))
    if "symmetrise" in values and "reverse" not in values:
        raise ConfigError("symmetrise= joins two directions: it needs reverse=DIR")
    forward = load(values["run"], values) if aligner is None else aligner
    back = load(values["reverse"], values) if "reverse" in values else None

    def found() -> Iterator[Links]:
        pairs, first = read_pairs(Path(values["source"]), Path(values["target"])), 1
        while part := list(islice(pairs, CHUNK)):
            sources, targets = map(list, zip(*part, strict=True))
            links = forward(sources, targets, first)
            if back is None:
                yield from links
            else:
                for one, other in zip(links, back(targets, sources, first), strict=True):
                    yield symmetrise(one, other.T, method)
            first += len(part)

    return found()


def load(run: str, values: Mapping[str, str]) -> Aligner:
    from probeta.config.trust import trust_argument
    from probeta.inference.translator import load_translator

    translator = load_translator(run, values.get("device", "auto"), trust_argument(values.get("trust")))
    return make_aligner(translator, values)


def make_aligner(translator: TextTranslator, values: Mapping[str, str]) -> Aligner:
    """`translator`'s links by the `layer` and `head` of `values`."""
    from probeta.inference.align import Aligner

    for key in ("layer", "head"):
        if key in values and not values[key].isdecimal():
            raise ConfigError.value(key, values[key], "a whole number from 0")
    layer, head = (int(values[key]) if key in values else None for key in ("layer", "head"))
    return Aligner(translator, layer, head)


def score(links: Iterator[Links], gold: Path) -> tuple[Iterator[Links], AlignmentCounts]:
    """The links again, and their counts against a line of `gold` each, summed over the corpus."""
    from itertools import zip_longest

    from probeta.data.aligned_files import read_lines
    from probeta.metrics.alignment import alignment_counts
    from probeta.metrics.pharaoh import parse_links

    total, kept = None, []
    for number, (one, line) in enumerate(zip_longest(links, read_lines(gold)), 1):
        if one is None or line is None:
            what = "has no pair of sentences" if one is None else "is missing: a line for each pair of sentences"
            raise DataError(f"{gold}, line {number} {what}")
        counts = alignment_counts(one, *parse_links(line, one.shape[0], one.shape[1], f"{gold}, line {number}"))
        total = counts if total is None else total + counts
        kept.append(one)
    if total is None:
        raise DataError(f"{gold} is empty")
    return iter(kept), total


def write(links: Iterator[Links], output: str | None, quiet: bool = False) -> None:
    """A line of links each, to `output` or, unless `quiet`, to standard output."""
    from probeta.metrics.pharaoh import format_links
    from probeta.runs.atomic import write_atomic

    if output is not None:
        write_atomic(Path(output), "".join(f"{format_links(one)}\n" for one in links))
    elif not quiet:
        sys.stdout.writelines(f"{format_links(one)}\n" for one in links)
