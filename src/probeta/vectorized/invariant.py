"""Kernels whose result for a member depends neither on its place in the batch nor on the other members.

Most of torch's CPU kernels are such; these exceptions were measured. `sigmoid` and `gelu` compute the end of an
array, which does not fill a vector register, by another formula. A batched product chooses its path by the address
of each matrix, so a member's changes with its place unless matrices begin at multiples of 64 bytes. Sums are taken
in the order of the memory: where members do not lie one behind the other (which is how vmap leaves them after
batch norm), it depends on how many there are. `batch_norm` has its own.
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


def multiply_padded(a: Tensor, b: Tensor) -> Tensor | None:
    """`a (K, n, k) @ b (K, k, m)`, padded with zeros to whole cache lines where a matrix would not fill them.

    A matrix that all members share lies at one address, and is padded all the same: whether data are shared depends
    on which members there are.
    """
    n, k, m = a.shape[1], a.shape[2], b.shape[2]
    per_line = LINE // a.element_size()
    if n * k * m < SMALL:
        return None
    if not any(size % per_line for size in (n * k, k * m, n * m)):
        return torch.bmm(make_contiguous(a), make_contiguous(b))
    more_k, more_m = -k % per_line, -m % per_line
    whole = torch.bmm(pad(a, more_k), pad(b, more_m, more_k))
    return whole[:, :, :m].contiguous() if more_m else whole


def pad(x: Tensor, columns: int, rows: int = 0) -> Tensor:
    """`x (K, n, m)` with as many more `columns` and `rows` of zeros; once where all members share one matrix."""
    zeros = (0, columns, 0, rows)
    return F.pad(x, zeros) if x.stride(0) else F.pad(x[:1], zeros).expand(len(x), -1, -1)


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
    aten.bmm.default: multiply_padded,
    aten.sum.dim_IntList: sum_dims,
}
