"""What is only for speed: hand-written gradients, joined and packed weights, the faster of two libraries.

The modules of `probeta.nn` state the formulas of the papers; this package computes the same numbers in less time on a
CPU. One switch chooses between the two, and a test holds every net to the same values and gradients both ways:

>>> with probeta.nn.cpu.set_enabled(False):
...     logits = net(source, target)  # the formulas alone

As with `torch.set_grad_enabled`, the switch is each thread's own and starts as on. It is read where a computation
begins: a search goes on as it was prepared, a backward pass as its forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from probeta.nn.cpu.private import transformed

_enabled: ContextVar[bool] = ContextVar("probeta.nn.cpu.enabled", default=True)


def enabled() -> bool:
    """Whether the fast paths may be taken. Not while `torch.compile` traces: a compiler makes its own of formulas."""
    return not torch.compiler.is_compiling() and _enabled.get()


@contextmanager
def set_enabled(on: bool) -> Iterator[None]:
    """Turn the fast paths on or off inside, in this thread."""
    token = _enabled.set(on)
    try:
        yield
    finally:
        _enabled.reset(token)


def handwritten() -> bool:
    """Whether hand-written gradients and in-place kernels may be used: `enabled`, and no transform of `torch.func`
    (vmap, grad) at work, which can batch autograd's gradients but not these."""
    return enabled() and not transformed()
