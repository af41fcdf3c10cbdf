"""A step as a `torch.fx` graph of plain operations on whole tensors, backward pass included, made into a function.

What is recorded here has passed vmap and autograd. fx drops what nobody reads, forgets every tensor after its last
use, and writes the Python. Recording and the reuse of memory are ours, for want of better (`tests/benchmarks/graph.py`
compares them):

- `make_fx` records the same graph, but takes 0.7 to 1 ms per operation, five to ten times as long as `Recorder`: 2 s
  for the step of a small recurrent translator, for every shape and every chunk size that is tried;
- `torch.fx.passes.reinplace` overwrites the first argument alone, never with `out=`, and does not compare strides, on
  which the order of a sum depends.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_aggregate
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

OVERWRITING: dict[Any, tuple[Any, str | None]] = {
    aten.add.Tensor: (aten.add.out, "out"),
    aten.sub.Tensor: (aten.sub.out, "out"),
    aten.mul.Tensor: (aten.mul.out, "out"),
    aten.div.Tensor: (aten.div.out, "out"),
    aten.neg.default: (aten.neg.out, "out"),
    aten.exp.default: (aten.exp.out, "out"),
    aten.reciprocal.default: (aten.reciprocal.out, "out"),
    aten.relu.default: (aten.relu_.default, None),  # `relu.out` would compute elsewhere, and copy
    aten.tanh.default: (aten.tanh.out, "out"),
    aten.tanh_backward.default: (aten.tanh_backward.grad_input, "grad_input"),
    aten.sigmoid_backward.default: (aten.sigmoid_backward.grad_input, "grad_input"),
    aten.threshold_backward.default: (aten.threshold_backward.grad_input, "grad_input"),
}
"""Elementwise operation → the same one into given memory, and the argument that names it (in place: none)."""


def compile_graph(function: Callable[..., list[Tensor]], inputs: Sequence[Tensor]) -> Callable[..., list[Tensor]]:
    """`function(*inputs)` as it came down to operations, for tensors of the same shapes: the same bits, sooner.

    It is carried out once, on copies of `inputs`: what it writes in place stays here. Its operations must not depend
    on the numbers in them.
    """
    copies = [t.clone() for t in inputs]
    recorder = Recorder(copies)
    with recorder:
        outputs = function(*copies)
    graph = recorder.finish(outputs)
    drop_identities(graph, recorder.tensors)
    graph.eliminate_dead_code(mutates)
    reuse_memory(graph, recorder.tensors)
    replay: Callable[..., list[Tensor]] = GraphModule(recorder.constants, graph).forward
    return replay


class Recorder(TorchDispatchMode):
    """Inside, every operation becomes a node of `graph` as it is carried out."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.graph = Graph()
        self.tensors: dict[Node, Tensor] = {}
        """All tensors seen, so that no id and no address is used twice."""
        self.nodes: dict[int, Node] = {}
        """By the id of the tensor."""
        self.constants: dict[str, Tensor] = {}
        for i, tensor in enumerate(inputs):
            self._note(self.graph.placeholder(f"input_{i}"), tensor)

    def _note(self, node: Node, result: Any) -> None:
        if isinstance(result, Tensor):
            self.tensors[node] = result
            self.nodes.setdefault(id(result), node)
        elif isinstance(result, (list, tuple)):
            for i, item in enumerate(result):
                if item is not None:
                    self._note(self.graph.call_function(operator.getitem, (node, i)), item)

    def _node(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) not in self.nodes:  # what was not made on the way is a constant
            name = f"constant_{len(self.constants)}"
            self.constants[name] = leaf
            self._note(self.graph.get_attr(name), leaf)
        return self.nodes[id(leaf)]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        read: Any = map_aggregate((args, kwargs or {}), self._node)
        self._note(self.graph.call_function(func, *read), result)
        return result

    def finish(self, outputs: Sequence[Tensor]) -> Graph:
        self.graph.output([self._node(t) for t in outputs])
        return self.graph


def mutates(node: Node) -> bool:
    """Whether the node does more than return; batch norm writes its running statistics without saying so."""
    return node.is_impure() or "batch_norm" in str(node.target)


def drop_identities(graph: Graph, tensors: dict[Node, Tensor]) -> None:
    """`x * 1`, `detach`, and views that change nothing: vmap and autograd leave many behind."""
    outputs = graph.output_node().all_input_nodes
    for node in list(graph.nodes):
        source = node.args[0] if node.args else None
        if not (isinstance(source, Node) and {node, source} <= tensors.keys()) or mutates(node):
            continue
        made, read = tensors[node], tensors[source]
        # What was multiplied by one may not become an output that is an input: the caller keeps those apart.
        times_one = node.target is aten.mul.Scalar and node.args[1] == 1 and node not in outputs
        if have_same_layout(made, read) and (times_one or made.data_ptr() == read.data_ptr()):
            node.replace_all_uses_with(source)
            graph.erase_node(node)


def have_same_layout(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.stride() == b.stride() and a.dtype == b.dtype


def reuse_memory(graph: Graph, tensors: dict[Node, Tensor]) -> None:
    """Write elementwise results over an argument that nothing reads afterwards.

    The intermediate tensors of an ensemble are what fills the caches; `relu(x)` over `x` halves them and changes no
    bit.
    """
    memory = {node: tensor.untyped_storage().data_ptr() for node, tensor in tensors.items()}
    last: dict[int, float] = {}
    """Memory → the place of the last node that touches it; the caller's is never free."""
    for i, node in enumerate(graph.nodes):
        place = i if node.op == "call_function" else math.inf
        for touched in (node, *node.all_input_nodes):
            if touched in memory:
                last[memory[touched]] = max(place, last.get(memory[touched], 0))
    moved: dict[int, int] = {}

    def home(node: Node) -> int:
        address = memory[node]
        while address in moved:
            address = moved[address]
        return address

    for i, node in enumerate(graph.nodes):
        if node.target not in OVERWRITING:
            continue
        homes = [home(read) for read in node.all_input_nodes]
        for read, address in zip(node.all_input_nodes, homes, strict=True):
            once = last[address] == i and homes.count(address) == 1  # not by way of another view, too
            if once and have_same_layout(tensors[read], tensors[node]):
                moved[memory[node]] = address
                last[address] = last[memory[node]]
                node.target, keyword = OVERWRITING[node.target]
                if keyword:
                    node.kwargs = {**node.kwargs, keyword: read}
                break
