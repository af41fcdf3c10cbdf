"""Training K members at once, each as its single run would: the loop, and what is decided member by member."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probeta.build import make
from probeta.callbacks.early_stopping import EarlyStopping
from probeta.callbacks.gradient_norm import layer_of
from probeta.data.datamodule import DataModule
from probeta.ensemble.feed import Feed
from probeta.ensemble.history import Epoch, History, Row, together
from probeta.ensemble.optimizers import stacked
from probeta.ensemble.program import Program
from probeta.ensemble.rates import Rates
from probeta.ensemble.stack import Stack, total
from probeta.errors import ConfigError, TrainingDiverged
from probeta.models.module import Module, Sums

log = logging.getLogger(__name__)

Tree = Mapping[str, Any]


@dataclass
class Member:
    """One run of the ensemble, and how its training went."""

    tree: Tree
    data: DataModule
    loader: Any
    """Its training batches, in the order of its own seed."""
    model: Module
    """As its seed initialised it."""
    early: EarlyStopping | None = None
    rows: list[tuple[int, Row]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    """What is tested and kept."""
    last: dict[str, Tensor] = field(default_factory=dict)
    """The weights at the end of training."""
    epochs: int = 0
    best_epoch: int = 0
    """From 1: the epoch whose weights were kept."""
    notes: list[str] = field(default_factory=list)
    error: Exception | None = None
    fit_s: float = 0.0
    device: str = "cpu"

    @property
    def accelerator(self) -> str:
        """The device in Lightning's words."""
        return {"cuda": "gpu"}.get(self.device, self.device)


class Ensemble:
    """The members of one group. After `fit` each of `members` says how it went.

    A member that has stopped, or failed, costs until half of the others have too: then the ensemble shrinks.
    """

    def __init__(
        self,
        members: Sequence[Member],
        device: torch.device | None = None,
        check: Callable[[], None] | None = None,
        program: Program | None = None,
    ) -> None:
        self.members = list(members)
        self.device = device or torch.device("cpu")
        self.check = check or (lambda: None)
        # A lone member is padded to two, so that it takes the same path through the products.
        slots = [*range(len(members))] if len(members) > 1 else [0, 0]
        self.slots = slots
        """Slot of the stacked tensors → member."""
        self.going = [True] * len(members)
        tree = members[0].tree
        trainer = tree["trainer"]
        self.max_epochs = int(trainer.get("max_epochs") or 1)
        self.clip: float | None = trainer.get("gradient_clip_val") or None
        callbacks = tree.get("callbacks") or {}
        self.norm_every: int | None = (callbacks.get("gradient_norm") or {}).get("every_n_steps")
        self.logs_rate = callbacks.get("learning_rate") is not None
        chosen = [members[k] for k in slots]
        self.stack = Stack([m.model for m in chosen], self.device)
        self.program = program or Program()
        self.program.use(self.stack)
        self.template = self.stack.template
        exact = bool(self.stack.dropouts) or getattr(self.template, "teacher_forcing_ratio", 1.0) < 1.0
        self.feed = Feed([m.loader for m in chosen], self.device, exact)
        vals = {id(m.data): m.data.val_dataloader() for m in chosen}
        self.validation = Feed([vals[id(m.data)] for m in chosen], self.device)
        self.seeds = [int(m.tree["seed"]) for m in chosen]
        self.optimizer = stacked([m.tree["optimizer"] for m in chosen], list(self.stack.parameters.values()))
        rates = [(float(m.tree["optimizer"].get("lr", 1e-3)), m.tree.get("scheduler")) for m in chosen]
        self.rates = Rates(rates, [m.model.scheduler_factory for m in chosen], self.max_epochs, len(self.feed))
        self.history = History()
        self.latest: dict[str, np.ndarray] = {}
        """What single runs have in `callback_metrics`: metrics of the last epoch that had them, `(slots,)`."""
        self.best: dict[str, Tensor] = {}
        for member in self.members:
            if (callbacks := member.tree.get("callbacks") or {}).get("early_stopping"):
                early = make(member.tree, "callbacks.early_stopping")
                member.early = early if early.active else None

    # --- the loop ------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Train until every member has stopped, failed or reached the last epoch."""
        started = time.perf_counter()
        step = 0
        for epoch in range(self.max_epochs):
            self.check()
            step = self.epoch(epoch, step)
            if not any(self.going):
                break
            self.compact()
        for slot, k in enumerate(self.slots):
            if self.going[k]:
                self.finish(slot, self.max_epochs)
        share = (time.perf_counter() - started) / len(self.members)
        rows = self.history.rows({k: m.epochs for k, m in enumerate(self.members)})
        for k, member in enumerate(self.members):
            member.rows, member.fit_s, member.device = rows[k], share, self.device.type

    def epoch(self, epoch: int, step: int) -> int:
        """One pass over the training data and one over the validation data; the steps done so far."""
        sums: Sums | None = None
        losses: list[Tensor] = []
        norms: dict[str, Tensor] = {}
        for i in range(len(self.feed)):
            loss, more, grads = self.gradients(epoch, i, step)
            losses.append(loss)
            sums = total(sums, more)
            squares = self.norms(grads) if self.clip or self.logs_norms(step) else []
            if self.logs_norms(step):
                norms = self.by_layer(squares)
            if (rates := self.rates.at(step)) is not None:
                self.optimizer.set("lr", rates)
            if self.clip:
                whole = torch.linalg.vector_norm(torch.stack(squares), dim=0)
                scale = (self.clip / (whole + 1e-6)).clamp(max=1.0)
                torch._foreach_mul_(grads, [scale.view(-1, *[1] * (g.dim() - 1)) for g in grads])
            self.optimizer.update(list(self.stack.parameters.values()), grads)
            step += 1
        assert sums is not None
        thorough = self.template.thorough_at(epoch, self.max_epochs)
        validated = self.validate(thorough)
        measured = {f"grad_norm/{layer}": norm for layer, norm in norms.items()}
        measured |= {f"val/{name}": value for name, value in self.template.summarize(validated).items()}
        measured |= {f"train/{name}": value for name, value in self.template.summarize(sums).items()}
        measured["loss of the steps"] = torch.stack(losses)[-1] if len(losses) == 1 else _worst(losses)
        values = together(measured)
        self.close(epoch, step, values, losses, thorough)
        return step

    def gradients(self, epoch: int, i: int, step: int) -> tuple[Tensor, Sums, list[Tensor]]:
        """Loss `(K,)`, sums and gradients of batch `i`, before the weights move."""
        self.stack.reseed(self.seeds, step)
        params, buffers = list(self.stack.parameters.values()), list(self.stack.buffers.values())
        loss: Tensor | None = None
        sums: Sums = {}
        grads: list[Tensor] = []
        for members, batch, shared in self.feed.parts(epoch, i):
            if members is None:
                return self.program.train(params, buffers, batch, self.forced(batch, None, step), shared)
            rows = members if len(members) > 1 else members.repeat(2)
            if len(members) == 1:
                batch = type(batch)(*(torch.cat([t, t]) for t in batch))
            picked = [[t.index_select(0, rows) for t in ts] for ts in (params, buffers)]
            found = self.program.train(picked[0], picked[1], batch, self.forced(batch, rows, step), shared)
            if loss is None:
                loss = found.loss.new_zeros(len(self.slots))
                sums = {name: loss.clone() for name in found.sums}
                grads = [torch.zeros_like(p) for p in params]
            count = len(members)
            whole = [loss, *sums.values(), *grads]
            for target, part in zip(whole, [found.loss, *found.sums.values(), *found.grads], strict=True):
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
                sums = total(sums, self.program.evaluate(params, buffers, part.batch, part.shared, thorough))
        assert sums is not None
        return sums

    # --- gradient norms ------------------------------------------------------------------------------

    def logs_norms(self, step: int) -> bool:
        return self.norm_every is not None and step % self.norm_every == 0

    def norms(self, grads: Sequence[Tensor]) -> list[Tensor]:
        """The L2 norm `(K,)` of each parameter's gradient."""
        return [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in grads]

    def by_layer(self, norms: Sequence[Tensor]) -> dict[str, Tensor]:
        """As `callbacks.gradient_norm.gradient_norms`: each layer's, and `total`."""
        layers: dict[str, list[Tensor]] = {}
        for name, norm in zip(self.stack.parameters, norms, strict=True):
            layers.setdefault(layer_of(name), []).append(norm)
        named = {layer: torch.linalg.vector_norm(torch.stack(parts), dim=0) for layer, parts in layers.items()}
        return named | {"total": torch.linalg.vector_norm(torch.stack(list(norms)), dim=0)}

    # --- the end of an epoch -------------------------------------------------------------------------

    def close(
        self,
        epoch: int,
        step: int,
        values: dict[str, np.ndarray],
        losses: list[Tensor],
        thorough: bool,
    ) -> None:
        """Log the epoch, keep improved weights, and let go of members that failed or have stopped."""
        worst = values.pop("loss of the steps")
        if not np.isfinite(worst).all():
            self.diverged(epoch, step, losses)
        if thorough:
            values = self.words() | values
        norms = {name: v for name, v in values.items() if name.startswith("grad_norm/")}
        published = {name: v for name, v in values.items() if name not in norms}
        self.latest.update(published)
        logged = ({"lr": np.array(self.rates.current)} if self.logs_rate else {}) | norms | published
        slots = [slot for slot, k in enumerate(self.slots) if self.going[k] and self.slots.index(k) == slot]
        self.history.epochs.append(
            Epoch(epoch, step, [self.slots[s] for s in slots], {name: v[slots] for name, v in logged.items()})
        )
        improved = [slot for slot in slots if self.decide(slot, epoch, step)]
        if improved:
            self.keep(improved)
        for slot in slots:
            early = self.members[self.slots[slot]].early
            if self.going[self.slots[slot]] and early is not None and early.exhausted:
                self.members[self.slots[slot]].notes.append(early.told(epoch))
                self.finish(slot, epoch + 1)

    def decide(self, slot: int, epoch: int, step: int) -> bool:
        """Whether the epoch improved on the best of the member in `slot`; tells its plateau schedule."""
        member = self.members[self.slots[slot]]
        try:
            if self.rates.plateaus:
                self.rates.observe(slot, {name: float(v[slot]) for name, v in self.latest.items()})
            if member.early is None:
                return False
            if member.early.monitor not in self.latest:
                raise ConfigError.unknown("metric", member.early.monitor, self.latest)
            return member.early.observe(float(self.latest[member.early.monitor][slot]), epoch, step)
        except (ConfigError, KeyError) as error:
            self.fail(self.slots[slot], error, epoch)
            return False

    def words(self) -> dict[str, np.ndarray]:
        """Metrics of a thorough validation that need each member's own model: translations."""
        found: list[dict[str, float]] = []
        weights = self.stack.weights()
        for slot, k in enumerate(self.slots):
            going = self.going[k] and self.slots.index(k) == slot
            found.append(self.stack.show(slot, weights).validation_words(self.members[k].data) if going else {})
        names = next((list(words) for words in found if words), [])
        return {name: np.array([words.get(name, math.nan) for words in found]) for name in names}

    def diverged(self, epoch: int, step: int, losses: list[Tensor]) -> None:
        """Members whose loss stopped being a number fail; nobody else notices."""
        table = torch.stack(losses).double().cpu().numpy()
        first = step - len(losses)
        for slot, k in enumerate(self.slots):
            bad = np.flatnonzero(~np.isfinite(table[:, slot]))
            if len(bad) and self.going[k]:
                value = float(table[bad[0], slot])
                self.fail(k, TrainingDiverged("train/loss", value, first + int(bad[0]), epoch), epoch)

    def fail(self, k: int, error: Exception, epoch: int) -> None:
        self.members[k].error = error
        self.members[k].epochs = epoch
        self.going[k] = False

    def keep(self, slots: Sequence[int]) -> None:
        """Remember the weights of these slots as their members' best."""
        weights = self.stack.weights()
        if not self.best:
            self.best = {n: w.new_zeros(max(2, len(self.members)), *w.shape[1:]) for n, w in weights.items()}
        places = torch.tensor([self.slots[s] for s in slots], device=self.device)
        everyone = len(slots) == len(self.slots) == len(self.members)
        rows = torch.tensor(slots, device=self.device)
        for name, values in weights.items():
            if everyone:
                self.best[name].copy_(values)
            else:
                self.best[name].index_copy_(0, places, values.index_select(0, rows))

    def finish(self, slot: int, epochs: int) -> None:
        """Take the member out as it stands: its best weights where it kept any, else its last."""
        k = self.slots[slot]
        member = self.members[k]
        self.going[k] = False
        member.epochs = epochs
        member.last = {name: w[slot].clone() for name, w in self.stack.weights().items()}
        if member.early is not None and member.early.best_epoch >= 0:
            member.best_epoch = member.early.best_epoch + 1
            member.weights = {name: w[k].clone() for name, w in self.best.items()}
        else:
            member.best_epoch, member.weights = epochs, member.last

    def compact(self) -> None:
        """Go on with fewer slots, a power of two, when at most half of them are in use."""
        used = [slot for slot, k in enumerate(self.slots) if self.going[k] and self.slots.index(k) == slot]
        size = max(2, 1 << (len(used) - 1).bit_length())
        if 2 * size > len(self.slots):
            return
        spare = [slot for slot in range(len(self.slots)) if slot not in used]
        kept = sorted(used + spare[: size - len(used)])
        rows = torch.tensor(kept, device=self.device)
        self.stack.rows(rows)
        self.optimizer.rows(rows, list(self.stack.parameters.values()))
        for part in (self.feed, self.validation, self.rates):
            part.rows(kept)
        self.slots = [self.slots[s] for s in kept]
        self.seeds = [self.seeds[s] for s in kept]
        self.latest = {name: v[kept] for name, v in self.latest.items()}


def _worst(losses: Sequence[Tensor]) -> Tensor:
    """A number that is finite where all of the losses are: `(K,)`."""
    return torch.stack(list(losses)).sum(0)
