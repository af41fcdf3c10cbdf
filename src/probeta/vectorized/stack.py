"""K models of one shape as one model whose every tensor has a first dimension K."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from probeta.models.module import Measured, Module, Sums
from probeta.nn.dropout import Dropout, mix


class Objective(nn.Module):
    """`measure` as the forward of a module, which is what `functional_call` swaps the tensors of."""

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Any, forced: Tensor | None, thorough: bool) -> Measured:
        if forced is not None:
            return self.model.measure(batch, forced)  # type: ignore[call-arg]
        return self.model.measure_thoroughly(batch) if thorough else self.model.measure(batch)


class Stack:
    """Trained parameters `(K, …)` of K members, and buffers, to which frozen parameters count; `template` computes."""

    def __init__(self, members: Sequence[Module], device: torch.device) -> None:
        assert len(members) > 1, "a lone member is padded to two: its products must take the same path"
        self.template = members[0].to(device)
        self.objective = Objective(self.template)
        self.device = device
        frozen = {name for name, p in self.template.named_parameters() if not p.requires_grad}
        tensors = self._stacked([dict(m.named_parameters()) for m in members])
        self.parameters = {name: t for name, t in tensors.items() if name not in frozen}
        held = {name: tensors[name] for name in tensors if name in frozen}
        self.buffers = held | self._stacked([dict(m.named_buffers()) for m in members])
        self.persistent = [name for name in self.template.state_dict() if name in self.buffers]
        self.dropouts: list[tuple[int, str]] = []
        layers = [(n, m) for n, m in self.template.net.named_modules() if isinstance(m, Dropout)]
        for number, (name, layer) in enumerate(layers):
            if layer.active:
                self.dropouts.append((number, f"net.{name}.key" if name else "net.key"))

    def _stacked(self, tensors: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {name: torch.stack([t[name].detach().to(self.device) for t in tensors]) for name in tensors[0]}

    def __len__(self) -> int:
        return len(next(iter(self.parameters.values())))

    def reseed(self, seeds: Sequence[int], step: int) -> None:
        """Every member's dropout masks of training step `step`, as `nn.dropout.reseed` sets them for one run."""
        for layer, name in self.dropouts:
            known = {seed: mix(seed, step, layer) for seed in dict.fromkeys(seeds)}
            keys = torch.tensor([known[seed] for seed in seeds], dtype=torch.int64)
            self.buffers[name] = keys.to(self.device)

    def measure(
        self,
        parameters: Sequence[Tensor],
        buffers: Sequence[Tensor],
        batch: Any,
        forced: Tensor | None,
        shared: bool,
        thorough: bool = False,
    ) -> Measured:
        """`measure` of every member: objective `(K,)`, weight `(K,)`, sums `(K,)` each.

        `batch` has a first dimension K unless it is `shared` by all; `forced (K, T)`.
        """

        def one(p: list[Tensor], b: list[Tensor], batch: Any, forced: Tensor | None) -> Measured:
            named = dict(zip(self.parameters, p, strict=True)) | dict(zip(self.buffers, b, strict=True))
            measured: Measured = functional_call(
                self.objective, {f"model.{n}": t for n, t in named.items()}, (batch, forced, thorough)
            )
            return measured

        dims = (0, 0, None if shared else 0, None if forced is None else 0)
        measured: Measured = vmap(one, in_dims=dims)(list(parameters), list(buffers), batch, forced)
        return measured

    def rows(self, rows: Tensor) -> None:
        """Go on with the members `rows (K',)`."""
        self.parameters = {name: p.index_select(0, rows) for name, p in self.parameters.items()}
        self.buffers = {name: b.index_select(0, rows) for name, b in self.buffers.items()}

    def weights(self) -> dict[str, Tensor]:
        """What a checkpoint keeps of every member: parameters and persistent buffers."""
        return self.parameters | {name: self.buffers[name] for name in self.persistent}

    def load_member(self, member: int, weights: dict[str, Tensor]) -> Module:
        """The template with the tensors of one member of `weights`, in evaluation mode."""
        named = dict(self.template.named_parameters()) | dict(self.template.named_buffers())
        with torch.no_grad():
            for name, values in weights.items():
                named[name].copy_(values[member])
        self.template.eval()
        return self.template


def add_sums(sums: Sums | None, more: Sums) -> Sums:
    """Sums over the batches of an epoch."""
    return more if sums is None else {name: sums[name] + value for name, value in more.items()}
