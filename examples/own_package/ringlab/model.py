import torch
from torch import Tensor, nn

from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError
from probeta.models.classifier import Classifier


class RadialNet(nn.Module):
    """`exp(-‖x − c_j‖² / (2 s²))` of `centres` points c_j, and a linear read-out (Broomhead & Lowe 1988)."""

    def __init__(self, in_features: int, classes: int, centres: int, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(centres, in_features))
        self.scale = scale
        self.output = nn.Linear(centres, classes)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, in_features)` → logits `(B, classes)`."""
        squares = (x.unsqueeze(-2) - self.centres).square().sum(dim=-1)
        logits: Tensor = self.output(torch.exp(-squares / (2 * self.scale**2)))
        return logits


class Radial(Classifier):
    """A net of radial basis functions. What it needs for the vectorized launcher, `Classifier` has.

    Args:
        centres: radial units.
        scale: width of each, above 0.
    """

    accepts = PointsSpec

    def __init__(self, spec: PointsSpec, centres: int = 16, scale: float = 0.5) -> None:
        super().__init__(spec)
        if scale <= 0:
            raise ConfigError.value("scale", scale, "a width above 0")
        self.net = RadialNet(spec.in_features, spec.classes, centres, scale)
