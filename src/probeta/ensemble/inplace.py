"""Fewer bytes through a recorded step: identities left out, results written where an input is needed no more.

The intermediate tensors of an ensemble are what fills the caches; writing `relu(x)` over `x` halves them and
changes no bit.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch.fx import GraphModule, Node

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
}
COMMUTES = {aten.add.Tensor, aten.mul.Tensor}
OUT = {
    aten.threshold_backward.default: aten.threshold_backward.grad_input,
    aten.tanh_backward.default: aten.tanh_backward.grad_input,
    aten.sigmoid_backward.default: aten.sigmoid_backward.grad_input,
}
"""Backward formulas that are elementwise in their first argument, which then may be their output too."""


def simplify(graph: GraphModule) -> GraphModule:
    """`graph` with the same results from less memory traffic."""
    drop_identities(graph)
    reuse(graph)
    graph.graph.lint()
    graph.recompile()
    return graph


def drop_identities(graph: GraphModule) -> None:
    """`x * 1`, `detach`, and views that change nothing: vmap and autograd leave many behind."""
    outputs = set(next(n for n in graph.graph.nodes if n.op == "output").all_input_nodes)
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or not isinstance(node.args[0] if node.args else None, Node):
            continue
        source = node.args[0]
        same_shape = meta(node) is not None and meta(node) == meta(source)
        times_one = node.target is aten.mul.Scalar and node.args[1] == 1
        same = node.target in (aten.view.default, aten.expand.default, aten._unsafe_view.default) and same_shape
        if (times_one or same or node.target is aten.detach.default) and node not in outputs:
            node.replace_all_uses_with(source)
            graph.graph.erase_node(node)


def meta(node: Any) -> tuple[Any, ...] | None:
    """Shape, dtype and strides of what `node` makes, where that is one tensor."""
    value = node.meta.get("val") if isinstance(node, Node) else None
    return (tuple(value.shape), value.dtype, value.stride()) if isinstance(value, torch.Tensor) else None


def reuse(graph: GraphModule) -> None:
    """Write elementwise results over an input that owns its memory and that nothing reads afterwards."""
    memory = Memory(list(graph.graph.nodes))
    for node in memory.nodes:
        if node.op != "call_function" or node.target not in (*IN_PLACE, *OUT):
            continue
        candidates = [0, 1] if node.target in COMMUTES and len(node.args) == 2 and not node.kwargs else [0]
        for which in candidates:
            source = node.args[which]
            if not isinstance(source, Node) or not memory.free(source, node):
                continue
            if node.target in OUT:
                node.kwargs = {**node.kwargs, "grad_input": source}
                node.target = OUT[node.target]
            else:
                node.target = IN_PLACE[node.target]
                node.args = (source, *(a for i, a in enumerate(node.args) if i != which))
            memory.merge(node, source)
            break


class Memory:
    """Which node allocated what each node holds, and who reads that last."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.place = {node: i for i, node in enumerate(nodes)}
        self.owner: dict[Node, Node | None] = {}
        self.last: dict[Node, int] = {}
        for node in nodes:
            self.owner[node] = self.root(node)
            for used in node.all_input_nodes:
                if (own := self.owner.get(used)) is not None:
                    self.last[own] = self.place[node]

    def root(self, node: Node) -> Node | None:
        """`node` itself, the owner of what it is a view of, or `None` for inputs and whatever is not known."""
        if node.op != "call_function":
            return None
        first = node.args[0] if node.args else None
        behind = self.owner.get(first) if isinstance(first, Node) else None
        if node.target is operator.getitem or node.target is aten._unsafe_view.default:
            return behind
        if not isinstance(node.target, torch._ops.OpOverload):
            return None
        returns = node.target._schema.returns
        if any(r.alias_info is not None for r in returns):
            return behind
        return node if len(returns) == 1 and meta(node) is not None else None

    def free(self, source: Node, user: Node) -> bool:
        """Whether `user` may write its result into `source`."""
        own = self.owner.get(source)
        if own is None or self.last.get(own) != self.place[user]:
            return False
        mine, whole = meta(source), meta(own)
        if mine is None or whole is None or mine != meta(user) or math.prod(mine[0]) != math.prod(whole[0]):
            return False
        return sum(self.owner.get(n) is own for n in user.all_input_nodes) == 1 and user.args.count(source) == 1

    def merge(self, node: Node, source: Node) -> None:
        """`node` now lives in the memory of `source`."""
        own, mine = self.owner[source], self.owner[node]
        assert own is not None
        for other, held in self.owner.items():
            if held is mine:
                self.owner[other] = own
        self.last[own] = max(self.last[own], self.last.get(mine, -1) if mine is not None else -1)
