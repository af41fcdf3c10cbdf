"""Curvature: the top eigenvalue of 64 members at once over one at a time, and what the callback adds to training.

Seconds are the process's own (CPU): both sides do the same work in one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from probeta.curvature.draws import Draws
from probeta.curvature.lanczos import lanczos
from probeta.curvature.loss import StackedLoss, first_examples
from probeta.models.module import Module
from tests.benchmarks._timing import alternate, timed
from tests.vectorized.runs import Alone, changed, members_of, train_together, tree_of

MEMBERS = 64
RUN = ("experiment=moons_mlp", "callbacks.early_stopping.patience=null")
CALLBACK = {"_target_": "probeta.callbacks.curvature.Curvature", "every_n_epochs": 20}


def find_largest(models: Sequence[Module], batch: Any) -> torch.Tensor:
    """Of each the greatest eigenvalue to 1 %."""
    loss = StackedLoss.of(models)
    start = Draws([0], loss.flat).normal().expand(len(models), -1)
    return torch.stack([r.values[-1] for r in lanczos(loss.at(batch).hessian, start, 60, 0.01, (-1,))])


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    tree = tree_of(*RUN)
    trees = [changed(tree, {"seed": seed}) for seed in range(MEMBERS)]
    members = members_of(trees)
    models = [member.model for member in members]
    rows = []
    for name, examples in (("curvature", 128), ("curvature_full_batch", None)):
        batch = first_examples(members[0].data, examples)
        together, alone = find_largest(models, batch), torch.cat([find_largest([m], batch) for m in models])
        assert torch.allclose(together, alone, rtol=1e-3)
        times = alternate(
            {
                "at once": timed(lambda b=batch: find_largest(models, b)),
                "in turn": timed(lambda b=batch: [find_largest([model], b) for model in models]),
            }
        )
        note = f"top eigenvalue of {MEMBERS} moons_mlp at once over in turn, {len(batch.y)} examples"
        rows.append(row(name, times["at once"], times["in turn"], "<= 0.3", note))
    with_it = changed(tree, {"callbacks.curvature": CALLBACK})
    times = alternate({"with": timed(lambda: Alone(with_it)), "without": timed(lambda: Alone(tree))}, repeats=3)
    rows.append(row("curvature_callback", times["with"], times["without"], "<= 1.15", "moons_mlp, every 20 epochs"))
    measured = [changed(t, {"callbacks.curvature": CALLBACK}) for t in trees]
    sides = {"with": timed(lambda: train_together(measured)), "without": timed(lambda: train_together(trees))}
    times = alternate(sides, repeats=3)
    note = f"{MEMBERS} moons_mlp at once, every 20 epochs"
    rows.append(row("curvature_callback_vectorized", times["with"], times["without"], "<= 1.15", note))
    return rows


def row(name: str, a: float, b: float, target: str, note: str) -> dict[str, Any]:
    return {"name": name, "ratio": a / b, "target": target, "a": a, "b": b, "unit": "CPU s", "note": note}
