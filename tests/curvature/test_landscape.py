from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from probeta.curvature import landscape
from probeta.curvature.draws import Draws
from probeta.curvature.landscape import (
    check_points,
    draw_direction,
    find_principal,
    measure_path,
    measure_plane,
    share_downhill,
    share_negative,
)
from probeta.curvature.loss import StackedLoss
from probeta.errors import ConfigError
from tests.curvature.subjects import SIZES, Dense, make, to_double

GRID = np.linspace(-1, 1, 5)


@pytest.mark.parametrize("net", SIZES)
def test_a_plane_is_the_loss_of_one_displaced_copy_after_another(
    net: str, configure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make(net, configure)
    models = [n.model.double() for n in subject.nets(1, 2)]
    batch = to_double(subject.examples(8, torch.device("cpu")))
    loss = StackedLoss.of(models)
    draws = Draws([1, 2], loss.flat)
    first, second = draw_direction(loss, draws), draw_direction(loss, draws)
    before = [copy.deepcopy(m.state_dict()) for m in models]
    found = measure_plane(loss, batch, first, second, GRID, GRID[:3])
    monkeypatch.setattr(landscape, "CHUNK_BYTES", 1)
    assert np.allclose(measure_plane(loss, batch, first, second, GRID, GRID[:3]), found, rtol=1e-12)
    for k, model in enumerate(models):
        assert all(torch.equal(t, before[k][name]) for name, t in model.state_dict().items())
        dense = Dense(model, batch)
        for i, b in enumerate(GRID[:3]):
            for j, a in enumerate(GRID):
                there = dense(dense.flat + a * first[k] + b * second[k])
                assert found[k, i, j] == pytest.approx(float(there), rel=1e-12)


@pytest.mark.parametrize("net", SIZES)
def test_filters_of_a_direction_are_as_long_as_the_net_s(net: str, configure: Callable[..., Any]) -> None:
    model = make(net, configure).nets(1, 1)[0].model
    loss = StackedLoss.of([model], torch.float64)
    [direction] = draw_direction(loss, Draws([3], loss.flat))
    again, other = (draw_direction(loss, Draws([seed], loss.flat))[0] for seed in (3, 4))
    assert torch.equal(direction, again)
    assert not torch.equal(direction, other)
    flat = 0
    for name, p in model.named_parameters():
        part, flat = direction[flat : flat + p.numel()].reshape(p.shape), flat + p.numel()
        if p.dim() > 1:
            for row, drawn in zip(p.detach().double(), part, strict=True):
                assert float(drawn.norm()) == pytest.approx(float(row.norm()), rel=1e-9), name
        else:
            assert not part.any(), name
    assert flat == len(direction)


def test_directions_draw_nothing_of_the_run_s(configure: Callable[..., Any]) -> None:
    loss = StackedLoss.of([make("mlp", configure).nets(1, 1)[0].model])
    before = torch.get_rng_state()
    draw_direction(loss, Draws([0], loss.flat))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_plane_of_a_path_is_that_of_its_principal_components() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    generator = torch.Generator().manual_seed(0)
    path = torch.randn(9, 40, generator=generator).cumsum(0)
    centre = path[-2]
    found = find_principal(path, centre)
    pca = decomposition.PCA(2, svd_solver="full").fit(path.double().numpy())
    assert np.allclose(np.abs(found.directions.numpy() @ pca.components_.T), np.eye(2), atol=1e-9)
    assert np.allclose(found.shares, pca.explained_variance_ratio_)
    moved = (path.double() - centre.double()).numpy()
    _, _, v = np.linalg.svd(moved - moved.mean(0), full_matrices=False)
    assert np.allclose(np.abs(moved @ v[:2].T), np.abs(found.path))
    assert (found.path[0] >= 0).all()
    assert np.allclose(found.path[-2], 0)


def test_a_path_on_a_line_has_a_plane() -> None:
    found = find_principal(torch.arange(4.0)[:, None] * torch.ones(1, 3), torch.zeros(3))
    assert np.isfinite(found.path).all()
    assert found.shares == pytest.approx([1.0, 0.0], abs=1e-12)


def test_on_a_path_s_plane_the_loss_is_that_of_its_weights(configure: Callable[..., Any]) -> None:
    """Where all of the path lies in the plane, the corners of the grid and its middle are real weights."""
    subject = make("mlp", configure)
    model, batch = subject.nets(1, 1)[0].model.double(), to_double(subject.examples(8, torch.device("cpu")))
    loss = StackedLoss.of([model])
    draws = Draws([1], loss.flat)
    [one], [two] = draws.normal() * 0.1, draws.normal() * 0.1
    path = loss.flat[0] + torch.stack([3 * one, 2 * one + two, one - two, 0 * one])
    found = measure_path(loss, batch, path, 5)
    assert found["shares"].sum() == pytest.approx(1.0)
    principal = find_principal(path, loss.flat[0])
    dense = Dense(model, batch)
    for place, weights in zip(found["at"], path, strict=True):
        at = loss.flat[0] + torch.as_tensor(place) @ principal.directions
        assert torch.allclose(at, weights, atol=1e-12)
        assert found["a"][0] < place[0] < found["a"][-1]
    there = dense.flat + found["a"][1] * principal.directions[0] + found["b"][3] * principal.directions[1]
    assert found["loss"][3, 1] == pytest.approx(float(dense(there)), rel=1e-10)


def quadratic(first: float, second: float, mixed: float) -> np.ndarray[Any, Any]:
    grid = np.linspace(-1, 1, 21)
    a, b = grid[None], grid[:, None]
    return first * a**2 + second * b**2 + 2 * mixed * a * b


@pytest.mark.parametrize(
    ("matrix", "share"), [((1, 2, 0), 0.0), ((1, 2, 1.4), 0.0), ((1, 2, 1.5), 1.0), ((-1, 2, 0), 1.0), ((0, 0, 0), 0.0)]
)
def test_a_parabola_bends_downwards_where_its_matrix_has_a_negative_eigenvalue(
    matrix: tuple[float, float, float], share: float
) -> None:
    grid = np.linspace(-1, 1, 21)
    assert share_negative(grid, grid, quadratic(*matrix) + 3.0) == share


def test_half_of_a_wave_bends_downwards() -> None:
    grid = np.linspace(0, 2 * np.pi, 202)
    found = share_negative(grid, grid, np.cos(grid)[None] + 0 * grid[:, None] + 1.0)
    assert found == pytest.approx(0.5, abs=0.01)


def test_the_way_out_of_a_basin_is_never_downhill() -> None:
    assert share_downhill(quadratic(1, 2, 0.5)) == 0.0
    assert share_downhill(-quadratic(1, 2, 0.5)) == 1.0
    assert share_downhill(np.ones((5, 5))) == 0.0
    # Along the first axis up by 1 and down by 1, along the diagonals too, and flat along the second.
    wave = 0 * GRID[:, None] + (1 - np.abs(1 - 2 * np.abs(GRID)))[None]
    assert share_downhill(wave) == pytest.approx(0.5)


@pytest.mark.parametrize("points", [3, 10, 5.5, True])
def test_a_grid_without_a_middle_is_refused(points: Any) -> None:
    with pytest.raises(ConfigError, match=r"probe\.points"):
        check_points("probe.points", points)
