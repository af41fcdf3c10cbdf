"""Every kind of attention against a loop over single numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.nn.attention import Additive, Attention, Dot, General, Local, MultiHead, ScaledDot

KINDS: dict[str, Callable[[], Attention]] = {
    "additive": lambda: Additive(6, 6, size=5),
    "dot": lambda: Dot(6, 6),
    "general": lambda: General(6, 6),
    "scaled_dot": lambda: ScaledDot(6, 6),
    "local": lambda: Local(6, 6, window=1),
    "multi_head": lambda: MultiHead(6, 6, heads=3),
}


def score(kind: Attention, q: Tensor, m: Tensor) -> float:
    """One query against one memory vector, from the formula in the paper."""
    if isinstance(kind, Additive):
        inner = kind.query.weight @ q + kind.key.weight @ m + kind.key.bias
        return float(sum(v * math.tanh(e) for v, e in zip(kind.energy.weight[0].tolist(), inner.tolist(), strict=True)))
    if isinstance(kind, General):
        return float(q @ kind.key.weight @ m)
    return float(q @ m) / (math.sqrt(6) if isinstance(kind, ScaledDot) else 1.0)


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(s - max(scores)) for s in scores]
    return [p / sum(powers) for p in powers]


def twin(kind: Attention, q: Tensor, memory: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """One query over the first `length` rows of `memory (S, M)`."""
    weights = torch.zeros(memory.shape[0], dtype=torch.float64)
    if isinstance(kind, MultiHead):
        key, value = kind.key_value.weight.chunk(2)
        heads = []
        for h in range(3):
            rows = slice(2 * h, 2 * h + 2)
            qh = (kind.query.weight @ q)[rows]
            alpha = softmax([float(qh @ (key @ memory[s])[rows]) / math.sqrt(2) for s in range(length)])
            heads.append(sum(a * (value @ memory[s])[rows] for s, a in enumerate(alpha)))
            weights[:length] += torch.tensor(alpha, dtype=torch.float64) / 3
        return kind.output.weight @ torch.cat(heads), weights
    positions = list(range(length))
    gaussian = [1.0] * length
    if isinstance(kind, Local):
        first, _, last = kind.position
        centre = (length - 1) / (1 + math.exp(-float(last.weight[0] @ torch.tanh(first.weight @ q))))
        positions = [s for s in positions if abs(s - centre) <= kind.window]
        gaussian = [math.exp(-((s - centre) ** 2) / (2 * (kind.window / 2) ** 2)) for s in range(length)]
    alpha = softmax([score(kind, q, memory[s]) for s in positions])
    for s, a in zip(positions, alpha, strict=True):
        weights[s] = a * gaussian[s]
    return sum(weights[s] * memory[s] for s in range(length)), weights


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_equals_a_loop_over_the_formula(name: str) -> None:
    torch.manual_seed(0)
    kind = KINDS[name]().double()
    memory = torch.randn(3, 5, 6, dtype=torch.float64)
    query = torch.randn(3, 4, 6, dtype=torch.float64)
    lengths = [5, 1, 3]
    mask = torch.arange(5)[None] < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        keys = kind.prepare(memory)
        context, weights = kind(query, keys, memory, mask)
        for b, n in enumerate(lengths):
            for t in range(4):
                want_context, want_weights = twin(kind, query[b, t], memory[b], n)
                torch.testing.assert_close(context[b, t], want_context)
                torch.testing.assert_close(weights[b, t], want_weights)
            single = kind(query[:, 2], keys, memory, mask)
            torch.testing.assert_close(single[0], context[:, 2])
            torch.testing.assert_close(single[1], weights[:, 2])


@pytest.mark.parametrize("name", KINDS)
def test_what_is_masked_has_no_weight_and_no_gradient(name: str) -> None:
    kind = KINDS[name]().double()
    memory = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    context, weights = kind(torch.randn(2, 6, dtype=torch.float64), kind.prepare(memory), memory, mask)
    assert weights[0, 2:].abs().max() == 0
    (grad,) = torch.autograd.grad(context.sum(), memory)
    assert grad[0, 2:].abs().max() == 0
    assert grad[1].abs().min() > 0 or name == "local"


@pytest.mark.parametrize("name", KINDS)
def test_no_mask_is_a_mask_of_ones(name: str) -> None:
    kind = KINDS[name]()
    memory, query = torch.randn(2, 4, 6), torch.randn(2, 6)
    keys = kind.prepare(memory)
    torch.testing.assert_close(kind(query, keys, memory), kind(query, keys, memory, torch.ones(2, 4, dtype=torch.bool)))


@pytest.mark.parametrize("name", KINDS)
def test_stacked_members_equal_members_alone(name: str) -> None:
    members = [KINDS[name]() for _ in range(3)]
    params, _ = torch.func.stack_module_state(members)
    memory, queries = torch.randn(2, 4, 6), torch.randn(3, 2, 6)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])

    class Whole(torch.nn.Module):
        def __init__(self, kind: Attention) -> None:
            super().__init__()
            self.kind = kind

        def forward(self, q: Tensor) -> Tensor:
            return self.kind(q, self.kind.prepare(memory), memory, mask)[0]

    def run(p: dict[str, Tensor], q: Tensor) -> Tensor:
        return torch.func.functional_call(Whole(members[0]), {f"kind.{k}": v for k, v in p.items()}, (q,))

    stacked = torch.func.vmap(run)(params, queries)
    for k, member in enumerate(members):
        torch.testing.assert_close(stacked[k], Whole(member)(queries[k]))


def test_dropout_thins_the_context_but_not_the_weights_that_are_shown() -> None:
    kind = Dot(6, 6, dropout=0.5)
    memory, query = torch.randn(2, 9, 6), torch.randn(2, 6)
    context, weights = kind.train()(query, memory, memory)
    plain, shown = kind.eval()(query, memory, memory)
    assert not torch.allclose(context, plain)
    torch.testing.assert_close(weights, shown)


def test_wrong_sizes_are_refused_with_what_would_do() -> None:
    with pytest.raises(ConfigError, match="attention=general"):
        Dot(3, 6)
    with pytest.raises(ConfigError, match="divisor"):
        MultiHead(6, 6, heads=4)
    with pytest.raises(ConfigError, match="window=0"):
        Local(6, 6, window=0)
