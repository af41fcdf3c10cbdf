"""Dropout whose masks are a function of (seed, step, layer), not of a generator's history.

A mask that depends on nothing but its address is the same in a single run, in a resumed run and in
member `k` of a vectorized ensemble: that is what makes a member's curve the single run's curve.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probeta.errors import ConfigError

WORD = (1 << 64) - 1
GOLDEN, FIRST, SECOND = (n - (1 << 64) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
"""The increment and the multipliers of splitmix64 (Steele, Lea & Flood 2014; Stafford's mix 13), as int64."""


def mix(*words: int) -> int:
    """A 64-bit hash of whole numbers, as a signed int64 value: splitmix64's finalizer over each word in turn."""
    h = 0
    for word in words:
        while True:
            h = (h + GOLDEN + word) & WORD
            h = ((h ^ h >> 30) * FIRST) & WORD
            h = ((h ^ h >> 27) * SECOND) & WORD
            h ^= h >> 31
            word >>= 64
            if word in (0, -1):
                break
    return h - (1 << 64) if h >> 63 else h


def random_bits(key: Tensor, count: int) -> Tensor:
    """`(count,)` int16, uniform over all 2¹⁶ values: the quarters of splitmix64's hash of a counter, keyed.

    The key is added without carry: what two keys give are not two windows of one sequence, as they would be if it
    were a place to begin counting from.
    """
    # Quarters of a hash, in place: otherwise, on a CPU, masks would cost as much as the layers between them.
    x = torch.arange((count + 3) // 4, dtype=torch.int64, device=key.device).mul_(GOLDEN) ^ key
    x ^= (x >> 30).bitwise_and_(WORD >> 30)
    x *= FIRST
    x ^= (x >> 27).bitwise_and_(WORD >> 27)
    x *= SECOND
    x ^= (x >> 31).bitwise_and_(WORD >> 31)
    return x.view(torch.int16)[:count]


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014): zero with probability `p`, else scale by 1/(1-p).

    `shared` names dimensions along which one mask is used (`(1,)` on `(B, T, H)` is the variational
    dropout of Gal & Ghahramani 2016, arXiv 1512.05287). `reseed` must be called before each training
    step; without it every step draws the same mask. In eval mode this is the identity.
    """

    key: Tensor
    p: Tensor

    def __init__(self, p: float = 0.0, shared: tuple[int, ...] = ()) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ConfigError.value("dropout", p, "a probability, 0 <= p < 1")
        self.shared = shared
        # Buffers, so that an ensemble can give every member its own; not persistent, since a
        # checkpoint's weights must load under another dropout.
        self.register_buffer("key", torch.tensor(0, dtype=torch.int64), persistent=False)
        self.register_buffer("p", torch.tensor(float(p)), persistent=False)
        self.active = p > 0.0

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """`x` of any shape. `offset` tells calls within one step apart (a decoder's time step)."""
        if not (self.training and self.active):
            return x
        shape = [1 if d in self.shared else n for d, n in enumerate(x.shape)]
        key = self.key ^ mix(offset) if offset else self.key
        bits = random_bits(key, torch.Size(shape).numel()).view(shape)
        kept = bits >= ((self.p.double() - 0.5) * 2.0**16).clamp(max=2.0**15 - 1).to(torch.int16)
        # A product, not `where`, whose CPU kernel is twice as slow in forward and backward.
        return x * (kept.to(x.dtype) / (1.0 - self.p.to(x.dtype)))

    def extra_repr(self) -> str:
        return f"p={float(self.p):g}" if self.p.dim() == 0 else f"p={tuple(self.p.shape)}"


def dropouts(module: nn.Module) -> list[Dropout]:
    return [m for m in module.modules() if isinstance(m, Dropout)]


def reseed(module: nn.Module, seed: int, step: int) -> None:
    """Give every dropout layer of `module` the masks of training step `step` of the run `seed`."""
    for layer, dropout in enumerate(dropouts(module)):
        if dropout.active:
            dropout.key.fill_(mix(seed, step, layer))
