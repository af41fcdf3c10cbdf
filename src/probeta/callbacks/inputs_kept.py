"""What a run reads, in its checkpoints: it goes on only from what it began with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl


class InputsKept(pl.Callback):
    """Adds `inputs` to every checkpoint: the hashes that `result.json` keeps when the run is completed."""

    def __init__(self, inputs: Mapping[str, str | None]) -> None:
        self.inputs = dict(inputs)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["inputs"] = self.inputs
