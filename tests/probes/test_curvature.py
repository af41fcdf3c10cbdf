from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.func import functional_call, grad, jacrev

from probeta.inference.probe import make_subject
from probeta.nn.cpu import set_enabled
from probeta.probes.hessian import HessianProduct, flatten
from probeta.probes.hutchinson import draw_signs, estimate_trace
from probeta.probes.lanczos import lanczos

SIZES = {
    "mlp": ["data=moons", "data.n_samples=100", "model=mlp", "model.width=8", "model.depth=2", "model.activation=tanh"],
    "rnn": ["data=random_sequences", "data.length=5", "model=tiny_rnn", "model.hidden_size=6"],
    "translator": [
        "data=toy_pairs", "model=seq2seq_attn", "model.hidden_size=3", "model.encoder.embedding_size=2",
        "model.decoder.embedding_size=2",
    ],
    "transformer": [
        "data=toy_pairs", "model=transformer", "model.hidden_size=4", "model.heads=2", "model.feed_forward=4",
        "model.encoder_layers=1", "model.decoder_layers=1",
    ],
}  # fmt: skip


def quadratic(spectrum: Tensor) -> Tensor:
    basis, _ = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum), dtype=torch.float64))
    return basis @ torch.diag(spectrum) @ basis.T


def test_extreme_eigenvalues_of_a_known_spectrum() -> None:
    torch.manual_seed(0)
    spectrum = torch.cat([torch.linspace(-1, 1, 97, dtype=torch.float64), torch.tensor([-3.0, 5.0, 5.0001])])
    matrix = quadratic(spectrum)
    start = torch.randn(100, dtype=torch.float64)
    found = lanczos(lambda v: matrix @ v, start, 100, 1e-9)
    assert len(found.values) < 100
    assert float(found.values[-1]) == pytest.approx(5.0001, rel=1e-6)
    assert float(found.values[0]) == pytest.approx(-3.0, rel=1e-6)
    assert found.residuals[[0, -1]].max() <= 1e-9 * 5.0001
    whole = lanczos(lambda v: matrix @ v, start, 1000)
    assert torch.allclose(whole.values, spectrum.sort().values, atol=1e-6)


def test_a_start_in_a_small_invariant_space_ends_there() -> None:
    matrix = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    found = lanczos(lambda v: matrix @ v, torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64), 4)
    assert found.values.tolist() == pytest.approx([1.0, 3.0])
    assert found.weights.tolist() == pytest.approx([0.5, 0.5])


def test_the_quadrature_has_the_moments_of_the_spectrum() -> None:
    """k steps integrate polynomials of degree 2k - 1 exactly: vᵀ Hᵐ v for each m below 2k."""
    torch.manual_seed(1)
    matrix = quadratic(torch.randn(30, dtype=torch.float64))
    v = draw_signs(30, torch.Generator().manual_seed(0))
    seen = lanczos(lambda x: matrix @ x, v, 5)
    for moment in range(10):
        exact = v @ torch.linalg.matrix_power(matrix, moment) @ v / 30
        assert float((seen.weights * seen.values**moment).sum()) == pytest.approx(float(exact), abs=1e-8)


def test_the_trace_lies_within_three_standard_errors() -> None:
    """Of 300 estimates; Student's t with 31 degrees of freedom leaves 3 standard errors in 0.5 %."""
    torch.manual_seed(2)
    matrix = quadratic(torch.randn(40, dtype=torch.float64) * 3 + 1)
    generator = torch.Generator().manual_seed(3)
    outside = 0
    for _ in range(300):
        trace, error = estimate_trace(lambda v: matrix @ v, 40, 32, generator)
        outside += abs(trace - float(matrix.trace())) > 3 * error
    assert outside <= 5


@pytest.mark.parametrize("net", SIZES)
def test_every_net_has_the_curvature_of_its_dense_hessian(net: str, configure: Callable[..., DictConfig]) -> None:
    from probeta.config.build import resolve_config

    subject, *_ = make_subject(resolve_config(configure(*SIZES[net])))
    loss, inputs = subject.loss(1, 8, torch.device("cpu"))
    loss = loss.double().eval()
    inputs = torch.utils._pytree.tree_map(
        lambda x: x.double() if torch.is_tensor(x) and x.is_floating_point() else x, inputs
    )
    names = [name for name, _ in loss.named_parameters()]
    parameters = [p for _, p in loss.named_parameters()]
    shapes = [p.shape for p in parameters]

    def dense(flat: Tensor) -> Tensor:
        parts = [
            part.reshape(shape) for part, shape in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)
        ]
        value: Any = functional_call(loss, dict(zip(names, parts, strict=True)), inputs)
        return value

    with set_enabled(False):
        product = HessianProduct(loss(*inputs), parameters)
        # Reverse over reverse: torch.func.hessian is forward over reverse, which is wrong for layer norm (torch 2.13).
        matrix = jacrev(grad(dense))(flatten([p.detach() for p in parameters]))
    v = torch.randn(len(product), dtype=torch.float64)
    assert (product(v) - matrix @ v).abs().max() <= 1e-9 * matrix.abs().max()
    eigenvalues = torch.linalg.eigvalsh(matrix)
    found = lanczos(product, v, len(product), 1e-8)
    assert float(found.values[-1]) == pytest.approx(float(eigenvalues[-1]), rel=1e-6)
    assert float(found.values[0]) == pytest.approx(float(eigenvalues[0]), rel=1e-6)


def test_the_same_seed_measures_the_same(configure: Callable[..., DictConfig]) -> None:
    from probeta.config.build import make, resolve_config

    tree = resolve_config(configure("probe=curvature", "probe.seeds=2", "data.n_samples=60", config="probe"))
    subject, *_ = make_subject(tree)
    probe = make(tree, "probe")
    first = probe.measure(1, subject)
    torch.manual_seed(99)
    second = probe.measure(1, subject)
    assert first.rows == second.rows
    assert first.metrics["curvature/largest"] > 0 > first.metrics["curvature/smallest"]
    weights = [row["weight"] for row in first.rows if row["quantity"] == "density" and row["seed"] == 1]
    assert sum(weights) == pytest.approx(1.0)
