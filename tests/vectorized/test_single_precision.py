"""The promise in float32: each step from the same state is the single run's, and whole curves without batch norm."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from probeta.models.module import Module
from probeta.nn.dropout import reseed
from probeta.runs.identity import Seeds
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.program import Program
from tests.vectorized.runs import Alone, assert_close, assert_same_run, changed, members_of, train_together, tree_of
from tests.vectorized.test_loop import MEMBER, SHARED, moons

TOLERANCE = 1e-5
CLEAR = 1e4
STATES = ("momentum_buffer", "exp_avg", "exp_avg_sq")


class Twin:
    """The plain loop's step of one member, from the state in which the ensemble's stands before its own."""

    def __init__(self, ensemble: Ensemble, slot: int) -> None:
        self.ensemble, self.slot = ensemble, slot
        member = members_of([ensemble.members[slot].tree])[0]
        self.model: Module = member.model.train()
        self.loader = member.loader
        self.seed = Seeds.of(member.tree).noise
        assert self.model.optimizer_factory is not None
        self.optimizer = self.model.optimizer_factory(list(self.model.parameters()))

    def copy_state(self) -> None:
        stack = self.ensemble.stack
        tensors = dict(self.model.named_parameters()) | dict(self.model.named_buffers())
        with torch.no_grad():
            for name, value in (stack.parameters | stack.buffers).items():
                tensors[name].copy_(value[self.slot])
        for p, stacked in zip(self.model.parameters(), stack.parameters.values(), strict=True):
            kept = self.ensemble.optimizer.state[stacked]
            self.optimizer.state[p] = {name: kept[name][self.slot].clone() for name in STATES if name in kept}
            if count := getattr(self.ensemble.optimizer, "count", 0):
                self.optimizer.state[p]["step"] = torch.tensor(float(count))

    def step(self, epoch: int, i: int, step: int, clip: float | None) -> tuple[float, dict[str, Tensor]]:
        reseed(self.model, self.seed, step)
        rows = self.loader.plan(epoch)[i]
        measured = self.model.measure(self.loader.collate(rows))
        loss = measured.objective / measured.weight
        self.optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(list(self.model.parameters()), clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.ensemble.rates.current[self.slot]
        self.optimizer.step()
        return float(loss.detach()), {name: p.detach() for name, p in self.model.named_parameters()}

    def told(self, exact: dict[str, Tensor]) -> dict[str, Tensor]:
        """Which entries of the weights the gradient moved, and not the rounding of it: those whose gradient is `CLEAR`
        times the rounding of its tensor, as the `exact` one tells.

        Adam's step is as long for a gradient of 1e-9 as for one of 1: where sums cancel, it follows their last digit.
        """
        grads = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        if isinstance(self.optimizer, torch.optim.SGD):
            return {name: torch.ones_like(grad) for name, grad in grads.items()}
        rounding = {name: float((grad.double() - exact[name]).abs().max()) for name, grad in grads.items()}
        return {name: (grad.abs() >= CLEAR * rounding[name]).to(grad.dtype) for name, grad in grads.items()}

    def exact_gradients(self, epoch: int, i: int, step: int) -> dict[str, Tensor]:
        """Of the loss at the weights as they are, in double precision; before `step` moves them."""
        model = copy.deepcopy(self.model).double()
        reseed(model, self.seed, step)
        batch = self.loader.collate(self.loader.plan(epoch)[i])
        measured = model.measure(type(batch)(batch.x.double(), *batch[1:]))
        (measured.objective / measured.weight).backward()
        return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate])
@given(shared=SHARED, own=st.lists(MEMBER, min_size=2, max_size=4), width=st.integers(5, 17))
def test_each_step_from_the_same_state_is_the_single_run_s(
    shared: dict[str, Any], own: list[dict[str, Any]], width: int
) -> None:
    # 17 leaves a last batch of two: batch norm makes signs of them, and a gradient that is all rounding.
    assume(not (shared["model.batch_norm"] and shared["data.batch_size"] == 17))
    # Layer norm over two or three units leaves nothing but signs, and a gradient that is all rounding.
    small = {**shared, "trainer.precision": "32-true", "model.width": width}
    ensemble = Ensemble(members_of([changed(changed(moons(), small), changes) for changes in own]), program=Program(2))
    twins = [Twin(ensemble, slot) for slot in range(len(own))]
    step = 0
    for epoch in range(4):
        for i in range(len(ensemble.batches)):
            for twin in twins:
                twin.copy_state()
            loss, _, _ = ensemble.step(epoch, i, step)
            for slot, twin in enumerate(twins):
                exact = twin.exact_gradients(epoch, i, step)
                expected, weights = twin.step(epoch, i, step, ensemble.clip)
                assert abs(float(loss[slot]) - expected) <= TOLERANCE * max(1.0, abs(expected))
                told = twin.told(exact)
                for name, stacked in ensemble.stack.parameters.items():
                    off = (stacked[slot] - weights[name]) * told[name]
                    assert_close(weights[name] + off, weights[name], TOLERANCE, name)
            step += 1


EXPERIMENTS = (
    "moons_adam", "moons_adamw", "moons_baseline", "moons_cosine", "moons_dropout", "moons_imbalanced", "moons_l2",
    "moons_mlp", "moons_sgd", "moons_warmup_cosine",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_whole_curves_of_the_shipped_experiments_are_the_single_runs(experiment: str) -> None:
    trees = [changed(tree_of(f"experiment={experiment}"), {"seed": seed}) for seed in (0, 1)]
    for tree, member in zip(trees, train_together(trees), strict=True):
        assert_same_run(member, Alone(tree), TOLERANCE)
