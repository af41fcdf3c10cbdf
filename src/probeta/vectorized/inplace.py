"""Fewer bytes through a recorded step: identities left out, results written where an input is needed no more.

The intermediate tensors of an ensemble are what fills the caches; writing `relu(x)` over `x` halves them and
changes no bit.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from probeta.vectorized.graph import Operation, Slot, Tape, mapped

aten = torch.ops.aten

IN_PLACE = {
    aten.relu.default: aten.relu_.default,
    aten.add.Tensor: aten.add_.Tensor,
    aten.mul.Tensor: aten.mul_.Tensor,
    aten.sub.Tensor: aten.sub_.Tensor,
    aten.div.Tensor: aten.div_.Tensor,
    aten.tanh.default: aten.tanh_.default,
    aten.sigmoid.default: aten.sigmoid_.default,
    aten.neg.default: aten.neg_.default,
    aten.exp.default: aten.exp_.default,
    aten.reciprocal.default: aten.reciprocal_.default,
}
COMMUTES = {aten.add.Tensor, aten.mul.Tensor}
OUT = {
    aten.threshold_backward.default: aten.threshold_backward.grad_input,
    aten.tanh_backward.default: aten.tanh_backward.grad_input,
    aten.sigmoid_backward.default: aten.sigmoid_backward.grad_input,
}
"""Backward formulas that are elementwise in their first argument, which then may be their output too."""

RESHAPES = (aten.view.default, aten.expand.default, aten._unsafe_view.default)


def simplify(tape: Tape) -> Tape:
    """The same results from fewer operations and less memory."""
    drop_identities(tape)
    drop_unused(tape)
    Memory(tape).reuse()
    return tape


def drop_identities(tape: Tape) -> None:
    """`x * 1`, `detach`, and views that change nothing: vmap and autograd leave many behind."""
    same: dict[Any, Any] = {}
    kept = []
    for operation in tape.operations:
        change = lambda leaf: same.get(leaf, leaf) if isinstance(leaf, Slot) else leaf  # noqa: E731
        operation.args, operation.kwargs = mapped(change, operation.args), mapped(change, operation.kwargs)
        source = operation.args[0] if operation.args else None
        made = operation.result
        if isinstance(source, Slot) and isinstance(made, Slot) and identity(tape, operation, source, made):
            same[made] = source
        else:
            kept.append(operation)
    tape.operations = kept
    tape.outputs = [same.get(slot, slot) for slot in tape.outputs]


def identity(tape: Tape, operation: Operation, source: Slot, made: Slot) -> bool:
    function = operation.function
    if function is aten.detach.default:
        return True
    if tape.layouts[source] != tape.layouts[made]:
        return False
    # What was multiplied by one may not become an output that is an input: the caller keeps those apart.
    times_one = function is aten.mul.Scalar and operation.args[1] == 1 and made not in tape.outputs
    return times_one or function in RESHAPES


def mutates(operation: Operation) -> bool:
    schema = getattr(operation.function, "_schema", None)
    # Batch norm writes its running statistics without saying so.
    return schema is None or schema.is_mutable or "batch_norm" in schema.name


def drop_unused(tape: Tape) -> None:
    """Leave out what nothing reads."""
    needed = set(tape.outputs)
    kept = []
    for operation in reversed(tape.operations):
        if mutates(operation) or any(slot in needed for slot in operation.makes()):
            needed.update(operation.reads())
            kept.append(operation)
    tape.operations = kept[::-1]


class Memory:
    """Which slot allocated what each slot holds, and which operation reads that last."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.owner: dict[Slot, Slot | None] = dict.fromkeys(tape.inputs)
        self.last: dict[Slot, int] = {}
        for i, operation in enumerate(tape.operations):
            for slot in operation.makes():
                self.owner[slot] = self.root(operation, slot)
            for slot in (*operation.reads(), *operation.makes()):
                if (own := self.owner.get(slot)) is not None:
                    self.last[own] = i
        for slot in tape.outputs:
            if (own := self.owner.get(slot)) is not None:
                self.last[own] = len(tape.operations)

    def root(self, operation: Operation, slot: Slot) -> Slot | None:
        """`slot` itself, the owner of what it is a view of, or `None` for whatever is not known."""
        if slot in self.owner:
            return self.owner[slot]
        first = operation.args[0] if operation.args else None
        behind = self.owner.get(first) if isinstance(first, Slot) else None
        schema = getattr(operation.function, "_schema", None)
        if operation.function is aten._unsafe_view.default:
            return behind
        if schema is None or any(r.alias_info is not None for r in schema.returns):
            return behind
        return slot if isinstance(operation.result, Slot) else None

    def reuse(self) -> None:
        """Write elementwise results over an input that owns its memory and that nothing reads afterwards."""
        for i, operation in enumerate(self.tape.operations):
            function = operation.function
            if function not in IN_PLACE and function not in OUT:
                continue
            either = function in COMMUTES and len(operation.args) == 2 and not operation.kwargs
            for which in (0, 1) if either else (0,):
                source = operation.args[which]
                if isinstance(source, Slot) and self.free(source, operation, i):
                    self.merge(operation.result, source)
                    if function in OUT:
                        operation.function = OUT[function]
                        operation.kwargs = {**operation.kwargs, "grad_input": source}
                    else:
                        operation.function = IN_PLACE[function]
                        others = [a for j, a in enumerate(operation.args) if j != which]
                        operation.args = (source, *others)
                    break

    def free(self, source: Slot, operation: Operation, i: int) -> bool:
        """Whether the operation may write its result into `source`."""
        own = self.owner.get(source)
        if own is None or self.last.get(own) != i or not isinstance(operation.result, Slot):
            return False
        layouts = self.tape.layouts
        if layouts[source] != layouts[operation.result]:
            return False
        if math.prod(layouts[source].shape) != math.prod(layouts[own].shape):
            return False
        return sum(self.owner.get(slot) == own for slot in operation.reads()) == 1

    def merge(self, made: Slot, source: Slot) -> None:
        """`made` now lives in the memory of `source`."""
        own, mine = self.owner[source], self.owner[made]
        assert own is not None
        if mine is None:
            return
        for slot, held in self.owner.items():
            if held == mine:
                self.owner[slot] = own
        self.last[own] = max(self.last[own], self.last.get(mine, -1))
