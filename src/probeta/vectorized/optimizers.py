"""SGD, Adam and AdamW for K members at once: every hyperparameter is a tensor `(K,)`.

torch's own optimizers refuse per-member learning rates. The formulas are theirs, and so is every rounding: what
they add with a factor is `addcmul` here, which rounds once like theirs. From the same gradients come the same bits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class StackedOptimizer(Optimizer):
    """Parameters `(K, …)`, hyperparameters `(K,)` in double precision; `rows` drops members."""

    def __init__(self, params: Iterable[Tensor], hyper: Mapping[str, Tensor]) -> None:
        super().__init__(list(params), dict(hyper))
        self._shaped: dict[str, list[Tensor]] = {}

    @property
    def tensors(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def hyper(self, name: str, complement: bool = False) -> list[Tensor]:
        """`name`, or 1 − `name`, shaped `(K, 1, …)` to meet each parameter; subtracted before it is rounded."""
        key = f"1-{name}" if complement else name
        if key not in self._shaped:
            values: Tensor = self.param_groups[0][name]
            self._shaped[key] = self.shaped(1 - values if complement else values)
        return self._shaped[key]

    def shaped(self, values: Tensor) -> list[Tensor]:
        dims = {p.dim(): values.to(p.dtype).view(-1, *[1] * (p.dim() - 1)) for p in self.tensors}
        return [dims[p.dim()] for p in self.tensors]

    def set(self, name: str, values: Sequence[float]) -> None:
        """New values of a hyperparameter, one per member."""
        self.param_groups[0][name] = torch.tensor(values, dtype=torch.float64, device=self.tensors[0].device)
        self._shaped.clear()

    def buffers(self, name: str) -> list[Tensor] | None:
        """The state `name` of every parameter, `None` before the first step."""
        if name not in self.state[self.tensors[0]]:
            return None
        return [self.state[p][name] for p in self.tensors]

    def keep(self, name: str, values: Sequence[Tensor]) -> None:
        for p, value in zip(self.tensors, values, strict=True):
            self.state[p][name] = value

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        self.update(self.tensors, [p.grad for p in self.tensors if p.grad is not None])

    @abstractmethod
    def update(self, params: list[Tensor], grads: list[Tensor]) -> None:
        """One step from the gradients, in place."""

    def rows(self, rows: Tensor, params: Sequence[Tensor]) -> None:
        """Go on with the members `rows (K',)`, whose parameters are now `params`."""
        states = [self.state.pop(p, {}) for p in self.tensors]
        group = self.param_groups[0]
        group["params"] = list(params)
        for name, value in group.items():
            if isinstance(value, Tensor):
                group[name] = value.index_select(0, rows)
        for p, state in zip(params, states, strict=True):
            self.state[p] = {name: value.index_select(0, rows) for name, value in state.items()}
        self._shaped.clear()


class StackedSGD(StackedOptimizer):
    """b ← μ b + (1 − τ) g (b = g at first), p ← p − lr b, or p − lr (g + μ b) with Nesterov's momentum, as
    `torch.optim.SGD` has it (Sutskever et al. 2013). `weight_decay` λ adds λ p to g.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: Tensor,
        momentum: Tensor,
        dampening: Tensor,
        weight_decay: Tensor,
        nesterov: bool = False,
    ) -> None:
        # Without momentum there is nothing to dampen: such a member's b is g.
        dampening = torch.where(momentum == 0, 0.0, dampening)
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay})
        self.nesterov = nesterov
        # Looked up once: asking an accelerator makes it wait.
        self.moves, self.decays = bool(momentum.any()), bool(weight_decay.any())

    def update(self, params: list[Tensor], grads: list[Tensor]) -> None:
        if self.decays:
            grads = list(torch._foreach_addcmul(grads, params, self.hyper("weight_decay")))
        if self.moves:
            momentum = self.hyper("momentum")
            kept = self.buffers("momentum_buffer")
            if kept is None:
                kept = [g.clone() for g in grads]
                self.keep("momentum_buffer", kept)
            else:
                torch._foreach_mul_(kept, momentum)
                torch._foreach_addcmul_(kept, grads, self.hyper("dampening", complement=True))
            grads = list(torch._foreach_addcmul(grads, kept, momentum)) if self.nesterov else kept
        torch._foreach_addcmul_(params, grads, self.hyper("lr"), value=-1.0)


class StackedAdam(StackedOptimizer):
    """m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − lr m̂ / (√v̂ + ε) (Kingma & Ba 2015), as `torch.optim.Adam`.

    `weight_decay` λ adds λ p to g; where `decoupled`, it multiplies p by 1 − lr λ instead (AdamW, Loshchilov &
    Hutter 2019).
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: Tensor,
        beta1: Tensor,
        beta2: Tensor,
        eps: Tensor,
        weight_decay: Tensor,
        decoupled: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay})
        self.decoupled = decoupled
        self.decays = bool(weight_decay.any())
        self.count = 0

    def update(self, params: list[Tensor], grads: list[Tensor]) -> None:
        self.count += 1
        group = self.param_groups[0]
        if self.decays and self.decoupled:
            torch._foreach_mul_(params, self.shaped(1 - group["lr"] * group["weight_decay"]))
        elif self.decays:
            grads = list(torch._foreach_addcmul(grads, params, self.hyper("weight_decay")))
        first, second = self.buffers("exp_avg"), self.buffers("exp_avg_sq")
        if first is None or second is None:
            first, second = ([torch.zeros_like(p) for p in params] for _ in range(2))
            self.keep("exp_avg", first)
            self.keep("exp_avg_sq", second)
        torch._foreach_lerp_(first, grads, self.hyper("beta1", complement=True))
        torch._foreach_mul_(second, self.hyper("beta2"))
        torch._foreach_addcmul_(second, torch._foreach_mul(grads, self.hyper("beta2", complement=True)), grads)
        steps = -group["lr"] / (1 - group["beta1"] ** self.count)
        roots = (1 - group["beta2"] ** self.count).sqrt()
        denominators = torch._foreach_sqrt(second)
        torch._foreach_div_(denominators, self.shaped(roots))
        torch._foreach_add_(denominators, self.hyper("eps"))
        torch._foreach_addcdiv_(params, torch._foreach_mul(first, self.shaped(steps)), denominators)


OPTIONS: dict[str, dict[str, Any]] = {
    "torch.optim.SGD": {
        "per_member": ("lr", "momentum", "dampening", "weight_decay"),
        "shared": ("nesterov",),
        "defaults": {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    },
    "torch.optim.Adam": {
        "per_member": ("lr", "betas", "eps", "weight_decay"),
        "shared": (),
        "defaults": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    },
    "torch.optim.AdamW": {
        "per_member": ("lr", "betas", "eps", "weight_decay"),
        "shared": (),
        "defaults": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2},
    },
}
"""The optimizers that the vectorized launcher has: which of their arguments may differ between members."""


def make_optimizer(nodes: Sequence[Mapping[str, Any]], params: Sequence[Tensor]) -> StackedOptimizer:
    """The optimizer of K members from their K configuration nodes, which name one class of `OPTIONS`."""
    target = str(nodes[0]["_target_"])
    defaults = OPTIONS[target]["defaults"]
    like = params[0]

    def column(name: str, place: int | None = None) -> Tensor:
        values = [node.get(name, defaults[name]) for node in nodes]
        numbers = [float(v if place is None else v[place]) for v in values]
        return torch.tensor(numbers, dtype=torch.float64, device=like.device)

    if target == "torch.optim.SGD":
        names = OPTIONS[target]["per_member"]
        nesterov = bool(nodes[0].get("nesterov", False))
        return StackedSGD(params, **{name: column(name) for name in names}, nesterov=nesterov)
    return StackedAdam(
        params,
        lr=column("lr"),
        beta1=column("betas", 0),
        beta2=column("betas", 1),
        eps=column("eps"),
        weight_decay=column("weight_decay"),
        decoupled=target == "torch.optim.AdamW",
    )
