"""A function of tensors as the list of operations that it came down to, and that list as a Python function.

What arrives here has passed vmap and autograd: plain operations on whole tensors, backward pass included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Slot(NamedTuple):
    """The place of a tensor on the tape."""

    number: int


class Layout(NamedTuple):
    shape: tuple[int, ...]
    dtype: torch.dtype
    stride: tuple[int, ...]


@dataclass
class Operation:
    function: Any
    args: tuple[Any, ...]
    """With `Slot`s in place of tensors that were made on the way."""
    kwargs: dict[str, Any]
    result: Any
    """A `Slot`, a list of them, or `None`."""

    def reads(self) -> Iterator[Slot]:
        yield from slots((self.args, self.kwargs))

    def makes(self) -> Iterator[Slot]:
        yield from slots(self.result)


def slots(tree: Any) -> Iterator[Slot]:
    if isinstance(tree, Slot):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from slots(item)
    elif isinstance(tree, dict):
        yield from slots(list(tree.values()))


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with every leaf changed; a `Slot` is a leaf."""
    if isinstance(tree, (list, tuple)) and not isinstance(tree, (Slot, torch.Size)):
        return type(tree)(mapped(change, item) for item in tree)
    if isinstance(tree, dict):
        return {key: mapped(change, item) for key, item in tree.items()}
    return change(tree)


class Tape(TorchDispatchMode):
    """Inside, every operation is noted as it is carried out."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.layouts: dict[Slot, Layout] = {}
        self.kept: list[Tensor] = []
        """All tensors seen, so that no id is used twice."""
        self.known: dict[int, Slot] = {}
        self.inputs = [self._slot(t) for t in inputs]
        self.outputs: list[Slot] = []

    def _slot(self, tensor: Any) -> Any:
        if not isinstance(tensor, Tensor):
            return tensor
        slot = self.known[id(tensor)] = self.known.get(id(tensor)) or Slot(len(self.kept))
        if slot.number == len(self.kept):
            self.kept.append(tensor)
            self.layouts[slot] = Layout(tuple(tensor.shape), tensor.dtype, tensor.stride())
        return slot

    def _seen(self, leaf: Any) -> Any:
        # What was not made on the way is a constant.
        return self.known.get(id(leaf), leaf) if isinstance(leaf, Tensor) else leaf

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        note = (mapped(self._seen, args), mapped(self._seen, kwargs or {}))
        self.operations.append(Operation(func, *note, mapped(self._slot, found)))
        return found


def record(function: Callable[..., list[Tensor]], inputs: Sequence[Tensor]) -> Tape:
    """The tape of `function(*inputs)`, which is carried out on copies: what it writes in place stays here."""
    copies = [t.clone() for t in inputs]
    tape = Tape(copies)
    with tape:
        found = function(*copies)
    tape.outputs = [tape.known[id(t)] for t in found]
    return tape


def compiled(tape: Tape) -> Callable[..., list[Tensor]]:
    """The tape as a function that forgets every tensor after its last use."""
    last: dict[Slot, int] = {}
    for i, operation in enumerate(tape.operations):
        last.update(dict.fromkeys([*operation.reads(), *operation.makes()], i))
    for slot in tape.outputs:
        last[slot] = len(tape.operations)
    names: dict[str, Any] = {}

    def text(leaf: Any) -> str:
        if isinstance(leaf, Slot):
            return f"t{leaf.number}"
        if isinstance(leaf, (list, tuple)) and not isinstance(leaf, torch.Size):
            inner = "".join(f"{text(item)}, " for item in leaf)
            return f"[{inner}]"
        if leaf is None or isinstance(leaf, (bool, int)):
            return repr(leaf)
        name = f"c{len(names)}"
        names[name] = leaf
        return name

    lines = [f"def replay({', '.join(text(s) for s in tape.inputs)}):"]
    for i, operation in enumerate(tape.operations):
        args = [*(text(a) for a in operation.args), *(f"{k}={text(v)}" for k, v in operation.kwargs.items())]
        call = f"{text(operation.function)}({', '.join(args)})"
        made = "" if operation.result is None else f"{text(operation.result)} = ".replace("None", "_")
        lines.append(f"    {made}{call}")
        gone = [s for s in dict.fromkeys([*operation.reads(), *operation.makes()]) if last[s] == i]
        if gone:
            lines.append(f"    {' = '.join(text(s) for s in gone)} = None")
    lines.append(f"    return {text(tape.outputs)}")
    exec(compile("\n".join(lines), "<recorded step>", "exec"), names)
    replay: Callable[..., list[Tensor]] = names["replay"]
    return replay
