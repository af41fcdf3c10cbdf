"""Exercise 8: bugs in the backward pass, found and located by the gradient check."""

from __future__ import annotations

from collections import Counter
from typing import Any

from probeta.exercises.quantities import measurements
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Table, text_cell

NAMES = {
    "false_alarms": "layers called wrong without a bug",
    "bugs": "bugs put in",
    "found": "found",
    "located": "located in the right layer",
}
BUGS = {
    "detach": "detach: the gradient is cut off at the layer's output",
    "sign": "sign: the gradient at its output is turned around",
    "scale": "scale: the gradient at its output is half as large again",
}


def answer(results: Results) -> Answer:
    say, rows = results.say, [row for run in results.runs for row in add_places(measurements(run, "bug_hunt"))]
    intact = [row for row in rows if row["bug"] == "none"]
    broken = [row for row in rows if row["bug"] != "none"]
    below = [row for row in broken if int(row["wrong_layers"]) == row["place"]]
    found, located = (sum(int(row[key]) for row in broken) for key in ("found", "located"))
    claims = [
        results.counted(say("The model without a bug passes the check."), sum(r["found"] == "0" for r in intact),
                        len(intact)),
        results.counted(say("Every bug makes the check fail."), found, len(broken)),
        results.counted(say("The layer that the check names is the broken one."), located, len(broken)),
        results.counted(
            say("A bug spoils the gradients of its own layer and of every layer below it, and no others."),
            len(below), len(broken),
            say("The gradient reaches a layer only through those above it: what one of them gets wrong, all below it "
                "inherit, while those above it never see it."),
        ),
    ]  # fmt: skip
    sentence = say(
        "Of {bugs} bugs put into the layers of {nets} nets, the gradient check found {found} and named the right layer "
        "for {located}; the intact nets' greatest relative error was {error}.",
        bugs=len(broken), nets=len(intact), found=found, located=located,
        error=results.number(max((float(row["error"]) for row in intact), default=None), 2),
    )  # fmt: skip
    return Answer([sentence], claims, [by_layer(results, broken)])


def add_places(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With `place`: how many layers lie up to and including the broken one, which the probe lists from the input."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row["bug"]] += 1
        row["place"] = seen[row["bug"]]
    return rows


def by_layer(results: Results, broken: list[dict[str, Any]]) -> Table:
    """What the check saw of each bug in each layer, over the nets."""
    say = results.say
    cases = dict.fromkeys((row["bug"], row["layer"]) for row in broken)
    rows = []
    for bug, layer in cases:
        own = [row for row in broken if (row["bug"], row["layer"]) == (bug, layer)]
        named = Counter(row["named"] or say("not found") for row in own)
        rows.append(
            [
                text_cell(say(BUGS.get(bug, bug))),
                text_cell(layer),
                *(results.mean_cell([float(row[key]) for row in own]) for key in ("error", "wrong_layers")),
                text_cell(", ".join(f"{name} ({n})" for name, n in named.items())),
            ]
        )
    head = [say("bug"), say("in layer"), say("greatest relative error"), say("layers with wrong gradients"),
            say("named (nets)")]  # fmt: skip
    return Table(say("What the check saw"), head, rows)
