"""Training K members at once, each as its single run would: the loop over epochs and batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from probeta.callbacks.gradient_norm import norms_by_layer
from probeta.models.module import Sums
from probeta.runs.identity import Seeds
from probeta.vectorized.batches import MemberBatches
from probeta.vectorized.bookkeeping import Bookkeeping
from probeta.vectorized.curvature import EnsembleCurvature
from probeta.vectorized.curves import to_arrays
from probeta.vectorized.invariant import one_thread
from probeta.vectorized.learning_rates import LearningRates
from probeta.vectorized.member import Member
from probeta.vectorized.optimizers import make_optimizer
from probeta.vectorized.program import Program
from probeta.vectorized.stack import Stack, add_sums


@dataclass
class PartialEpoch:
    """What the steps of an epoch that is not over have measured."""

    sums: Sums | None = None
    losses: list[Tensor] = field(default_factory=list)
    """`(K,)` of each step."""
    norms: dict[str, Tensor] = field(default_factory=dict)


class Ensemble:
    """The members of one group. After `fit` each of `members` says how it went.

    A member that has stopped, or failed, costs until half of the others have too: then the ensemble shrinks.
    """

    def __init__(
        self,
        members: Sequence[Member],
        device: torch.device | None = None,
        program: Program | None = None,
    ) -> None:
        self.members = list(members)
        self.device = device or torch.device("cpu")
        # A lone member is padded to two, so that it takes the same path through the products.
        slots = [*range(len(members))] if len(members) > 1 else [0, 0]
        tree = members[0].tree
        trainer = tree["trainer"]
        self.max_epochs = int(trainer.get("max_epochs", 1))
        self.clip: float | None = trainer.get("gradient_clip_val") or None
        callbacks = tree.get("callbacks") or {}
        self.norm_every: int | None = (callbacks.get("gradient_norm") or {}).get("every_n_steps")
        chosen = [members[k] for k in slots]
        self.stack = Stack([m.model for m in chosen], self.device)
        self.program = program or Program()
        self.program.use(self.stack)
        self.template = self.stack.template
        self.batches = MemberBatches([m.loader for m in chosen], self.device, self.template.draws_noise())
        vals = {id(m.data): m.data.val_dataloader() for m in chosen}
        self.validation = MemberBatches([vals[id(m.data)] for m in chosen], self.device)
        self.seeds = [Seeds.of(m.tree).noise for m in chosen]
        self.optimizer = make_optimizer([m.tree["optimizer"] for m in chosen], list(self.stack.parameters.values()))
        rates = [(float(m.tree["optimizer"].get("lr", 1e-3)), m.tree.get("scheduler")) for m in chosen]
        self.rates = LearningRates(
            rates, [m.model.scheduler_factory for m in chosen], self.max_epochs, len(self.batches)
        )
        self.curvature = EnsembleCurvature(tree, self.stack, self.optimizer)
        logs_rate = callbacks.get("learning_rate") is not None
        self.bookkeeping = Bookkeeping(self.members, slots, self.stack, self.rates, logs_rate)
        self.steps = 0
        self.max_steps = self.max_epochs * len(self.batches)
        self.epoch = PartialEpoch()

    # --- the loop ------------------------------------------------------------------------------------

    def fit(self, check: Callable[[], None] = lambda: None) -> None:
        """Train until every member has stopped, failed or reached the last epoch; `check` is called between steps."""
        started = time.perf_counter()
        with one_thread():
            while self.steps < self.max_steps and any(self.bookkeeping.training):
                check()
                self.advance()
        self.bookkeeping.finish_all(self.max_epochs)
        share = (time.perf_counter() - started) / len(self.members)
        for member in self.members:
            member.fit_s, member.device = share, self.device.type

    def advance(self) -> None:
        """One step, and what comes after the last one of an epoch."""
        epoch, i = divmod(self.steps, len(self.batches))
        loss, sums, norms = self.step(epoch, i, self.steps)
        self.epoch.losses.append(loss)
        self.epoch.sums = add_sums(self.epoch.sums, sums)
        self.epoch.norms = norms or self.epoch.norms
        self.steps += 1
        if i + 1 == len(self.batches):
            self.end_epoch(epoch)
            self.epoch = PartialEpoch()

    def end_epoch(self, epoch: int) -> None:
        """One pass over the validation data, and what its outcome decides."""
        assert self.epoch.sums is not None
        thorough = self.template.thorough_at(epoch, self.max_epochs)
        validated = self.validate(thorough)
        measured = {f"grad_norm/{layer}": norm for layer, norm in self.epoch.norms.items()}
        measured |= {f"val/{name}": value for name, value in self.template.summarize(validated).items()}
        measured |= self.curvature.measure(epoch, [self.members[k].data for k in self.bookkeeping.slots])
        measured |= {f"train/{name}": value for name, value in self.template.summarize(self.epoch.sums).items()}
        measured["loss of the steps"] = torch.stack(self.epoch.losses).sum(0)  # finite where all are
        self.bookkeeping.end_epoch(epoch, self.steps, to_arrays(measured), self.epoch.losses, thorough)
        if any(self.bookkeeping.training):
            self.compact()

    def step(self, epoch: int, i: int, step: int) -> tuple[Tensor, Sums, dict[str, Tensor]]:
        """Move the weights by batch `i`: loss `(K,)`, sums, and the gradients' norms where they are logged."""
        loss, sums, grads = self.gradients(epoch, i, step)
        logs = self.norm_every is not None and step % self.norm_every == 0
        norms = norms_by_layer(dict(zip(self.stack.parameters, grads, strict=True)), per_member=True) if logs else {}
        if (rates := self.rates.at(step)) is not None:
            self.optimizer.set("lr", rates)
        if self.clip:
            # In the precision of training, as single runs clip.
            parts = [torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in grads]
            whole = torch.linalg.vector_norm(torch.stack(parts), dim=0)
            scale = (self.clip / (whole + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(grads, [scale.view(-1, *[1] * (g.dim() - 1)) for g in grads])
        if i + 1 == len(self.batches):
            self.curvature.observe(epoch)
        self.optimizer.update(list(self.stack.parameters.values()), grads)
        return loss, sums, norms

    def gradients(self, epoch: int, i: int, step: int) -> tuple[Tensor, Sums, list[Tensor]]:
        """Loss `(K,)`, sums and gradients of batch `i`, before the weights move."""
        self.stack.reseed(self.seeds, step)
        params, buffers = list(self.stack.parameters.values()), list(self.stack.buffers.values())
        loss: Tensor | None = None
        sums: Sums = {}
        grads: list[Tensor] = []
        for members, batch, shared in self.batches.parts(epoch, i):
            if members is None:
                return self.program.train(params, buffers, batch, self.forced(batch, None, step), shared)
            rows = members if len(members) > 1 else members.repeat(2)
            if len(members) == 1:
                batch = type(batch)(*(torch.cat([t, t]) for t in batch))
            picked = [[t.index_select(0, rows) for t in ts] for ts in (params, buffers)]
            result = self.program.train(picked[0], picked[1], batch, self.forced(batch, rows, step), shared)
            if loss is None:
                loss = result.loss.new_zeros(len(self.seeds))
                sums = {name: loss.clone() for name in result.sums}
                grads = [torch.zeros_like(p) for p in params]
            count = len(members)
            whole = [loss, *sums.values(), *grads]
            for target, part in zip(whole, [result.loss, *result.sums.values(), *result.grads], strict=True):
                target.index_copy_(0, members, part[:count])
        assert loss is not None
        return loss, sums, grads

    def forced(self, batch: Any, rows: Tensor | None, step: int) -> Tensor | None:
        """Teacher forcing's draws `(K, T)`, where the model has any."""
        model: Any = self.template
        if getattr(model, "teacher_forcing_ratio", 1.0) >= 1.0:
            return None
        seeds = self.seeds if rows is None else [self.seeds[k] for k in rows.tolist()]
        steps = batch.target.shape[-1] - 1
        return torch.stack([model.draw_forced(steps, seed, step) for seed in seeds]).to(self.device)

    def validate(self, thorough: bool) -> Sums:
        params, buffers = list(self.stack.parameters.values()), list(self.stack.buffers.values())
        sums: Sums | None = None
        for i in range(len(self.validation)):
            for part in self.validation.parts(0, i):
                assert part.members is None
                sums = add_sums(sums, self.program.evaluate(params, buffers, part.batch, part.shared, thorough))
        assert sums is not None
        return sums

    def compact(self) -> None:
        """Go on with fewer slots, a power of two, when at most half of them are in use."""
        used = self.bookkeeping.active_slots()
        size = max(2, 1 << (len(used) - 1).bit_length())
        if 2 * size > len(self.seeds):
            return
        spare = [slot for slot in range(len(self.seeds)) if slot not in used]
        kept = sorted(used + spare[: size - len(used)])
        rows = torch.tensor(kept, device=self.device)
        self.stack.rows(rows)
        self.optimizer.rows(rows, list(self.stack.parameters.values()))
        for part in (self.batches, self.validation, self.rates, self.bookkeeping):
            part.rows(kept)
        self.seeds = [self.seeds[s] for s in kept]
