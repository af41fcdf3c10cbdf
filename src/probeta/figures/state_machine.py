"""The state machine's figures: its states beside the expected ones, and how the weights were learned."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from probeta.figures.measurements import MeasurementTable
from probeta.figures.style import FAINT, INK, choose_look, figure, label_axes, legend, legend_below


def state_machine_figures(table: MeasurementTable) -> dict[str, Figure]:
    figures = {"states": states_figure(table.where(quantity="state"))}
    learned = table.where(quantity="learned")
    if len(learned):
        figures["learned_weights"] = weights_figure(learned)
        figures["learning"] = learning_figure(learned)
    return figures


def states_figure(table: MeasurementTable) -> Figure:
    drawn, [axes] = figure("The three-state machine as a tanh net", width=6.4, height=3.8)
    t = table["t"]
    axes.step(t, table["expected"], where="mid", color=FAINT, linewidth=4, label="expected state")
    fixed, learned = choose_look(0), choose_look(1)
    axes.plot(t, table["state"], fixed.marker, color=fixed.colour, markersize=8, label="fixed weights (−10, 10, 0)")
    if np.isfinite(table["learned_state"]).any():
        axes.plot(
            t, table["learned_state"], learned.marker, color=learned.colour, markersize=5, label="learned weights"
        )
    axes.set_xticks(t, [f"{time:.0f}\n{x:+.0f}" for time, x in zip(t, table["x"], strict=True)])
    axes.set_yticks([-1, 0, 1])
    axes.set_ylim(-1.25, 1.25)
    label_axes(axes, "step t (above) and input x (below)", "state h")
    legend_below(drawn, columns=3)
    return drawn


def weights_figure(table: MeasurementTable) -> Figure:
    """The way of each start through the plane of the two weights."""
    drawn, [axes] = figure("Learning the machine: the two weights of every random start", width=5.8, height=5.2)
    for restart in table.values("restart"):
        own = table.where(restart=restart)
        right = float(own["accuracy"][-1]) == 1.0
        style = choose_look(0 if right else 1)
        axes.plot(own["w_xh"], own["w_hh"], color=style.colour, linestyle=style.line, linewidth=0.9, alpha=0.7)
        axes.plot(own["w_xh"][0], own["w_hh"][0], ".", color=INK, markersize=4)
        axes.plot(own["w_xh"][-1], own["w_hh"][-1], style.marker, color=style.colour, markersize=6)
    axes.plot([], [], ".", color=INK, label="start")
    axes.plot(
        [],
        [],
        choose_look(0).marker,
        color=choose_look(0).colour,
        label="end: every state right on longer sequences",
    )
    axes.plot([], [], choose_look(1).marker, color=choose_look(1).colour, label="end: some states wrong")
    low, high = axes.get_xlim()
    axes.plot([low, high], [-low, -high], color=INK, linewidth=0.9, linestyle=(0, (2, 2)),
              label="direction of the fixed weights, (−10, 10)")  # fmt: skip
    axes.set_xlim(low, high)
    label_axes(axes, "input weight $W_{xh}$", "recurrent weight $W_{hh}$")
    legend_below(drawn)
    return drawn


def learning_figure(table: MeasurementTable) -> Figure:
    drawn, [axes] = figure("Learning the machine: training loss of every random start")
    for restart in table.values("restart"):
        own = table.where(restart=restart)
        axes.plot(own["update"], own["loss"], color=choose_look(0).colour, linewidth=0.9, alpha=0.6)
    losses = [table.where(update=update)["loss"] for update in table.values("update")]
    axes.plot(
        table.values("update"), [np.median(values) for values in losses], color=INK, linewidth=2.0, label="median"
    )
    axes.set_yscale("log")
    label_axes(axes, "update", "mean squared error, log scale")
    legend(axes)
    return drawn
