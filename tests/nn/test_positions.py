"""Positions: fixed waves, learned vectors, rotations."""

from __future__ import annotations

import math

import pytest
import torch

from probeta.errors import ConfigError
from probeta.nn.positions import LearnedPositions, RotaryPositions, SinusoidalPositions, added_positions


@pytest.mark.parametrize("width", [6, 7])
def test_sinusoids_are_the_papers(width: int) -> None:
    x = torch.randn(2, 9, width, dtype=torch.float64)
    y = SinusoidalPositions(width, max_length=16).double()(x, start=3)
    for p in range(9):
        for c in range(width):
            angle = (p + 3) / 10000 ** (2 * (c // 2) / width)
            wave = math.sin(angle) if c % 2 == 0 else math.cos(angle)
            torch.testing.assert_close(y[:, p, c] - x[:, p, c], torch.full((2,), wave).double(), atol=1e-6, rtol=0)


def test_sinusoids_go_on_beyond_the_table() -> None:
    x = torch.zeros(1, 11, 4)
    torch.testing.assert_close(SinusoidalPositions(4, max_length=5)(x), SinusoidalPositions(4, max_length=50)(x))


def test_rotary_turns_each_pair_by_its_angle() -> None:
    x = torch.randn(3, 5, 6, dtype=torch.float64)
    y = RotaryPositions(6).double()(x, start=2)
    for p in range(5):
        for i in range(3):
            turned = torch.complex(x[:, p, i], x[:, p, i + 3]) * torch.polar(
                torch.ones(1, dtype=torch.float64), torch.tensor([(p + 2) / 10000 ** (2 * i / 6)], dtype=torch.float64)
            )
            torch.testing.assert_close(y[:, p, i], turned.real, atol=1e-6, rtol=0)
            torch.testing.assert_close(y[:, p, i + 3], turned.imag, atol=1e-6, rtol=0)


def test_rotary_products_depend_on_the_distance_only() -> None:
    rotary = RotaryPositions(8, max_length=4)
    q, k = torch.randn(2, 1, 3, 8).unbind(0)

    def scores(shift: int) -> torch.Tensor:
        return rotary(q, start=shift + 2) @ rotary(k, start=shift).mT

    torch.testing.assert_close(scores(0), scores(17), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(scores(0), rotary(q, start=5) @ rotary(k).mT, atol=1e-3)


def test_learned_positions_end_where_none_was_learned() -> None:
    learned = LearnedPositions(4, max_length=5)
    x = torch.zeros(2, 3, 4)
    torch.testing.assert_close(learned(x, start=2)[1], learned.weight[2:5])
    with pytest.raises(ConfigError, match=r"model.max_positions=5 .* 6 tokens"):
        learned(x, start=3)


def test_wrong_positions_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rotary'"):
        added_positions("rotarry", 4, 8)
    with pytest.raises(ConfigError, match="max_positions=0"):
        added_positions("learned", 4, 0)
    with pytest.raises(ConfigError, match="even width"):
        RotaryPositions(3)
