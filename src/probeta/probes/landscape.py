"""`probe=landscape`: the loss on lines and planes around the initial weights, or those of a finished run."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from probeta.curvature.draws import Draws
from probeta.curvature.landscape import (
    ROUGHNESS,
    SHORTEST,
    Array,
    check_points,
    draw_direction,
    measure_path,
    measure_plane,
    measure_random,
    measure_roughness,
)
from probeta.curvature.loss import StackedLoss
from probeta.errors import check_whole
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import check_positive, device_and_dtype
from probeta.runs.directory import RunDirectory
from probeta.stats.intervals import mean_interval

WORDS = dict(zip(ROUGHNESS, ("share with negative curvature", "share of the ways out that is downhill"), strict=True))


class LandscapeProbe(Probe):
    """The training loss along filter-normalised random directions (Li et al. 2018, arXiv 1712.09913).

    Each net has a line and a plane of its own directions. In the middle of a finished run's (`run=DIR`) are its kept
    weights; where it kept its path (`callbacks=[default,path]`), there is the plane of the path's two principal
    directions too. The loss is that of training without dropout; batch norm takes the statistics of the examples at
    every point.

    Args:
        seeds: nets, numbered from the run's `seed`; one where they are a finished run's.
        examples: of the first training batch, from 2.
        points: of a plane along each side, an odd number from 5.
        line_points: of a line, an odd number from 5.
        extent: how far lines and planes go, in lengths of the weights' filters.
        run: directory of a finished run, whose kept weights are looked at; null: the configured model's initial ones.

    Raises:
        ConfigError: a value outside these ranges.
    """

    name = "landscape"
    needs_model = True

    def __init__(
        self,
        seeds: int = 8,
        examples: int = 256,
        points: int = 25,
        line_points: int = 101,
        extent: float = 1.0,
        dtype: str = "float64",
        device: str = "cpu",
        run: str | None = None,
    ) -> None:
        self.run = run
        self.seeds = check_whole("probe.seeds", seeds)
        self.examples = check_whole("probe.examples", examples, 2)
        self.points = check_points("probe.points", points)
        self.line_points = check_points("probe.line_points", line_points)
        self.extent = check_positive("probe.extent", extent)
        self.device, self.dtype = device_and_dtype(device, dtype)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        subject = self.require(subject)
        nets = subject.nets(seed, self.seeds)
        batch = subject.examples(self.examples, self.device)
        loss = StackedLoss.of([net.model.to(self.device) for net in nets], self.dtype)
        seeds = [net.seed for net in nets]
        draws, line = Draws(seeds, loss.flat), np.linspace(-self.extent, self.extent, self.line_points)
        first = draw_direction(loss, draws)
        losses = measure_plane(loss, batch, first, torch.zeros_like(first), line, np.zeros(1))
        rows = [row for k, own in enumerate(losses) for row in grid_rows("line", seeds[k], line, np.zeros(1), own)]
        grid, planes = measure_random(loss, batch, draws, self.points, self.extent)
        rough: dict[str, list[float]] = {}
        for own, plane in zip(seeds, planes, strict=True):
            rows += grid_rows("random", own, grid, grid, plane)
            for name, value in measure_roughness(grid, plane).items():
                rough.setdefault(name, []).append(value)
        where = "the run's weights" if subject.trained else f"initial weights (nets: {len(nets)})"
        report = [f"The loss around {where}, in a plane of random directions", ""]
        for name, values in rough.items():
            interval = mean_interval(values, bounds=(0.0, 1.0))
            ends = "" if interval is None else f"   95 % interval {interval.low:.3g} to {interval.high:.3g}"
            report.append(f"  {WORDS[name]:<42}{fmean(values):.3g}{ends}")
        metrics = {name: fmean(values) for name, values in rough.items()}
        if self.run is not None:
            more, told = self.measure_run(loss, batch, self.run, seeds[0])
            rows, report = rows + more, [*report, "", told]
        return Findings(rows, metrics, report=report)

    def measure_run(self, loss: StackedLoss, batch: object, run: str, seed: int) -> tuple[list[Row], str]:
        """The plane of the path that `run` kept, and a line on it."""
        kept = RunDirectory(Path(run)).artifacts.read("path")
        if kept is None or len(kept["epoch"]) < SHORTEST:
            return [], "It kept no path: train with callbacks=[default,path] to see where it went."
        found = measure_path(loss, batch, torch.from_numpy(kept["weights"]), self.points)
        rows = grid_rows("path", seed, found["a"], found["b"], found["loss"])
        rows += [
            {"plane": "trajectory", "seed": seed, "a": float(a), "b": float(b), "epoch": int(epoch)}
            for (a, b), epoch in zip(found["at"], kept["epoch"], strict=True)
        ]
        rows += [{"plane": "share", "seed": seed, "loss": float(share)} for share in found["shares"]]
        return rows, f"The plane of its path has {found['shares'].sum():.1%} of the path's variance."


def grid_rows(plane: str, seed: int, a: Array, b: Array, loss: Array) -> list[Row]:
    """A row for each point of a plane: `loss (B, A)`."""
    return [
        {"plane": plane, "seed": seed, "a": x, "b": y, "loss": value}
        for y, row in zip(b.tolist(), loss.tolist(), strict=True)
        for x, value in zip(a.tolist(), row, strict=True)
    ]
