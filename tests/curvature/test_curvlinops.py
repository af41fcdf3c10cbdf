"""The matrices of curvlinops (Dangel et al. 2025, arXiv 2501.19183): forward over reverse, a net at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from probeta.curvature.draws import Draws
from probeta.curvature.hutchinson import estimate_trace
from probeta.curvature.lanczos import lanczos
from probeta.curvature.loss import StackedLoss
from probeta.models.module import Module
from probeta.nn.cpu import set_enabled
from tests.curvature.subjects import make, to_double

curvlinops = pytest.importorskip("curvlinops", reason="pip install -c constraints.txt -e '.[curvlinops]'")


class Logits(nn.Module):
    """Rows of logits of a batch, given as a mapping."""

    def __init__(self, model: Module, kind: type) -> None:
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        return self.model.outputs(self.kind(**batch)).flatten(0, -2)


def plain_layer_norm(x: Tensor, shape: Any, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Forward over reverse is wrong for torch's own (2.13)."""
    return (x - x.mean(-1, keepdim=True)) * (x.var(-1, unbiased=False, keepdim=True) + eps).rsqrt() * weight + bias


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "net", ["mlp", "rnn", *(pytest.param(net, marks=pytest.mark.slow) for net in ("translator", "transformer"))]
)
def test_products_eigenvalues_and_traces_are_those_of_curvlinops(
    net: str, configure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make(net, configure)
    model, batch = subject.nets(1, 1)[0].model.double(), to_double(subject.examples(8, torch.device("cpu")))
    loss = StackedLoss.of([model])
    point = loss.at(batch)
    v = torch.randn(1, loss.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    monkeypatch.setattr(nn.functional, "layer_norm", plain_layer_norm)
    pairs = hasattr(batch, "target")
    settings = {"ignore_index": model.spec.pad_id, "label_smoothing": model.label_smoothing} if pairs else {}
    data = [(batch._asdict(), batch.target[:, 1:].flatten() if pairs else batch.y)]
    parameters = [p for p in model.parameters() if p.requires_grad]
    logits = Logits(model.eval(), type(batch))
    for operator, product in (
        (curvlinops.HessianLinearOperator, point.hessian),
        (curvlinops.GGNLinearOperator, point.gauss_newton),
    ):
        with set_enabled(False):
            settled = operator(
                logits, nn.CrossEntropyLoss(**settings), parameters, data, batch_size_fn=lambda _: len(data[0][1])
            )
            columns, theirs = settled @ torch.eye(loss.size, dtype=torch.float64), settled @ v[0]
        assert torch.allclose(product(v)[0], theirs, rtol=0, atol=1e-9 * float(theirs.abs().max()))
        ends = torch.linalg.eigvalsh(columns)[[0, -1]].tolist()
        [found] = lanczos(product, v, loss.size, 1e-9)
        assert found.values[[0, -1]].tolist() == pytest.approx(ends, rel=1e-6, abs=1e-9 * ends[1])
        trace, error = estimate_trace(product, Draws([1], loss.flat), 64)
        assert abs(float(trace) - float(columns.trace())) <= 3 * float(error)
