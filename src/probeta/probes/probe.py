"""What a probe is: settings in, a table and a few numbers out. It trains nothing of the project's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from probeta.curvature.loss import first_examples
from probeta.errors import ConfigError
from probeta.models.module import Module
from probeta.runs.atomic import write_atomic
from probeta.runs.cells import format_table

Row = Mapping[str, Any]


class TrainingLoss(nn.Module):
    """A model's training loss on a batch as a scalar: what probes differentiate.

    `model.measure(batch)` is what training and evaluation call too.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Any) -> Tensor:
        measured = self.model.measure(batch)  # type: ignore[operator]
        loss: Tensor = measured.objective / measured.weight
        return loss


class Net(NamedTuple):
    """A model that a probe looks into, and the seed of what is drawn for it."""

    seed: int
    model: Module


@dataclass(frozen=True)
class Subject:
    """The configured model and data that a probe looks into, or those of a finished run."""

    build: Callable[[int], Module]
    """Seed → the model as a run with that seed would initialise it; of a finished run the one with its weights."""
    batch: Any
    """The first batch of the training data, in its order before any shuffling."""
    data: Any
    """The datamodule."""
    trained: bool = False
    """Whether it is a finished run's."""

    def nets(self, seed: int, count: int) -> list[Net]:
        """The finished run's net, or those that `count` seeds from `seed` on initialise."""
        return [Net(own, self.build(own)) for own in range(seed, seed + (1 if self.trained else count))]

    def examples(self, count: int, device: torch.device) -> Any:
        """The first `count` training examples as one batch, whatever the batches of training are."""
        return tree_map(lambda x: x.to(device), first_examples(self.data, count))

    def loss(self, seed: int, examples: int, device: torch.device) -> tuple[nn.Module, tuple[Any, ...]]:
        """The model of `seed` as a `TrainingLoss`, and its input: the first `examples` of the batch."""
        batch = tree_map(lambda x: x[:examples].to(device) if isinstance(x, Tensor) else x, self.batch)
        return TrainingLoss(self.build(seed)).to(device), (batch,)


@dataclass
class Findings:
    """What a probe measured."""

    rows: list[Row]
    """`measurements.csv`: one row per measurement."""
    metrics: dict[str, float]
    """What `result.json` and a sweep's table show."""
    failure: str | None = None
    """Why the probe must end as failed; the measurements are written all the same."""
    report: list[str] = field(default_factory=list)
    """Lines for the reader."""


class Probe(ABC):
    """A probe's constructor takes its settings and refuses wrong ones; `measure` does the work.

    Args:
        dtype: `float32` or `float64`.
        device: `cpu`, `cuda`, `cuda:N` or `mps`.
    """

    name: ClassVar[str]
    needs_model: bool = False
    """Whether it looks into the configured model rather than nets of its own."""
    run: str | None = None
    """Directory of the finished run that it looks into, rather than a model as it is initialised."""

    def require(self, subject: Subject | None) -> Subject:
        """`subject`; `ConfigError` where there is none."""
        if subject is None:
            raise ConfigError(f"probe={self.name} looks into a model: add data=NAME model=NAME")
        return subject

    @abstractmethod
    def measure(self, seed: int, subject: Subject | None) -> Findings:
        """Measure with random numbers that follow from `seed`; `subject` where the probe `needs_model`."""


class CheckFailed(RuntimeError):
    """A probe's check failed, a gradient that is wrong for example: the run fails (exit 1)."""


def write_measurements(path: Path, probe: str, rows: list[Row]) -> None:
    """All rows as CSV with a `probe` column in front; columns in order of first appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = ([probe, *(format_number(row.get(name, "")) for name in columns)] for row in rows)
    write_atomic(path, format_table([["probe", *columns], *cells]))


def format_number(value: Any) -> Any:
    """Six significant digits say all that a measurement over seeds can."""
    return f"{value:.6g}" if isinstance(value, float) else value


def geometric_mean(values: Tensor, none: float = 0.0) -> float:
    """exp of the mean logarithm of the `values` above 0, which spread over orders of magnitude; else `none`."""
    positive = values[values > 0].double()
    return float(positive.log().mean().exp()) if len(positive) else none
