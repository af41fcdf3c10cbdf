"""One run of an ensemble: what it starts from, and how its training went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from probeta.callbacks.early_stopping import EarlyStopping
from probeta.callbacks.path import WeightPath
from probeta.data.datamodule import DataModule
from probeta.models.module import Module
from probeta.vectorized.curves import Row

Tree = Mapping[str, Any]


@dataclass
class Member:
    """One run of the ensemble."""

    tree: Tree
    data: DataModule
    loader: Any
    """Its training batches, in the order of its own `seeds.order`."""
    model: Module
    """As its `seeds.init` initialised it."""
    checkpoint_minutes: float = math.inf
    """How often its state is kept; infinity: never."""
    early: EarlyStopping | None = None
    path: WeightPath | None = None
    rows: list[tuple[int, Row]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    """What is tested and kept."""
    epochs: int = 0
    best_epoch: int = 0
    """From 1: the epoch whose weights were kept."""
    notes: list[str] = field(default_factory=list)
    error: Exception | None = None
    fit_s: float = 0.0
    device: str = "cpu"

    @property
    def accelerator(self) -> str:
        """The device in Lightning's words."""
        return {"cuda": "gpu"}.get(self.device, self.device)
