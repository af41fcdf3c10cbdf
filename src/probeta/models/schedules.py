"""Learning-rate schedules: torch's own, told how long the run is.

Each takes `total_steps` and `total_epochs` from the run, so that no configuration repeats them, and
carries `interval`: whether it is stepped after every optimizer step or after every epoch.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from probeta.errors import ConfigError, check_whole
from probeta.metrics.direction import Mode, resolve_mode

Interval = Literal["step", "epoch"]


def count_intervals(interval: Interval, total_steps: int, total_epochs: int) -> int:
    if interval not in ("step", "epoch"):
        raise ConfigError.value("interval", interval, "step or epoch")
    total = total_steps if interval == "step" else total_epochs
    if total < 1:
        raise ConfigError(
            f"trainer.max_epochs=-1 has no last {interval}, and this schedule falls to the last: give one"
        )
    return total


def cosine_factor(t: float, minimum: float) -> float:
    """(Loshchilov & Hutter 2017, eq. 5) from 1 at t = 0 to `minimum` at t = 1."""
    return minimum + (1 - minimum) * 0.5 * (1 + math.cos(math.pi * min(t, 1.0)))


class Schedule(LambdaLR):
    """The rate of step t is a function of t alone, whatever came before."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Also set the rate of this step: in a longer run than the state is of, it is another."""
        super().load_state_dict(state_dict)
        for group, rate, factor in zip(self.optimizer.param_groups, self.base_lrs, self.lr_lambdas, strict=True):
            group["lr"] = rate * factor(self.last_epoch)


class Cosine(Schedule):
    """Half a cosine from the initial rate to `minimum` times it, over the whole run or over `length` intervals.

    Args:
        minimum: share of the initial rate, 0 to 1, at its end.
        interval: what the rate changes after: `step` or `epoch`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int = 1,
        total_epochs: int = 1,
        minimum: float = 0.0,
        length: int | None = None,
        interval: Interval = "step",
    ) -> None:
        check_share("minimum", minimum)
        span = length or count_intervals(interval, total_steps, total_epochs)
        self.interval = interval
        super().__init__(optimizer, lambda t: cosine_factor(t / span, minimum))


class WarmupCosine(Schedule):
    """Linear from 0 over the first `warmup` share of the run, then half a cosine (Goyal et al. 2017, §2.2).

    With w steps of warm-up the factors are 1/(w + 1), 2/(w + 1), …, and 1 at the step after them: there always is one.

    Args:
        minimum: share of the initial rate, 0 to 1, at its end.
        interval: what the rate changes after: `step` or `epoch`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int = 1,
        total_epochs: int = 1,
        warmup: float = 0.05,
        minimum: float = 0.0,
        interval: Interval = "step",
    ) -> None:
        check_share("warmup", warmup)
        check_share("minimum", minimum)
        span = count_intervals(interval, total_steps, total_epochs)
        rise = min(round(warmup * span), span - 1)
        self.interval = interval

        def factor(t: int) -> float:
            return (t + 1) / (rise + 1) if t < rise else cosine_factor((t - rise) / max(1, span - rise), minimum)

        super().__init__(optimizer, factor)


class InverseSquareRoot(Schedule):
    """Linear up to the optimizer's learning rate in `warmup_steps`, then it falls as 1/√step.

    factor(s) = min(s / w, √(w / s)) at step s = 1, 2, … (Vaswani et al. 2017, eq. 3; the learning rate of that
    equation is D^-½ · w^-½ at its peak). `decay_from` lets it fall from another step than the last one of the
    warm-up: `warmup_steps=1 decay_from=w` is the same decay without a rise.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int = 1,
        total_epochs: int = 1,
        warmup_steps: int = 4000,
        decay_from: int | None = None,
    ) -> None:
        check_whole("warmup_steps", warmup_steps)
        fall = warmup_steps if decay_from is None else decay_from
        if fall < warmup_steps:
            raise ConfigError.value("decay_from", decay_from, f"null, or a step from warmup_steps={warmup_steps}")
        self.interval: Interval = "step"
        super().__init__(optimizer, lambda t: min(1.0, (t + 1) / warmup_steps, (fall / (t + 1)) ** 0.5))


class Plateau(ReduceLROnPlateau):
    """Multiply the learning rate by `factor` when `monitor` has not improved for more than `patience` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int = 1,
        total_epochs: int = 1,
        monitor: str = "val/loss",
        mode: Mode = "auto",
        factor: float = 0.5,
        patience: int = 10,
        threshold: float = 1e-4,
        min_lr: float = 0.0,
    ) -> None:
        if not 0 < factor < 1:
            raise ConfigError.value("factor", factor, "a factor, 0 < factor < 1")
        self.monitor = monitor
        self.interval: Interval = "epoch"
        super().__init__(
            optimizer,
            mode=resolve_mode(monitor, mode),
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode="abs",
            min_lr=min_lr,
        )

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in super().state_dict().items() if isinstance(value, (int, float, str, list))}


def check_share(key: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError.value(key, value, "a share, 0 <= share < 1")
