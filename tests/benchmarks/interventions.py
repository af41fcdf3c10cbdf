"""All links of a sentence cut one at a time, in one batch, against a pass for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probeta.data.grammar.data import GrammarData
from probeta.interventions.changes import Cut
from probeta.interventions.passes import Case, read, take, translate
from probeta.nn.transformer import Transformer
from tests.benchmarks._timing import alternate, timed


def run() -> dict[str, Any]:
    """A Transformer of two layers on the longest of some sentences of the grammar, untrained: greedy translation and a
    pass over the reference, by link."""
    data = GrammarData(n_samples=500, n_val=1, n_test=50, max_depth=1, max_length=14)
    data.setup()
    spec = data.spec
    net = Transformer(spec.source_vocab_size, spec.target_vocab_size, 0, hidden_size=64, encoder_layers=2,
                      decoder_layers=2, dropout=0.0).eval()  # fmt: skip
    subject = take(net, spec, data, "test", 50)
    longest = int((subject.lengths + subject.steps).argmax())
    one = replace(subject, batch=type(subject.batch)(*(part[longest : longest + 1] for part in subject.batch)))
    cases: list[Case] = [
        (0, (Cut(row=t, column=s),)) for t in range(int(one.steps[0])) for s in range(1, int(one.lengths[0]) - 1)
    ]

    def intervene(cases: list[Case]) -> None:
        read(one, cases)
        translate(one, cases)

    def alone() -> None:
        for case in cases:
            intervene([case])

    medians = alternate({"batched": timed(lambda: intervene(cases)), "alone": timed(alone)}, repeats=3)
    return {
        "name": "interventions",
        "ratio": medians["batched"] / medians["alone"],
        "a": medians["batched"],
        "b": medians["alone"],
        "unit": "s of processor time",
        "target": 0.2,
        "note": f"{len(cases)} interventions on one sentence in one batch over one at a time",
    }
