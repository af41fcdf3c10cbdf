"""Every module of a model with its parameters and the shapes that went in and out: for `trainer=debug`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from rich.table import Table
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from probeta.runs.terminal import plain_console, print_table


def describe_shapes(values: Any) -> str:
    """`(4, 7)` of a tensor; of a tree, those of its tensors."""
    if isinstance(values, Tensor):
        return f"({', '.join(map(str, values.shape))})"
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, (tuple, list)):
        return " ".join(filter(None, map(describe_shapes, values)))
    return ""


class Shapes(pl.Callback):
    """Watches one training step through forward hooks and prints one row per module, in the order of their calls."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, str, int, str, str]] = {}
        self.handles: list[RemovableHandle] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        net: Any = pl_module.net
        for name, module in net.named_modules():
            self.handles.append(module.register_forward_hook(self.hook(name or "net"), with_kwargs=True))

    def hook(self, name: str) -> Any:
        def seen(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            parameters = sum(p.numel() for p in module.parameters(recurse=False))
            row = (
                name,
                type(module).__name__,
                parameters,
                describe_shapes([*args, *kwargs.values()]),
                describe_shapes(output),
            )
            self.rows.setdefault(name, row)

        return seen

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.handles:
            return
        for handle in self.handles:
            handle.remove()
        self.handles = []
        table = Table("module", "class", "parameters", "in", "out", header_style="bold")
        for name, kind, parameters, given, returned in self.rows.values():
            table.add_row(name, kind, f"{parameters:,}" if parameters else "", given, returned)
        total = sum(p.numel() for p in pl_module.parameters())
        if trainer.is_global_zero:
            print_table(table)
            plain_console().print(f"{total:,} parameters; batch {describe_shapes(batch)}", highlight=False)
