"""The loss on lines and planes through a net's weights (Li et al. 2018, arXiv 1712.09913), and how rough it is there.

A plane is L(θ + a d + b e) for a grid of numbers a and b. Its directions are random ones, filter-normalised, or the two
along which a run's own path went most. All points of a plane are members of one batch: displaced copies of the net.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from probeta.curvature.draws import Draws
from probeta.curvature.loss import StackedLoss
from probeta.errors import ConfigError, check_whole

Array = NDArray[np.float64]

CHUNK_BYTES = 64 << 20
"""Of the copies that are measured together."""

SHORTEST = 3
"""Weights that a path has at least: fewer span no plane."""

ROUGHNESS = ("landscape/negative_share", "landscape/downhill_share")
"""The metrics of `measure_roughness`."""

MARGIN = 0.25
"""Around a path, as a share of how far it went."""


def draw_direction(loss: StackedLoss, draws: Draws) -> Tensor:
    """A random direction `(K, P)` of each net, with filters as long as the net's: d ← d / ‖d‖ · ‖θ‖ filter by filter
    (Li et al. 2018, section 4).

    A filter is what one unit, one gate of a unit, or one token has: a row of a matrix. What has one dimension (biases,
    the scales and shifts of normalisations) stays where it is, as in the paper's figures: 0.
    """
    parts = []
    sizes = [shape.numel() for shape in loss.shapes]
    for drawn, at, shape in zip(draws.normal().split(sizes, 1), loss.flat.split(sizes, 1), loss.shapes, strict=True):
        rows, lengths = ((x.reshape(len(x), shape[0] if shape else 1, -1)) for x in (drawn, at))
        ratio = torch.linalg.vector_norm(lengths, dim=2, keepdim=True) / torch.linalg.vector_norm(
            rows, dim=2, keepdim=True
        )
        parts.append((rows * ratio).flatten(1) if len(shape) > 1 else torch.zeros_like(at))
    return torch.cat(parts, 1)


class Principal(NamedTuple):
    """The plane along which a path went most."""

    directions: Tensor
    """`(2, P)` orthonormal."""
    path: Array
    """`(E, 2)` where the path's points are in it, seen from the centre."""
    shares: Array
    """`(2,)` of the path's variance that each direction has."""


def find_principal(path: Tensor, centre: Tensor) -> Principal:
    """The first two principal directions of the weights `path (E, P)`, E ≥ 3, by the eigenvectors of its `(E, E)`
    products; each points to where the path began."""
    moved = path.double() - centre.double()
    centred = moved - moved.mean(0)
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    directions = vectors[:, [-1, -2]].T @ centred
    directions = directions / torch.linalg.vector_norm(directions, dim=1, keepdim=True).clamp_min(1e-300)
    seen = moved @ directions.T
    sign = torch.where(seen[0] < 0, -1.0, 1.0)
    shares = values[[-1, -2]].clamp_min(0) / values.clamp_min(0).sum().clamp_min(1e-300)
    return Principal(directions * sign[:, None], (seen * sign).cpu().numpy(), shares.cpu().numpy())


def measure_plane(loss: StackedLoss, batch: Any, first: Tensor, second: Tensor, a: Array, b: Array) -> Array:
    """`(K, B, A)` losses of each net at θ + a d + b e: `a (A,)`, `b (B,)`, d `first (K, P)`, e `second (K, P)`."""
    across, up = (torch.as_tensor(x).to(loss.flat) for x in (a, b))
    count = len(a) * len(b)
    places = torch.arange(len(loss) * count, device=loss.flat.device)
    rows, found = 1, []
    with torch.no_grad():
        while len(places):
            here, places = places[:rows], places[rows:]
            net, y, x = here // count, here % count // len(a), here % len(a)
            moved = loss.flat[net] + across[x, None] * first[net] + up[y, None] * second[net]
            with Largest() as largest:
                found.append(loss.at(batch, moved, members=net, graph=False).loss)
            if len(found) == 1:
                rows = max(1, CHUNK_BYTES // (4 * largest.bytes))  # a few such tensors are alive at once
    return torch.cat(found).reshape(len(loss), len(b), len(a)).double().cpu().numpy()


class Largest(TorchDispatchMode):
    """How many bytes the largest tensor has that is made inside."""

    bytes = 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        sizes = [t.numel() * t.element_size() for t in tree_leaves(made) if isinstance(t, Tensor)]
        self.bytes = max(self.bytes, *sizes, 1)
        return made


def measure_random(loss: StackedLoss, batch: Any, draws: Draws, points: int, extent: float) -> tuple[Array, Array]:
    """The grid `(G,)` from −extent to extent, and the losses `(K, G, G)` in a plane of two random directions each."""
    grid = np.linspace(-extent, extent, points)
    first, second = draw_direction(loss, draws), draw_direction(loss, draws)
    return grid, measure_plane(loss, batch, first, second, grid, grid)


def measure_path(loss: StackedLoss, batch: Any, path: Tensor, points: int) -> dict[str, Array]:
    """The plane along which the one net of `loss` went, with a margin around its weights `path (E, P)` and where it
    stands: `a (G,)`, `b (G,)`, `loss (G, G)`, `at (E, 2)` of the path, `shares (2,)`.
    """
    found = find_principal(path.to(loss.flat.device), loss.flat[0])
    first, second = found.directions.to(loss.flat)[:, None]
    reached = np.concatenate([found.path, np.zeros((1, 2))])
    low, high = reached.min(0), reached.max(0)
    margin = MARGIN * np.maximum(high - low, 0.05 * (high - low).max())
    a, b = (np.linspace(low[i] - margin[i], high[i] + margin[i], points) for i in (0, 1))
    [plane] = measure_plane(loss, batch, first, second, a, b)
    return {"a": a, "b": b, "loss": plane, "at": found.path, "shares": found.shares}


def measure_roughness(grid: Array, plane: Array) -> dict[str, float]:
    """How rough a plane `(G, G)` is around its middle: `share_negative` and `share_downhill`."""
    return dict(zip(ROUGHNESS, (share_negative(grid, grid, plane), share_downhill(plane)), strict=True))


def share_negative(a: Array, b: Array, loss: Array) -> float:
    """The share of the plane's inner points at which it bends downwards in some direction of the plane.

    That is where the 2 × 2 Hessian of second differences of `loss (B, A)` has an eigenvalue below 0 (by more than
    rounding; Sylvester: whichever two directions span the plane). Differences see the kinks of a piecewise linear net,
    whose second derivatives are 0 wherever they exist.
    """
    h, k = a[1] - a[0], b[1] - b[0]
    middle = loss[1:-1, 1:-1]
    across = (loss[1:-1, 2:] - 2 * middle + loss[1:-1, :-2]) / h**2
    up = (loss[2:, 1:-1] - 2 * middle + loss[:-2, 1:-1]) / k**2
    mixed = (loss[2:, 2:] - loss[2:, :-2] - loss[:-2, 2:] + loss[:-2, :-2]) / (4 * h * k)
    smallest = (across + up) / 2 - np.hypot((across - up) / 2, mixed)
    rounding = 1e-9 * np.abs(loss).max() / min(h, k) ** 2
    return float((smallest < -rounding).mean())


def share_downhill(loss: Array) -> float:
    """Of what the loss goes up and down on the eight straight ways from the middle of `loss (G, G)`, G odd, to its
    edges, the share that is down: 0 in a basin, ½ where it comes back to where it began."""
    middle = len(loss) // 2
    lines = [loss[middle], loss[:, middle], np.diag(loss), np.diag(loss[::-1])]
    steps = np.concatenate([np.diff(way) for line in lines for way in (line[middle:], line[middle::-1])])
    whole = float(np.abs(steps).sum())
    return float(np.maximum(-steps, 0).sum()) / whole if whole > 0 else 0.0


def check_points(key: str, points: int) -> int:
    """`points` where it is a number of places along a line that has a middle."""
    if check_whole(key, points, 5) % 2 == 0:
        raise ConfigError.value(key, points, "an odd number from 5, so that the weights stand in the middle")
    return points
