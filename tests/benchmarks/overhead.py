"""What the laboratory's callbacks, loggers and records cost on a tiny model: 200 epochs of `moons_mlp`.

Our side is the fit of a whole run with everything on. The others train the same net for the same epochs and
validate at each: a bare Lightning Trainer with a DataLoader, one with in-memory batches, and a plain loop.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from probeta.commands.plugins import register_plugins
from probeta.composition.app import register_resolvers
from probeta.data.batches import LabelledBatches
from probeta.data.moons import MoonsData
from probeta.nn.mlp import MLP
from tests.benchmarks._timing import alternate

EPOCHS = 200


class Bare(pl.LightningModule):
    """The same net, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.net = MLP(2, 2)

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, _: int) -> None:
        F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.2)


def bare(train: Any, val: Any) -> float:
    trainer = pl.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    model = Bare()
    started = time.perf_counter()
    trainer.fit(model, train, val)
    return time.perf_counter() - started


def plain(data: MoonsData) -> float:
    net = MLP(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    (x, y), (x_val, y_val) = data.splits["train"], data.splits["val"]
    started = time.perf_counter()
    for _ in range(EPOCHS):
        net.train()
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        net.eval()
        with torch.no_grad():
            F.cross_entropy(net(x_val), y_val)
    return time.perf_counter() - started


def ours(config: Any) -> float:
    from probeta.runs.record import execute
    from probeta.training.fit import train

    with tempfile.TemporaryDirectory() as folder:
        return float(execute(train, config, Path(folder), overrides=[])["fit_s"])


def run() -> list[dict[str, Any]]:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    data = MoonsData()
    data.setup()
    loaders = [
        DataLoader(TensorDataset(*data.splits[split]), batch_size=len(data.splits[split].x), shuffle=split == "train")
        for split in ("train", "val")
    ]
    memory = [LabelledBatches(*data.splits[split]) for split in ("train", "val")]
    register_resolvers()
    register_plugins()
    with initialize_config_module("probeta.conf", version_base="1.3"):
        overrides = ["experiment=moons_mlp", "trainer=cpu", "callbacks.early_stopping.patience=1000", "figures=none"]
        config = compose("train", overrides)
    seconds = alternate(
        {
            "ours": lambda: ours(config),
            "trainer": lambda: bare(*loaders),
            "memory": lambda: bare(*memory),
            "plain": lambda: plain(data),
        }
    )
    logging.disable(logging.NOTSET)
    notes = {
        "trainer": ("overhead", "≤ 0.6", "all features on / bare Trainer with a DataLoader"),
        "memory": ("overhead_in_memory", "≤ 1.6", "all features on / bare Trainer with in-memory batches"),
        "plain": ("overhead_plain", "", "all features on / plain loop"),
    }
    return [
        {"name": name, "ratio": seconds["ours"] / seconds[side], "a": seconds["ours"], "b": seconds[side],
         "unit": "s", "target": target, "note": note}
        for side, (name, target, note) in notes.items()
    ]  # fmt: skip
