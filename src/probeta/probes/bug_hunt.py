"""`probe=bug_hunt`: every bug in every layer of the configured model, one at a time: is it found, and where?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from probeta.errors import check_whole
from probeta.probes.bugs import BUGS, find_culprits, inject
from probeta.probes.finite_differences import list_layers
from probeta.probes.layer_checks import check_gradients, shorten
from probeta.probes.probe import Findings, Probe, Subject
from probeta.probes.setting import check_names

NONE = "none"


class BugHuntProbe(Probe):
    """Gradient checks in float64, `count` parameters per layer, of the model as it is and with each bug in each layer.

    A bug is found where any layer's gradients are wrong, and located where the layer named is the one that was
    broken. In `measurements.csv` the model without a bug is the row whose `bug` is `none`.

    Args:
        bugs: kinds of broken backward pass that are tried.
        examples: of the training data, from 1.
    """

    name = "bug_hunt"
    needs_model = True

    def __init__(self, bugs: Sequence[str] = tuple(BUGS), count: int = 20, examples: int = 32) -> None:
        self.bugs = check_names("probe.bugs", bugs, list(BUGS))
        self.count = check_whole("probe.count", count)
        self.examples = check_whole("probe.examples", examples)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        objective, inputs = self.require(subject).loss(seed, self.examples, torch.device("cpu"))
        own = [layer.name for layer in list_layers(objective)]
        cases = [(NONE, ""), *((bug, layer) for bug in self.bugs for layer in own)]
        rows = [self.row(objective, inputs, bug, layer, seed) for bug, layer in cases]
        broken = rows[1:]
        metrics = {
            "false_alarms": float(rows[0]["wrong_layers"]),
            "bugs": float(len(broken)),
            "found": float(sum(row["found"] for row in broken)),
            "located": float(sum(row["located"] for row in broken)),
        }
        report = [f"{r['bug']:<8}{r['layer']:<24}error {r['error']:.1e}   named: {r['named'] or '–'}" for r in rows]
        return Findings([*rows], metrics, report=report)

    def row(self, objective: nn.Module, inputs: tuple[Any, ...], bug: str, layer: str, seed: int) -> dict[str, Any]:
        with nullcontext() if bug == NONE else inject(objective, inputs, layer, bug):
            checks = check_gradients(objective, inputs, count=self.count, seed=seed)
            wrong = [check for check in checks if check.wrong]
            named = find_culprits(objective, inputs, checks, seed=seed) if wrong else []
        return {
            "bug": bug, "layer": shorten(layer) if layer else "", "error": max(check.error for check in checks),
            "found": int(bool(wrong)), "wrong_layers": len(wrong), "named": " ".join(map(shorten, named)),
            "located": int(bool(wrong) and named == [layer]),
        }  # fmt: skip
