from __future__ import annotations

import math

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from probeta.errors import ConfigError
from probeta.models.schedules import Cosine, InverseSquareRoot, Plateau, WarmupCosine


def optimizer(lr: float = 0.3) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return found


def test_cosine_is_torch_s_cosine() -> None:
    ours = rates(Cosine(optimizer(), total_steps=17, total_epochs=3, minimum=0.1), 17)
    twin = rates(CosineAnnealingLR(optimizer(), T_max=17, eta_min=0.03), 17)
    assert ours == pytest.approx(twin, rel=1e-12)


def test_cosine_counts_epochs_where_it_is_told_to() -> None:
    assert rates(Cosine(optimizer(), total_steps=30, total_epochs=3, interval="epoch"), 3) == pytest.approx(
        rates(CosineAnnealingLR(optimizer(), T_max=3), 3)
    )
    assert rates(Cosine(optimizer(), total_steps=30, length=5), 5) == pytest.approx(
        rates(CosineAnnealingLR(optimizer(), T_max=5), 5)
    )


def test_warm_up_rises_in_a_line_and_then_follows_the_cosine() -> None:
    found = rates(WarmupCosine(optimizer(1.0), total_steps=40, warmup=0.1), 40)
    assert found[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert found[4:] == pytest.approx([0.5 * (1 + math.cos(math.pi * t / 36)) for t in range(36)])


def test_without_warm_up_it_is_the_cosine() -> None:
    assert rates(WarmupCosine(optimizer(), total_steps=9, warmup=0.0), 9) == pytest.approx(
        rates(Cosine(optimizer(), total_steps=9), 9)
    )


def test_inverse_square_root_is_equation_3_of_the_paper() -> None:
    width, warmup = 128, 5
    found = rates(InverseSquareRoot(optimizer(width**-0.5 * warmup**-0.5), warmup_steps=warmup), 30)
    assert found == pytest.approx([width**-0.5 * min(s**-0.5, s * warmup**-1.5) for s in range(1, 31)])
    with pytest.raises(ConfigError, match="warmup_steps=0"):
        InverseSquareRoot(optimizer(), warmup_steps=0)


def test_without_a_rise_inverse_square_root_falls_as_with_it() -> None:
    risen = rates(InverseSquareRoot(optimizer(), warmup_steps=5), 20)
    flat = rates(InverseSquareRoot(optimizer(), warmup_steps=1, decay_from=5), 20)
    assert flat == pytest.approx([max(risen)] * 5 + risen[5:])
    with pytest.raises(ConfigError, match="decay_from=3"):
        InverseSquareRoot(optimizer(), warmup_steps=5, decay_from=3)


def test_plateau_is_torch_s_and_survives_its_state() -> None:
    values = [3.0, 2.0, 2.0, 2.0, 1.99999, 2.0, 1.0, 1.0, 1.0, 1.0]
    ours = Plateau(optimizer(), factor=0.5, patience=1, threshold=1e-4)
    twin = ReduceLROnPlateau(optimizer(), factor=0.5, patience=1, threshold=1e-4, threshold_mode="abs")
    for i, value in enumerate(values):
        ours.step(value)
        twin.step(value)
        assert ours.optimizer.param_groups[0]["lr"] == twin.optimizer.param_groups[0]["lr"]
        if i == 4:
            again = Plateau(ours.optimizer, factor=0.5, patience=1, threshold=1e-4)
            again.load_state_dict(ours.state_dict())
            ours = again


@pytest.mark.parametrize("bad", [{"warmup": 1.0}, {"warmup": -0.1}, {"minimum": 2.0}, {"interval": "batch"}])
def test_what_makes_no_schedule_is_refused(bad: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        WarmupCosine(optimizer(), total_steps=10, **bad)


def test_a_short_run_still_reaches_its_learning_rate() -> None:
    assert rates(WarmupCosine(optimizer(), total_steps=2, total_epochs=1, warmup=0.9), 2) == pytest.approx([0.15, 0.3])


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_schedule_over_a_run_without_an_end_is_refused(interval: str) -> None:
    known = {"total_steps": 0, "total_epochs": 0}
    for schedule in (Cosine, WarmupCosine):
        with pytest.raises(ConfigError, match=f"max_epochs=-1 has no last {interval}"):
            schedule(optimizer(), **known, interval=interval)
    Cosine(optimizer(), **known, length=9, interval=interval)
