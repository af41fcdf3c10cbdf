"""Changes of a translator's attention while it reads: cut links, forced weights, other temperatures.

A batch has a row of changes per sentence, so that many interventions on one sentence are one pass:

>>> with intervene(net, Plan(net, [(), (Cut(source=3),), (Cut(head=1), Temperature(2.0))], lengths, steps)):
...     logits = net(source.expand(3, -1), target.expand(3, -1))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from probeta.errors import ConfigError
from probeta.nn.attention import Attention, Hook
from probeta.nn.multi_head import CrossAttention, MultiHeadAttention, SelfAttention

KINDS = ("cross", "encoder", "decoder")

Site = tuple[str, int]
"""Kind and layer of an attention."""


@dataclass(frozen=True)
class Places:
    """Which weights a change is of: every layer, head, row and column where none is named.

    Rows of cross-attention are steps (row t gives target word t), its columns source positions, `<bos>` among them.
    """

    kind: str = "cross"
    layer: int | None = None
    head: int | None = None
    row: int | None = None
    column: int | None = None

    def select(self, table: Tensor) -> Tensor:
        """The part of `table (h, T, S)` that is meant, as a view; empty beyond its ends."""
        return table[
            tuple(slice(None) if at is None else slice(at, at + 1) for at in (self.head, self.row, self.column))
        ]


@dataclass(frozen=True)
class Cut(Places):
    """Weights become 0. What they had goes to the rest of the row in proportion, so that it sums to what it did (all
    0 where nothing is left), or with `mean` to all positions alike: the value at the cut position is then replaced by
    the mean of the sentence's.
    """

    mean: bool = False


@dataclass(frozen=True, eq=False)
class Force(Places):
    """Rows become those of `weights (≤T, ≤S)`; later rows stay."""

    weights: Tensor | None = None


@dataclass(frozen=True)
class Temperature(Places):
    """α ∝ α^(1/τ), the softmax of scores divided by τ, with the sum that the row had."""

    value: float = 1.0


Change = Cut | Force | Temperature
Row = Sequence[Change]


def find_sites(net: nn.Module) -> dict[Site, Attention | MultiHeadAttention]:
    """Every attention of `net`, of each kind by layer."""
    found: dict[Site, Attention | MultiHeadAttention] = {}
    for module in net.modules():
        if isinstance(module, Attention | CrossAttention):
            kind = "cross"
        elif isinstance(module, SelfAttention):
            kind = "decoder" if module.causal else "encoder"
        else:
            continue
        found[kind, sum(k == kind for k, _ in found)] = module
    return found


def count_heads(module: Attention | MultiHeadAttention) -> int:
    return int(getattr(module, "heads", 1))


@contextmanager
def hook_attention(net: nn.Module, hooks: Mapping[Site, Hook]) -> Iterator[None]:
    """`hooks` at their sites inside; afterwards the net is what it was."""
    modules = find_sites(net)
    before = {site: modules[site].hook for site in hooks}
    for site, hook in hooks.items():
        modules[site].hook = hook
    try:
        yield
    finally:
        for site in hooks:
            modules[site].hook = before[site]


class Plan:
    """The changes `rows` of a batch, one sequence for each of its sentences.

    Args:
        lengths: `(B,)` source tokens of each.
        steps: decoder steps at most.
        width: source positions, padding included.

    Raises:
        ConfigError: a change of an unknown kind, or of a layer or head that attention of its kind does not have. A net
            that has none of a kind is not changed by it.

    In a greedy search, which gives one step after another, `start` is the number of the step. A beam search reads the
    prefixes of a sentence as if they were steps: it suits changes of all rows alone.
    """

    def __init__(self, net: nn.Module, rows: Sequence[Row], lengths: Tensor, steps: int, width: int) -> None:
        self.start = 0
        self.hooks: dict[Site, Hook] = {}
        positions = torch.arange(width, device=lengths.device)
        real = (positions < lengths[:, None])[:, None, None]
        past = torch.ones(steps, steps, dtype=torch.bool, device=lengths.device).tril()[None, None]
        sites = find_sites(net)
        check_changes(sites, rows)
        for (kind, layer), module in sites.items():
            own = [[c for c in row if c.kind == kind and c.layer in (None, layer)] for row in rows]
            if any(own):
                shape = (
                    count_heads(module),
                    width if kind == "encoder" else steps,
                    steps if kind == "decoder" else width,
                )
                site = _Table(own, shape, past if kind == "decoder" else real)
                self.hooks[kind, layer] = partial(self._apply, site, kind)

    def _apply(self, table: _Table, kind: str, weights: Tensor, values: Tensor, offset: int) -> Tensor:
        return table(weights, 0 if kind == "encoder" else self.start + offset)


def check_changes(sites: Mapping[Site, Attention | MultiHeadAttention], rows: Sequence[Row]) -> None:
    """Refuse changes of a kind, layer or head that `sites` do not have."""
    places = {(change.kind, change.layer, change.head) for row in rows for change in row}
    for kind, layer, head in sorted(places, key=str):
        if kind not in KINDS:
            raise ConfigError.unknown("kind of attention", kind, KINDS)
        heads = [count_heads(module) for (own, _), module in sites.items() if own == kind]
        for what, number, count in (("layer", layer, len(heads)), ("head", head, max(heads, default=0))):
            if heads and number is not None and not 0 <= number < count:
                raise ConfigError.value(what, number, f"{kind} attention of this net has {count}, counted from 0")


class _Table:
    """What one attention reads of a batch's changes, as tensors."""

    def __init__(self, rows: Sequence[Row], shape: tuple[int, int, int], real: Tensor) -> None:
        self.real, device, size = real, real.device, (len(rows), *shape)
        self.cut = torch.zeros(size, dtype=torch.bool, device=device)
        self.mean = torch.zeros(size, dtype=torch.bool, device=device)
        self.power = torch.ones(size, device=device) if any_of(rows, Temperature) else None
        self.forced = torch.full(size, torch.nan, device=device) if any_of(rows, Force) else None
        for b, row in enumerate(rows):
            for change in row:
                if isinstance(change, Cut):
                    change.select(self.mean[b] if change.mean else self.cut[b]).fill_(True)
                elif isinstance(change, Temperature) and self.power is not None:
                    change.select(self.power[b]).fill_(1 / change.value)
                elif isinstance(change, Force) and self.forced is not None and change.weights is not None:
                    T, S = change.weights.shape
                    given = torch.zeros(min(T, shape[1]), shape[2], device=device)
                    given[:, :S] = change.weights[: shape[1], : shape[2]]
                    change.select(self.forced[b, :, : len(given)]).copy_(given)

    def __call__(self, weights: Tensor, first: int) -> Tensor:
        """`(B, h, T, S)` from row `first` on."""
        rows, columns = slice(first, first + weights.shape[2]), slice(weights.shape[3])
        real = self.real[..., rows, columns] if self.real.shape[2] > 1 else self.real[..., columns]
        if self.power is not None:
            power, total = self.power[:, :, rows, columns], weights.sum(-1, keepdim=True)
            warm = weights.clamp_min(torch.finfo(weights.dtype).tiny) ** power * (weights > 0)
            warm = warm * total / warm.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
            weights = torch.where(power == 1, weights, warm)
        if self.forced is not None:
            forced = self.forced[:, :, rows, columns].to(weights.dtype)
            weights = torch.where(forced.isnan(), weights, forced)
        return self._without(weights, self.cut[:, :, rows, columns], self.mean[:, :, rows, columns], real)

    @staticmethod
    def _without(weights: Tensor, cut: Tensor, mean: Tensor, real: Tensor) -> Tensor:
        touched = (cut | mean).any(-1, keepdim=True)
        total = weights.sum(-1, keepdim=True)
        spread = (weights * (mean & ~cut)).sum(-1, keepdim=True)
        kept = weights * ~(cut | mean)
        left = kept.sum(-1, keepdim=True)
        # What is cut goes in proportion to what is kept, what is averaged to every position alike.
        kept = kept * ((total - spread) / left.clamp_min(torch.finfo(weights.dtype).tiny)) * (left > 0)
        return torch.where(touched, kept + spread * real / real.sum(-1, keepdim=True), weights)


def any_of(rows: Sequence[Row], kind: type) -> bool:
    return any(isinstance(change, kind) for row in rows for change in row)


@contextmanager
def intervene(net: nn.Module, plan: Plan) -> Iterator[Plan]:
    """Read with the changes of `plan` inside."""
    with hook_attention(net, plan.hooks):
        yield plan
