"""Kernels whose result for a member depends neither on its place in the batch nor on the other members.

Most of torch's CPU kernels are such; these exceptions were measured. `sigmoid` and `gelu` compute the end of an
array, which does not fill a vector register, by another formula. A batched product chooses its path by the address
of each matrix, so a member's changes with its place unless matrices begin at multiples of 64 bytes, as a single run's
do. Sums are taken in the order of the memory: where members do not lie one behind the other (which is how vmap leaves
them after batch norm), it depends on how many there are. `batch_norm` has its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from probeta.vectorized import batch_norm
from probeta.vectorized.batch_norm import LINE

aten = torch.ops.aten

SMALL = 400
"""Below this many multiplications a product is a plain loop over its elements."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, operations on the CPU are carried out by one thread: with several, MKL divides a product of doubles
    among them, or does not, by how many products there are. Cores are for `processes`.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Invariant(TorchDispatchMode):
    """Inside, the exceptions are replaced by invariant formulas."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        replacement = REPLACED.get(func)
        if replacement is not None and not kwargs and (result := replacement(*args)) is not None:
            return result
        return func(*args, **(kwargs or {}))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^(−x))."""
    return (torch.neg(x).exp() + 1).reciprocal()


def sigmoid_(x: Tensor) -> Tensor:
    return x.neg_().exp_().add_(1).reciprocal_()


def gelu(x: Tensor) -> Tensor:
    """x Φ(x)."""
    return x * normal_distribution(x)


def gelu_backward(grad: Tensor, x: Tensor) -> Tensor:
    """Φ(x) + x φ(x), times the gradient."""
    density = (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
    return grad * (normal_distribution(x) + x * density)


def normal_distribution(x: Tensor) -> Tensor:
    return (torch.erf(x * math.sqrt(0.5)) + 1) * 0.5


def multiply(a: Tensor, b: Tensor) -> Tensor | None:
    """`a (K, n, k) @ b (K, k, m)` with every matrix, the products too, at the beginning of a cache line.

    So each is the product that a single run makes of these two, bit for bit. One that is so small that a plain loop
    would make it gets rows of zeros. A matrix that all members share lies at one address.
    """
    n, k, m = a.shape[1], a.shape[2], b.shape[2]
    if not n * k * m:
        return None
    rows = max(n, -(-SMALL // (k * m)))
    a, b = align(add_rows(a, rows - n)), align(b)
    if rest := -(rows * m) % (LINE // a.element_size()):
        whole = a.new_empty(len(a), rows * m + rest)[:, : rows * m].unflatten(1, (rows, m))
        torch.bmm(a, b, out=whole)
    else:
        whole = torch.bmm(a, b)
    return whole[:, :n].contiguous() if rest or rows > n else whole


def add_rows(x: Tensor, more: int) -> Tensor:
    """`x (K, n, m)` with `more` rows of zeros, in the order in memory that it has."""
    if not more:
        return x
    if is_transposed(x):
        return F.pad(x.mT, (0, more)).mT if x.stride(0) else F.pad(x[:1].mT, (0, more)).mT.expand(len(x), -1, -1)
    return F.pad(x, (0, 0, 0, more)) if x.stride(0) else F.pad(x[:1], (0, 0, 0, more)).expand(len(x), -1, -1)


def align(x: Tensor) -> Tensor:
    """`x (K, n, m)`, copied where not every matrix begins a cache line; one matrix for all lies as it is."""
    if not x.stride(0):
        return x
    if is_transposed(x):
        return align(x.mT).mT
    n, m = x.shape[1:]
    if not (rest := -(n * m) % (LINE // x.element_size())):
        return make_contiguous(x)
    return F.pad(x.reshape(len(x), n * m), (0, rest))[:, : n * m].unflatten(1, (n, m))


def is_transposed(x: Tensor) -> bool:
    return x.stride(1) == 1 and x.stride(2) != 1


def make_contiguous(x: Tensor) -> Tensor:
    """`x (K, n, m)`, copied where the members do not lie one behind the other (one matrix for all lies as it is)."""
    return x if x.stride(0) in (0, x.shape[1] * x.shape[2]) else x.contiguous()


def sum_dims(x: Tensor, dims: list[int] | None, *rest: Any) -> Tensor | None:
    """The sum over `dims` of `x (K, …)`, copied where the members do not lie one behind the other."""
    if x.dim() < 2 or x.stride(0) >= max(x.stride()):
        return None
    return aten.sum.dim_IntList(x.contiguous(), dims, *rest)


REPLACED: dict[Any, Callable[..., Any]] = {
    aten.native_batch_norm.default: batch_norm.forward,
    aten.native_batch_norm_backward.default: batch_norm.backward,
    aten.sigmoid.default: sigmoid,
    aten.sigmoid_.default: sigmoid_,
    aten.gelu.default: gelu,
    aten.gelu_backward.default: gelu_backward,
    aten.bmm.default: multiply,
    aten.sum.dim_IntList: sum_dims,
}
