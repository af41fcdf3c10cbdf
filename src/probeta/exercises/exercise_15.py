"""Exercise 15: gradient norm against length for RNN, LSTM and GRU."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from statistics import fmean, geometric_mean
from typing import Any

from probeta.exercises.quantities import measurements
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Cell, Chart, Table, text_cell
from probeta.report.charts import lines, series
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow

CELLS = ("rnn", "lstm", "gru")
STABLE = 100.0
"""A gradient is stable as far back as it is neither this many times smaller nor larger than at the last state."""

NAMES = {
    "rate/rnn": "factor a step back, rnn",
    "rate/lstm": "factor a step back, lstm",
    "rate/gru": "factor a step back, gru",
    "reach/rnn": "stable range in steps, rnn",
    "reach/lstm": "stable range in steps, lstm",
    "reach/gru": "stable range in steps, gru",
}

Nets = dict[int, float]
"""Seed of a net → a number of it."""


def derive(run: RunRow) -> dict[str, float]:
    """`reach/<cell>`: the mean over nets of how many steps back the state's gradient is stable."""
    found = {cell: list(reach(run, cell).values()) for cell in CELLS}
    return {f"reach/{cell}": fmean(values) for cell, values in found.items() if values}


def _table(run: RunRow) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Cell and quantity → rows."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in measurements(run, "length"):
        found.setdefault((row["cell"], row["quantity"]), []).append(row)
    return found


def norms(run: RunRow, cell: str, quantity: str, by: str) -> dict[int, dict[int, float]]:
    """Seed → length or distance → norm."""
    found: dict[int, dict[int, float]] = {}
    for row in _table(run).get((cell, quantity), []):
        found.setdefault(int(row["seed"]), {})[int(row[by])] = float(row["value"] or "nan")
    return found


def reach(run: RunRow, cell: str) -> Nets:
    """Seed → steps back from the last state over which ‖∂L/∂h‖ stays within a factor `STABLE` of its first value."""
    by_net = norms(run, cell, "state_gradient", "distance")

    def within(curve: Mapping[int, float]) -> int:
        first = curve[0]
        return len(list(takewhile(lambda k: first / STABLE <= curve[k] <= first * STABLE, sorted(curve)))) - 1

    return {seed: float(within(curve)) for seed, curve in by_net.items() if curve.get(0)}


def rates(run: RunRow, cell: str) -> Nets:
    return {int(row["seed"]): float(row["value"]) for row in _table(run).get((cell, "rate"), [])}


def answer(results: Results) -> Answer:
    say, told, claims = results.say, [], []
    for variant, runs in results.by_variant.items():
        told.append(ranking(results, variant, runs[0]))
    first = next(iter(results.by_variant.values()), None)
    if first:
        claims = expected(results, first[0])
        told.append(by_weight(results, first[0]))
    charts = [chart for variant, runs in results.by_variant.items() for chart in curves(results, variant, runs[0])]
    hint = say(
        "Stable range: how many steps back the gradient at the state stays within a factor {factor} of the gradient at "
        "the last state; at most the length of the sequence.",
        factor=results.number(STABLE),
    )
    rows = [row for variant, runs in results.by_variant.items() for row in ranges(results, variant, runs[0])]
    head = [
        say("setting"), say("cell"), say("factor a step back"), say("stable range, steps"),
        say("nets stable throughout"),
    ]  # fmt: skip
    return Answer(
        told or [say("No run has completed yet.")],
        claims,
        [Table(say("How far back each is stable"), head, rows, hint)],
        charts,
    )


def ranking(results: Results, variant: str, run: RunRow) -> str:
    """Which cell is stable over the longest range, in one setting."""
    say = results.say
    found = {cell: list(reach(run, cell).values()) for cell in CELLS}
    found = {cell: values for cell, values in found.items() if values}
    if not found:
        return say("{name}: nothing was measured.", name=results.named(variant))
    ordered = sorted(found, key=lambda cell: -fmean(found[cell]))
    ranges = results.language.list(
        say("{cell} {steps} steps", cell=cell.upper(), steps=results.number(fmean(found[cell]))) for cell in ordered
    )
    return say(
        "{name}: the gradient is stable over {ranges} on average ({n} nets of each).",
        name=results.named(variant), ranges=ranges, n=max(map(len, found.values())),
    )  # fmt: skip


def expected(results: Results, run: RunRow) -> list[Any]:
    """What theory says of the three, tested over the nets."""
    say = results.say
    per_step = {cell: rates(run, cell) for cell in CELLS}

    def of_these(claim: str) -> str:
        """What is tested is these nets: which weights, how many, and of which seeds."""
        nets = sorted({seed for found in per_step.values() for seed in found})
        ends = {"n": len(nets), "first": nets[0], "last": nets[-1]} if nets else {"n": 0, "first": "–", "last": "–"}
        told = {"name": say(run.variant), "claim": claim[0].lower() + claim[1:]}
        return say("Weights {name}, {n} nets of each kind (seeds {first} to {last}): {claim}", **ends, **told)

    lengths = norms(run, "rnn", "weight_gradient", "length")
    shortest, longest = min(map(min, lengths.values()), default=0), max(map(max, lengths.values()), default=0)
    return results.judge(
        Expectation(
            of_these(say("From step to step the GRU keeps more of the gradient than the RNN.")),
            per_step["gru"], per_step["rnn"],
            say("Its update gate carries part of the state over unchanged, and with it the gradient."), ratio=True,
        ),
        Expectation(
            of_these(say("From step to step the LSTM keeps more of the gradient than the RNN.")),
            per_step["lstm"], per_step["rnn"],
            say("Its cell state is passed on by the forget gate alone, without a matrix in between."), ratio=True,
        ),
        Expectation(
            of_these(say("The RNN's gradient of the recurrent weight is smaller at length {long} than at length "
                         "{short}.", long=longest, short=shortest)),
            {seed: curve[shortest] for seed, curve in lengths.items()},
            {seed: curve[longest] for seed, curve in lengths.items()},
            ratio=True,
        ),
    )  # fmt: skip


def by_weight(results: Results, run: RunRow) -> str:
    """The norm that the exercise asks for, at the shortest and the longest sequence."""
    say, ends = results.say, {}
    for cell in CELLS:
        curves = norms(run, cell, "weight_gradient", "length").values()
        if pairs := [(curve[min(curve)], curve[max(curve)]) for curve in curves]:
            ends[cell] = tuple(geometric_mean([pair[i] for pair in pairs]) for i in range(2))
    if not ends:
        return ""
    parts = [
        say("{cell} {low} → {high}", cell=cell.upper(), low=results.number(low, 2), high=results.number(high, 2))
        for cell, (low, high) in ends.items()
    ]
    told = say(
        "The gradient norm of the recurrent weight, from the shortest to the longest sequence: {parts}.",
        parts="; ".join(parts),
    )
    if all(0.8 < high / low < 1.25 for low, high in ends.values()):
        told += " " + say(
            "It hardly changes: it adds up over all steps, and the last ones are always among them. What becomes of "
            "the first ones is seen at the states."
        )
    return told


def ranges(results: Results, variant: str, run: RunRow) -> list[list[Cell]]:
    rows = []
    for cell in CELLS:
        found = list(reach(run, cell).values())
        if found:
            most = max(norms(run, cell, "state_gradient", "distance")[min(reach(run, cell))])
            rows.append(
                [
                    text_cell(results.say(variant)),
                    text_cell(cell),
                    results.mean_cell(rates(run, cell)),
                    results.mean_cell(found),
                    text_cell(f"{sum(value >= most for value in found)} / {len(found)}"),
                ]
            )
    return rows


def curves(results: Results, variant: str, run: RunRow) -> list[Chart]:
    """Against length, and against the distance from the loss."""
    say, charts = results.say, []
    name = say(variant)
    for title, quantity, by, x, y in (
        (say("Recurrent weight: {name}", name=name), "weight_gradient", "length", say("length T, steps"), "‖∂L/∂W‖"),
        (say("State: {name}", name=name), "state_gradient", "distance", say("steps back from the loss"), "‖∂L/∂h‖"),
    ):
        drawn = {cell: band(list(norms(run, cell, quantity, by).values())) for cell in CELLS}
        memory = band(list(norms(run, "lstm", "memory_gradient", by).values())) if by == "distance" else None
        if memory:
            drawn[say("lstm, cell state")] = memory
        hint = say("Geometric mean over the nets; the band holds the middle half of them.")
        charts.append(lines(title, x, y, drawn, log_y=True, markers=by == "length", hint=hint))
    return charts


def band(curves: Sequence[Mapping[int, float]]) -> dict[str, Any] | None:
    """Geometric mean and quartiles over nets, at most 80 places."""
    places = sorted({at for curve in curves for at in curve})
    if not places:
        return None
    kept = places[:: math.ceil(len(places) / 80)]
    columns = [sorted(v for curve in curves if (v := curve.get(at, 0.0)) > 0) for at in kept]
    there = [(at, values) for at, values in zip(kept, columns, strict=True) if values]
    spans = [(geometric_mean(s), s[len(s) // 4], s[(3 * len(s)) // 4]) for _, s in there]
    return series([at for at, _ in there], spans, len(curves))
