"""What a classifier leaves for reports that have no torch: its logits, and its boundary in the plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

GRID = 120
"""Points along each side of the decision boundary's grid."""
MARGIN = 0.3


def as_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = tensor.detach().cpu().numpy()
    return array


def predictions(logits: Mapping[str, Tensor], splits: Mapping[str, Any]) -> dict[str, Any]:
    """`<split>_logits (N, C)` and `<split>_y (N,)` of each split of `logits`."""
    arrays = {f"{split}_logits": as_numpy(values) for split, values in logits.items()}
    return arrays | {f"{split}_y": as_numpy(splits[split].y) for split in logits}


def grid(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`x1 (G,)`, `x2 (G,)` around `points (N, 2)`, and all their pairs `(G·G, 2)`, `x2` outermost."""
    low, high = points.amin(dim=0) - MARGIN, points.amax(dim=0) + MARGIN
    x1, x2 = (torch.linspace(float(a), float(b), GRID, dtype=points.dtype) for a, b in zip(low, high, strict=True))
    second, first = torch.meshgrid(x2, x1, indexing="ij")
    return x1, x2, torch.stack([first.reshape(-1), second.reshape(-1)], dim=1)


@torch.no_grad()
def boundary(model: torch.nn.Module, splits: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The probability of class 1 on a grid, and the points of every split."""
    distinct = {name: split for name, split in splits.items() if name == "train" or split is not splits["train"]}
    points = torch.cat([split.x for split in distinct.values()])
    x1, x2, pairs = grid(points)
    by_class = torch.softmax(model(pairs.to(device)), dim=-1)
    several = by_class.shape[1] > 2
    probability = (by_class.amax(dim=1) if several else by_class[:, 1]).reshape(GRID, GRID)
    predicted = {"predicted": as_numpy(by_class.argmax(dim=1).reshape(GRID, GRID))} if several else {}
    return predicted | {
        "x1": as_numpy(x1),
        "x2": as_numpy(x2),
        "probability": as_numpy(probability),
        "points": as_numpy(points),
        "labels": as_numpy(torch.cat([split.y for split in distinct.values()])),
        "split": np.concatenate([np.full(len(split.y), name) for name, split in distinct.items()]),
    }
