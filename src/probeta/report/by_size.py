"""What sentences of different lengths and reordering distances score: Bahdanau et al. 2015's figure 2 for any sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from probeta.report.answer import Chart
from probeta.report.charts import lines, means
from probeta.report.language import Language
from probeta.report.summary import MANY, Summary, ranked

GROUPED = re.compile(r"test/(bleu|exact_match)_(length|reordering)_(over_)?(\d+)")
"""How `probeta.models.gold` names the scores of a group of sentences: after the group's upper edge."""

SCORES = {"bleu": "BLEU", "exact_match": "exact match"}
SIZES = {"length": "source words", "reordering": "longest jump on the source, in words"}


def charts(summary: Summary, language: Language) -> list[Chart]:
    """A chart for each score and size that the runs measured: the mean over seeds of every variant, with the 95 %
    interval.
    """
    families: dict[tuple[str, str], dict[float, str]] = {}
    for name in summary.metrics:
        if found := GROUPED.fullmatch(name):
            score, size, over, edge = found.groups()
            # The open group stands further out than the edge that it begins at.
            families.setdefault((score, size), {})[int(edge) * (1.25 if over else 1.0)] = name
    say = language.say
    hint = say(
        "Mean and 95 % interval over seeds. A point stands at the upper end of its group of sentences, "
        "the last group's beyond its lower end."
    )
    made = []
    for (score, size), places in sorted(families.items()):
        drawn = {say(g.variant): _series(places, g.measured) for g in ranked(summary)[:MANY]}
        title = f"{say(SCORES[score])} – {say(SIZES[size])}"
        if any(drawn.values()):
            made.append(lines(title, say(SIZES[size]), say(SCORES[score]), drawn, markers=True, hint=hint))
    return made


def _series(places: Mapping[float, str], measured: Mapping[str, Any]) -> dict[str, Any] | None:
    x = [at for at in sorted(places) if measured[places[at]].mean is not None]
    found = [measured[places[at]] for at in x]
    if len(x) < 2:
        return None
    return means(x, found)
