from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from probeta.curvature import noise_scale
from probeta.curvature.loss import Point, StackedLoss
from probeta.curvature.noise_scale import measure_noise
from probeta.models.module import Measured
from tests.curvature.subjects import SIZES, Dense, make, to_double


@pytest.mark.parametrize("net", [name for name in SIZES if name != "batch_norm"])
def test_noise_is_that_of_one_gradient_after_the_other(
    net: str, configure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make(net, configure)
    models = [n.model.double() for n in subject.nets(1, 2)]
    batch = to_double(subject.examples(6, torch.device("cpu")))
    loss = StackedLoss.of(models)
    monkeypatch.setattr(noise_scale, "CHUNK", 4 * 2 * loss.size)  # two chunks
    found = measure_noise(loss, batch)
    own = measure_noise(loss, type(batch)(*(torch.stack([t, t]) for t in batch)), own=True)
    for k, model in enumerate(models):
        # L = Σ wᵢ lᵢ / Σ w of the losses lᵢ of one example each; gᵢ = n wᵢ ∇lᵢ / Σ w.
        whole, gradients, weights = Dense(model, batch), [], []
        for i in range(6):
            one = type(batch)(*(t[i : i + 1] for t in batch))
            dense = Dense(model, one)
            gradients.append(dense.gradient(dense.flat))
            weights.append(float(model.measure(one).weight))
        stacked = torch.stack([6 * w * g / sum(weights) for w, g in zip(weights, gradients, strict=True)])
        mean = stacked.mean(0)
        assert torch.allclose(mean, whole.gradient(whole.flat), atol=1e-12)
        variance = float(stacked.var(0).sum())
        assert float(found.variance[k]) == pytest.approx(variance, rel=1e-9)
        squared = float(mean.square().sum()) - variance / 6
        assert float(found.squared_norm[k]) == pytest.approx(squared, rel=1e-6, abs=1e-12)
        assert float(own.variance[k]) == pytest.approx(variance, rel=1e-9)
        if squared > 0:
            assert float(found.critical_batch[k]) == pytest.approx(variance / squared, rel=1e-6)
            assert float(found.signal_to_noise(6)[k]) == pytest.approx(6 * squared / variance, rel=1e-6)
        else:
            assert torch.isinf(found.critical_batch[k])
            assert float(found.signal_to_noise(6)[k]) == 0.0


class Linear:
    """The losses θᵀ x, of which the examples x are the gradients."""

    def __init__(self, members: int) -> None:
        self.flat = torch.zeros(members, 2, dtype=torch.float64)

    def at(self, batch: Tensor, flat: Tensor, **_: object) -> Point:
        leaf = flat.detach().requires_grad_()
        objective = (leaf[:, None] * batch).sum((1, 2))
        return Point(leaf, None, Measured(objective, torch.full_like(objective, batch.shape[1]), {}))


def test_both_estimates_are_right_on_average() -> None:
    """Of a linear loss, whose gradients are the examples: their squared mean and their variance are known."""
    generator = torch.Generator().manual_seed(0)
    mean, deviation = torch.tensor([1.0, -0.5], dtype=torch.float64), 2.0
    x = mean + deviation * torch.randn(2000, 8, 2, generator=generator, dtype=torch.float64)
    found = measure_noise(Linear(2000), x, own=True)  # type: ignore[arg-type]
    assert float(found.variance.mean()) == pytest.approx(2 * deviation**2, rel=0.05)
    assert float(found.squared_norm.mean()) == pytest.approx(1.25, rel=0.1)
