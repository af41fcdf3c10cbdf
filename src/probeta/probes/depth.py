"""`probe=depth`: how fast gradients vanish or explode with depth (Glorot & Bengio 2010; He et al. 2015).

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

from probeta.errors import ConfigError, check_whole
from probeta.nn.mlp import ACTIVATIONS
from probeta.probes.probe import Findings, Probe, Row, Subject, geometric_mean
from probeta.probes.setting import check_names, check_positive, check_whole_list, device_and_dtype, divide_seeds

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


class DepthProbe(Probe):
    """`‖∂L/∂h_l‖₂` at every layer of every net `activation × depth × seed`.

    Args:
        depths: numbers of layers, each from 1.
        activations: names from `nn.mlp.ACTIVATIONS`.
        width: units of every layer.
        seeds: nets of each kind, numbered from the run's `seed`.
        init: how weights are drawn, see `draw_chain`.
        scale: what the weights are multiplied by, above 0.
        residual: add each layer's input to its output (He et al. 2016).
        layer_norm: normalise before the activation (Ba et al. 2016).
        dtype: `float32` or `float64`. Norms are always summed in float64: a float32 sum of squares is 0 below 1e-19.

    Raises:
        ConfigError: a value outside these ranges, or a size that does not fit in memory.
    """

    name = "depth"

    def __init__(
        self,
        depths: Sequence[int] = (10, 20, 30, 40),
        activations: Sequence[str] = ("sigmoid", "tanh", "relu", "gelu"),
        width: int = 128,
        seeds: int = 64,
        init: str = "default",
        scale: float = 1.0,
        residual: bool = False,
        layer_norm: bool = False,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.depths = check_whole_list("probe.depths", depths)
        self.activations = check_names("probe.activations", activations, sorted(ACTIVATIONS))
        self.width = check_whole("probe.width", width)
        self.seeds = check_whole("probe.seeds", seeds)
        if init not in INITS:
            raise ConfigError.unknown("probe.init", init, INITS)
        self.init, self.scale = init, check_positive("probe.scale", scale)
        self.residual, self.layer_norm = residual, layer_norm
        self.device, self.dtype = device_and_dtype(device, dtype)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        measured = self.norms(seed)
        rows: list[Row] = []
        metrics: dict[str, float] = {}
        report = ["‖∂L/∂x‖₂ at the input, geometric mean over seeds", ""]
        for activation in self.activations:
            means = []
            for depth in self.depths:
                norms = measured.norms[depth][self.activations.index(activation)]
                at_input = measured.at_input(activation, depth)
                mean = geometric_mean(at_input)
                metrics[f"input_gradient/{activation}/{depth}"] = mean
                metrics[f"lost/{activation}/{depth}"] = float((at_input == 0).double().mean())
                means.append(f"{depth}: {mean:.1e}")
                rows += [
                    {"activation": activation, "depth": depth, "seed": seed + s, "layer": layer, "gradient_norm": norm}
                    for s, net in enumerate(norms.tolist())
                    for layer, norm in enumerate(net)
                ]
            report.append(f"{activation:<10}" + "   ".join(means))
        return Findings(rows, metrics, report=report)

    def norms(self, first_seed: int) -> DepthNorms:
        """The norms of the nets of `seeds` seeds from `first_seed` on, as many at once as memory is set aside for."""
        longest, kinds = self.depths[-1], len(self.activations)
        size = torch.empty((), dtype=self.dtype).element_size()
        # Two copies while a seed's layers are drawn, and three tensors for each row that is differentiated.
        one = size * longest * self.width * (2 * self.width + 3 * kinds * len(self.depths))
        parts: dict[int, list[Tensor]] = {depth: [] for depth in self.depths}
        seeds = range(first_seed, first_seed + self.seeds)
        for numbers in divide_seeds(seeds, one, CHUNK_BYTES, self.device, "probe.depths", longest):
            chain = draw_chain(longest, self.width, numbers, self.init, self.scale, self.dtype)
            chain = Chain(chain.weight.to(self.device), chain.bias.to(self.device), chain.x.to(self.device))
            for depth, norms in _chain_norms(
                chain, self.activations, self.depths, self.residual, self.layer_norm
            ).items():
                parts[depth].append(norms.cpu())
        return DepthNorms(self.activations, self.depths, {depth: torch.cat(p, dim=1) for depth, p in parts.items()})


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
