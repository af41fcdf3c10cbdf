from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, jacrev

from probeta.curvature.lanczos import lanczos
from probeta.curvature.loss import StackedLoss
from probeta.nn.cpu import set_enabled
from tests.curvature.subjects import SIZES, Dense, make, to_double


def largest_error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("net", SIZES)
def test_products_are_those_of_the_dense_matrices(net: str, configure: Callable[..., Any]) -> None:
    subject = make(net, configure)
    model, batch = subject.nets(1, 1)[0].model.double(), to_double(subject.examples(8, torch.device("cpu")))
    modes = [m.training for m in model.modules()]
    before = {name: t.clone() for name, t in model.state_dict().items()}
    loss = StackedLoss.of([model])
    point = loss.at(batch)
    v = torch.randn(1, loss.size, dtype=torch.float64)
    hessian, gauss_newton, gradient = point.hessian(v)[0], point.gauss_newton(v)[0], point.gradient[0].detach()
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())

    dense = Dense(model, batch)
    assert loss.size < 600
    assert float(point.loss.detach()) == pytest.approx(float(dense(dense.flat)), rel=1e-12)
    matrix = dense.hessian()
    assert largest_error(hessian, matrix @ v[0]) <= 1e-9
    assert largest_error(gauss_newton, dense_gauss_newton(dense) @ v[0]) <= 1e-9
    step = 1e-5 * v[0] / v.norm()
    differences = (dense.gradient(dense.flat + step) - dense.gradient(dense.flat - step)) / (2e-5)
    assert largest_error(hessian / v.norm(), differences) <= 1e-5
    assert largest_error(gradient, dense.gradient(dense.flat)) <= 1e-9
    eigenvalues = torch.linalg.eigvalsh(matrix)
    [found] = lanczos(point.hessian, v, loss.size, 1e-8)
    assert float(found.values[-1]) == pytest.approx(float(eigenvalues[-1]), rel=1e-6)
    assert float(found.values[0]) == pytest.approx(float(eigenvalues[0]), rel=1e-6)


def dense_gauss_newton(dense: Dense) -> Tensor:
    """Σ Jᵀ (diag p − p pᵀ) J over the positions of the targets, with the softmax p of their logits, smoothed or not."""
    model, batch = dense.loss.model, dense.batch

    def logits(flat: Tensor) -> Tensor:
        named = {name.removeprefix("model."): t for name, t in dense.tensors(flat).items()}

        class Logits(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, batch: Any) -> Tensor:
                z: Tensor = self.model.outputs(batch)
                return z

        with set_enabled(False):
            z: Tensor = functional_call(Logits(), {f"model.{n}": t for n, t in named.items()}, (batch,))
        return z.flatten(0, -2)

    jacobian = jacrev(logits)(dense.flat)
    p = torch.softmax(logits(dense.flat), dim=1)
    real = batch.target[:, 1:].flatten() != model.spec.pad_id if hasattr(batch, "target") else torch.ones(len(p)) > 0
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.einsum("nip,nij,njq->pq", jacobian[real], inner[real], jacobian[real]) / real.sum()


@pytest.mark.parametrize("net", SIZES)
def test_nets_together_are_nets_alone(net: str, configure: Callable[..., Any]) -> None:
    subject = make(net, configure)
    models = [n.model for n in subject.nets(1, 3)]
    batch = subject.examples(8, torch.device("cpu"))
    together = StackedLoss.of(models, torch.float64)
    v = torch.randn_like(together.flat)
    point = together.at(batch)
    products = [point.gradient.detach(), point.hessian(v), point.gauss_newton(v)]
    values = lanczos(point.hessian, v, 40, 1e-6)
    for k, model in enumerate(models):
        alone = StackedLoss.of([model], torch.float64).at(batch)
        own = [alone.gradient.detach(), alone.hessian(v[k : k + 1]), alone.gauss_newton(v[k : k + 1])]
        for a, b in zip(products, own, strict=True):
            assert largest_error(a[k], b[0]) <= 1e-11
        [found] = lanczos(alone.hessian, v[k : k + 1], 40, 1e-6)
        assert len(found.values) == len(values[k].values)
        assert torch.allclose(found.values, values[k].values, rtol=0, atol=1e-8 * float(values[k].values.abs().max()))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("net", ["mlp", "batch_norm", "transformer"])
def test_groups_that_fit_a_cache_are_all_nets_at_once(
    net: str, own: bool, configure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make(net, configure)
    loss = StackedLoss.of([n.model for n in subject.nets(1, 3)], torch.float64)
    batch = subject.examples(8, torch.device("cpu"))
    if own:
        batch = type(batch)(*(torch.stack([t, t.flip(0), t]) for t in batch))
    v = torch.randn_like(loss.flat)

    def look() -> list[Tensor]:
        point = loss.at(batch, own=own)
        return [
            point.loss.detach(),
            point.flat.detach(),
            point.gradient.detach(),
            point.hessian(v),
            point.gauss_newton(v),
        ]

    together = look()
    monkeypatch.setattr("probeta.curvature.loss.TOGETHER", 2 * 8)
    for a, b in zip(look(), together, strict=True):
        assert largest_error(a, b) <= 1e-11


@pytest.mark.parametrize("net", SIZES)
def test_single_precision_finds_the_same_extremes(net: str, configure: Callable[..., Any]) -> None:
    """To a few thousand roundings, of the magnitude of the largest."""
    subject = make(net, configure)
    models, batch = [subject.nets(1, 1)[0].model], subject.examples(8, torch.device("cpu"))
    found = []
    for dtype in (torch.float32, torch.float64):
        loss = StackedLoss.of(models, dtype)
        point = loss.at(batch)
        start = torch.ones_like(loss.flat)
        found += [r.values for r in lanczos(point.hessian, start, 60, 1e-5)]
    assert largest_error(found[0][[0, -1]], found[1][[0, -1]]) <= 1e-4


def test_a_net_that_cannot_be_batched_is_measured_one_by_one(configure: Callable[..., Any]) -> None:
    subject = make("rnn", configure)
    models, batch = [n.model for n in subject.nets(1, 2)], subject.examples(8, torch.device("cpu"))
    v = torch.ones_like(StackedLoss.of(models).flat)
    batched = StackedLoss.of(models).at(batch).hessian(v)
    for model in models:
        model.stacks = False  # type: ignore[misc]
    assert largest_error(StackedLoss.of(models).at(batch).hessian(v), batched) <= 1e-5
