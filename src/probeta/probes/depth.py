"""How fast gradients vanish or explode with depth (Glorot & Bengio 2010; He et al. 2015).

A chain of `L` layers `h_l = φ(W_l h_(l-1) + b_l)` and the loss `Σ h_L`, as at initialisation; measured
is `‖∂L/∂h_l‖₂` at every layer, `l = 0` being the input. Nothing is trained.

Many nets at once: the seeds are a batch dimension; the same random layers serve every activation; and
a net of depth `d` is the *last* `d` layers of the longest one, so that a layer's weights are read once
for all nets that go through it. Curves over depth therefore share their noise (seeds are independent).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError
from probeta.nn.mlp import ACTIVATIONS
from probeta.probes.setting import fit, names, positive, whole, whole_list

INITS = ("default", "xavier", "he", "orthogonal")
CHUNK_BYTES = 256 << 20


@dataclass(frozen=True)
class DepthNorms:
    """Gradient norms of the nets `activation × depth × seed`."""

    activations: tuple[str, ...]
    depths: tuple[int, ...]
    norms: dict[int, Tensor]
    """For each depth `d`: `(A, seeds, d + 1)` float64, `‖∂L/∂h_l‖₂` for `l = 0 … d`."""

    def at_input(self, activation: str, depth: int) -> Tensor:
        """`(seeds,)`: `‖∂L/∂x‖₂`."""
        return self.norms[depth][self.activations.index(activation), :, 0]


@dataclass(frozen=True)
class Chain:
    """The random layers of `S` nets: what the probe measures and what its twin test loops over."""

    weight: Tensor
    """`(L, S, W, W)`"""
    bias: Tensor
    """`(L, S, W)`"""
    x: Tensor
    """`(S, W)`"""


def draw_chain(layers: int, width: int, seeds: Sequence[int], init: str, scale: float, dtype: torch.dtype) -> Chain:
    """Random layers and inputs; each seed has its own generator, so it never depends on its neighbours.

    `init`: `default` is PyTorch's (weights and biases uniform in ±1/√W), `xavier` uniform with variance
    1/W (Glorot & Bengio 2010), `he` normal with variance 2/W (He et al. 2015), `orthogonal` uniform over
    the orthogonal matrices (Saxe et al. 2014); the last three with zero biases. `scale` multiplies the
    weights.
    """
    weight = torch.empty(layers, len(seeds), width, width, dtype=dtype)
    bias = torch.zeros(layers, len(seeds), width, dtype=dtype)
    x = torch.empty(len(seeds), width, dtype=dtype)
    for s, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        x[s].normal_(generator=generator)
        draw = torch.empty(layers, width, width, dtype=dtype)
        if init == "default":
            bound = 1.0 / math.sqrt(width)
            draw.uniform_(-bound, bound, generator=generator)
            bias[:, s].uniform_(-bound, bound, generator=generator)
        elif init == "xavier":
            bound = math.sqrt(3.0 / width)
            draw.uniform_(-bound, bound, generator=generator)
        elif init == "he":
            draw.normal_(0.0, math.sqrt(2.0 / width), generator=generator)
        else:
            for layer in draw:
                nn.init.orthogonal_(layer, generator=generator)
        weight[:, s] = draw
    return Chain(weight if scale == 1.0 else weight.mul_(scale), bias, x)


def measure_depth(
    activations: Sequence[str] = ("sigmoid", "tanh", "relu", "gelu"),
    depths: Sequence[int] = (10, 20, 30, 40),
    *,
    width: int = 128,
    seeds: int = 64,
    first_seed: int = 0,
    init: str = "default",
    scale: float = 1.0,
    residual: bool = False,
    layer_norm: bool = False,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> DepthNorms:
    """`‖∂L/∂h_l‖₂` at every layer of every net `activation × depth × seed`.

    `residual` adds each layer's input to its output (He et al. 2016); `layer_norm` normalises before the
    activation (Ba et al. 2016). Norms are summed in float64: a float32 sum of squares is 0 below 1e-19.

    Raises:
        ConfigError: an unknown activation or initialisation, a depth or width below 1, a size that does
            not fit in memory.
    """
    device = device or torch.device("cpu")
    acts = names("probe.activations", activations, sorted(ACTIVATIONS))
    lengths = whole_list("probe.depths", depths, 1)
    if init not in INITS:
        raise ConfigError.unknown("probe.init", init, INITS)
    positive("probe.scale", scale)
    whole("probe.width", width, 1)
    whole("probe.seeds", seeds, 1)
    size = torch.empty((), dtype=dtype).element_size()
    # Two copies while a seed's layers are drawn, and three tensors for each row that is differentiated.
    one = size * lengths[-1] * width * (2 * width + 3 * len(acts) * len(lengths))
    fit("probe.depths", max(lengths), one, device)
    chunk = max(1, min(seeds, CHUNK_BYTES // one))
    parts: dict[int, list[Tensor]] = {depth: [] for depth in lengths}
    for start in range(0, seeds, chunk):
        numbers = [first_seed + s for s in range(start, min(start + chunk, seeds))]
        chain = draw_chain(lengths[-1], width, numbers, init, scale, dtype)
        chain = Chain(chain.weight.to(device), chain.bias.to(device), chain.x.to(device))
        for depth, norms in _chain_norms(chain, acts, lengths, residual, layer_norm).items():
            parts[depth].append(norms.cpu())
    return DepthNorms(acts, lengths, {depth: torch.cat(p, dim=1) for depth, p in parts.items()})


def _chain_norms(
    chain: Chain, activations: Sequence[str], depths: Sequence[int], residual: bool, layer_norm: bool
) -> dict[int, Tensor]:
    """Every net in one pass; a shorter net joins the batch where the longest has as many layers to go."""
    layers, seeds, width, _ = chain.weight.shape
    start = chain.x[:, None, None, :].expand(seeds, 1, len(activations), width)
    states: list[Tensor] = []
    joined: list[int] = []
    h: Tensor | None = None
    for layer in range(layers):
        if layers - layer in depths:
            joined.append(layers - layer)
            h = start.clone() if h is None else torch.cat([h, start], dim=1)
        assert h is not None
        h.requires_grad_(True)
        states.append(h)
        h = _layer(h, chain.weight[layer], chain.bias[layer], activations, residual, layer_norm)
    assert h is not None
    states.append(h)
    # A sum over nets: none reads another, so each net's part of the gradient is its own.
    gradients = torch.autograd.grad(h.sum(), states)
    # `(S, nets, A)` at each layer; the j-th net to join has its input at layer `layers - depth`.
    norms = [g.double().norm(dim=-1) for g in gradients]
    return {
        depth: torch.stack([n[:, j] for n in norms[layers - depth :]], dim=-1).transpose(0, 1)
        for j, depth in enumerate(joined)
    }


def _layer(
    h: Tensor, weight: Tensor, bias: Tensor, activations: Sequence[str], residual: bool, layer_norm: bool
) -> Tensor:
    """One layer of all nets: `h (S, nets, A, W)`, `weight (S, W, W)`, `bias (S, W)`."""
    seeds, nets, kinds, width = h.shape
    z = torch.baddbmm(bias[:, None], h.reshape(seeds, nets * kinds, width), weight.transpose(1, 2))
    if layer_norm:
        z = F.layer_norm(z, (width,))
    parts = z.view(seeds, nets, kinds, width).unbind(2)
    y = torch.stack([ACTIVATIONS[name](part) for name, part in zip(activations, parts, strict=True)], dim=2)
    return h + y if residual else y
