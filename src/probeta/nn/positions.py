"""Where a token stands: attention alone sees a bag of tokens (Vaswani et al. 2017, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probeta.errors import ConfigError, check_whole


def sinusoids(length: int, width: int) -> Tensor:
    """`(length, width)`, float64: sin(p / 10000^(2i/D)) in the even columns, cos in the odd ones."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = position * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]


class SinusoidalPositions(nn.Module):
    """x_p + PE_p, fixed waves of geometrically growing length (Vaswani et al. 2017, section 3.5)."""

    table: Tensor

    def __init__(self, width: int, max_length: int = 512) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("table", sinusoids(max_length, width).to(torch.get_default_dtype()), persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """`x (B, T, D)` whose first column stands at position `start`."""
        end = start + x.shape[1]
        # Beyond the table the waves go on: they are computed anew, not kept, so that the module has no history.
        table = self.table if end <= len(self.table) else sinusoids(end, self.width).to(self.table)
        return x + table[start:end]


class LearnedPositions(nn.Module):
    """x_p + P_p with a learned vector for each of `max_length` positions (Gehring et al. 2017, arXiv 1705.03122).

    Raises `ConfigError` for a sequence longer than that: no vector was learned for its end.
    """

    def __init__(self, width: int, max_length: int = 512) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_length, width) * width**-0.5)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """`x (B, T, D)` whose first column stands at position `start`."""
        end = start + x.shape[1]
        if end > len(self.weight):
            raise ConfigError.value(
                "model.max_positions",
                len(self.weight),
                f"a sequence has {end} tokens; learned positions end before",
            )
        return x + self.weight[start:end]


class RotaryPositions(nn.Module):
    """Turns the pair (x_i, x_(i+d/2)) by the angle p / 10000^(2i/d) (Su et al. 2021, arXiv 2104.09864, eq. 14).

    Applied to queries and keys, so that their product depends on the distance between two tokens only.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, head_width: int, max_length: int = 512) -> None:
        super().__init__()
        if head_width % 2:
            raise ConfigError.value("model.positions", "rotary", f"an even width of a head (here {head_width})")
        self.head_width = head_width
        cos, sin = self.turns(max_length)
        self.register_buffer("cos", cos.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("sin", sin.to(torch.get_default_dtype()), persistent=False)

    def turns(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines `(length, d/2)` of every position's angles, float64."""
        frequency = 10000.0 ** (-torch.arange(0, self.head_width, 2, dtype=torch.float64) / self.head_width)
        angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
        return angle.cos(), angle.sin()

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """`x (…, T, d)` whose first row stands at position `start`."""
        end = start + x.shape[-2]
        cos, sin = (self.cos, self.sin) if end <= len(self.cos) else (t.to(self.cos) for t in self.turns(end))
        cos, sin = cos[start:end], sin[start:end]
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class NoPositions(nn.Module):
    """x itself: what is left when the order of the words is taken away."""

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """`x (B, T, D)`."""
        return x


POSITIONS = ("sinusoidal", "learned", "rotary", "none")


def added_positions(name: str, width: int, max_length: int) -> nn.Module:
    """What is added to the embeddings under `name`, one of `POSITIONS` (nothing for `rotary`)."""
    if name not in POSITIONS:
        raise ConfigError.unknown("model.positions", name, POSITIONS)
    check_whole("model.max_positions", max_length)
    if name == "sinusoidal":
        return SinusoidalPositions(width, max_length)
    return LearnedPositions(width, max_length) if name == "learned" else NoPositions()
