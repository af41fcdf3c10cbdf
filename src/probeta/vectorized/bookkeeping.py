"""Which members are still training, their curves and best weights: what the end of an epoch decides per member."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from probeta.config.build import make
from probeta.errors import ConfigError, TrainingDiverged
from probeta.vectorized.curves import Curves, Epoch
from probeta.vectorized.learning_rates import LearningRates
from probeta.vectorized.member import Member
from probeta.vectorized.stack import Stack


class Bookkeeping:
    """Curves, best weights and early stopping of the members whose tensors are in `stack`."""

    def __init__(
        self, members: Sequence[Member], slots: Sequence[int], stack: Stack, rates: LearningRates, logs_rate: bool
    ) -> None:
        self.members = members
        self.slots = list(slots)
        """Slot of the stacked tensors → member."""
        self.stack, self.rates, self.logs_rate = stack, rates, logs_rate
        self.training = [True] * len(members)
        self.curves = Curves()
        self.latest: dict[str, np.ndarray] = {}
        """As single runs' `callback_metrics`: each metric's value in the epoch that ends, `(slots,)`."""
        self.best: dict[str, Tensor] = {}
        for member in members:
            callbacks = member.tree.get("callbacks") or {}
            if callbacks.get("early_stopping"):
                early = make(member.tree, "callbacks.early_stopping")
                member.early = early if early.active else None
            if callbacks.get("path"):
                member.path = make(member.tree, "callbacks.path")
        self.keep_paths(0)

    def active_slots(self) -> list[int]:
        """The first slot of every member that still trains."""
        return [slot for slot, k in enumerate(self.slots) if self.training[k] and self.slots.index(k) == slot]

    def end_epoch(
        self,
        epoch: int,
        step: int,
        values: dict[str, np.ndarray],
        losses: list[Tensor],
        thorough: bool,
    ) -> None:
        """Log the epoch, keep improved weights, and take out the members that failed or have stopped."""
        worst = values.pop("loss of the steps")
        if not np.isfinite(worst).all():
            self.fail_diverged(epoch, step, losses)
        if thorough:
            values = self.translation_metrics() | values
        norms = {name: v for name, v in values.items() if name.startswith("grad_norm/")}
        others = {name: v for name, v in values.items() if name not in norms}
        self.latest = {name: v for name, v in others.items() if not name.startswith("curvature/")}
        logged = ({"lr": np.array(self.rates.current)} if self.logs_rate else {}) | norms | others
        slots = self.active_slots()
        self.curves.epochs.append(
            Epoch(epoch, step, [self.slots[s] for s in slots], {name: v[slots] for name, v in logged.items()})
        )
        self.keep_paths(epoch + 1)
        improved = [slot for slot in slots if self.observe(slot, epoch)]
        if improved:
            self.keep_best(improved)
        for slot in slots:
            early = self.members[self.slots[slot]].early
            if self.training[self.slots[slot]] and early is not None and early.exhausted:
                self.members[self.slots[slot]].notes.append(early.describe_stop(epoch))
                self.finish(slot, epoch + 1)

    def keep_paths(self, epochs: int) -> None:
        """Show the weights after `epochs` to the members that keep a path."""
        paths = {slot: path for slot in self.active_slots() if (path := self.members[self.slots[slot]].path)}
        if paths:
            flat = torch.cat([p.flatten(1) for p in self.stack.parameters.values()], 1)
            for slot, path in paths.items():
                path.keep(epochs, flat[slot])

    def observe(self, slot: int, epoch: int) -> bool:
        """Whether the epoch improved on the best of the member in `slot`, whose plateau schedule observes it too."""
        member = self.members[self.slots[slot]]
        try:
            if self.rates.plateaus:
                self.rates.observe(slot, {name: float(v[slot]) for name, v in self.latest.items()})
            if member.early is None:
                return False
            if member.early.monitor not in self.latest:
                if member.early.monitor in member.model.logged():
                    return False  # not measured in this epoch
                raise ConfigError.unknown("metric", member.early.monitor, self.latest)
            return member.early.observe(float(self.latest[member.early.monitor][slot]), epoch)
        except (ConfigError, KeyError) as error:
            self.fail(self.slots[slot], error, epoch)
            return False

    def translation_metrics(self) -> dict[str, np.ndarray]:
        """Metrics of a thorough validation that need each member's own model: translations."""
        results: list[dict[str, float]] = []
        weights, active = self.stack.weights(), self.active_slots()
        for slot, k in enumerate(self.slots):
            model = self.stack.load_member(slot, weights) if slot in active else None
            results.append({} if model is None else model.validation_words(self.members[k].data))
        names = next((list(metrics) for metrics in results if metrics), [])
        return {name: np.array([metrics.get(name, math.nan) for metrics in results]) for name in names}

    def fail_diverged(self, epoch: int, step: int, losses: list[Tensor]) -> None:
        """Members whose loss is not finite fail; the others are not affected."""
        table = torch.stack(losses).double().cpu().numpy()
        first = step - len(losses)
        for slot, k in enumerate(self.slots):
            bad = np.flatnonzero(~np.isfinite(table[:, slot]))
            if len(bad) and self.training[k]:
                value = float(table[bad[0], slot])
                self.fail(k, TrainingDiverged("train/loss", value, first + int(bad[0]), epoch), epoch)

    def fail(self, k: int, error: Exception, epoch: int) -> None:
        self.members[k].error = error
        self.members[k].epochs = epoch
        self.training[k] = False

    def keep_best(self, slots: Sequence[int]) -> None:
        """Remember the weights of these slots as their members' best."""
        weights = self.stack.weights()
        self.make_room()
        places = torch.tensor([self.slots[s] for s in slots], device=self.stack.device)
        everyone = len(slots) == len(self.slots) == len(self.members)
        rows = torch.tensor(slots, device=self.stack.device)
        for name, values in weights.items():
            if everyone:
                self.best[name].copy_(values)
            else:
                self.best[name].index_copy_(0, places, values.index_select(0, rows))

    def make_room(self) -> None:
        """For the best weights of every member."""
        if not self.best:
            rows = max(2, len(self.members))
            self.best = {n: w.new_zeros(rows, *w.shape[1:]) for n, w in self.stack.weights().items()}

    def finish(self, slot: int, epochs: int) -> None:
        """Take the member out as it stands: its best weights where it kept any, else its last."""
        k = self.slots[slot]
        member = self.members[k]
        self.training[k] = False
        member.epochs = epochs
        if member.early is not None and member.early.best_epoch >= 0:
            member.best_epoch = member.early.best_epoch + 1
            member.weights = {name: w[k].clone() for name, w in self.best.items()}
        else:
            member.best_epoch = epochs
            member.weights = {name: w[slot].clone() for name, w in self.stack.weights().items()}

    def finish_all(self, epochs: int) -> None:
        """The last epoch is over."""
        for slot in self.active_slots():
            self.finish(slot, epochs)
        rows = self.curves.rows({k: m.epochs for k, m in enumerate(self.members)})
        for k, member in enumerate(self.members):
            member.rows = rows[k]

    def rows(self, kept: Sequence[int]) -> None:
        """Go on with the slots `kept`."""
        self.slots = [self.slots[s] for s in kept]
        self.latest = {name: v[list(kept)] for name, v in self.latest.items()}
