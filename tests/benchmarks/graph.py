"""A training step of 16 members of the moons net: `vectorized.graph` over `make_fx`, for recording and for calling.

With the graph of `make_fx` as it is, `vectorized_fit` takes 1.36 times as long; rid of identities and with its memory
reused, 1.03 times. `graph_call` was 0.71 to 0.82 (1.00 with the same passes), `graph_record` 0.15 to 0.26; for a
step of toy_seq2seq_attn (1,857 operations), recording took 2.0 s against 0.23 s.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from probeta.vectorized import program
from probeta.vectorized.graph import compile_graph
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.program import Function, Program
from tests.benchmarks.vectorized_fit import members, trees

MEMBERS, ROUNDS, CALLS = 16, 40, 8


def recorded_step() -> tuple[Function, list[Tensor]]:
    """The function that `Program` records for a training step, and the tensors it is recorded with."""
    with mock.patch.object(program, "compile_graph", wraps=compile_graph) as spy:
        Ensemble(members(trees(MEMBERS, 1)), program=Program(patience=0)).step(0, 0, 0)
    function, inputs = spy.call_args.args
    return function, inputs


def trace(function: Function, inputs: Sequence[Tensor]) -> Function:
    replay: Function = make_fx(function)(*[t.clone() for t in inputs]).forward
    return replay


def repeat(replay: Function, inputs: Sequence[Tensor]) -> None:
    for _ in range(CALLS):
        replay(*inputs)


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def row(name: str, a: Sequence[float], b: Sequence[float], note: str) -> dict[str, Any]:
    mine, theirs = 1e3 * statistics.median(a), 1e3 * statistics.median(b)
    return {"name": name, "ratio": mine / theirs, "a": mine, "b": theirs, "unit": "ms", "note": note}


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    function, inputs = recorded_step()
    ours, theirs = compile_graph(function, inputs), trace(function, inputs)
    calls: tuple[list[float], list[float]] = ([], [])
    records: tuple[list[float], list[float]] = ([], [])
    with torch.no_grad():
        for _ in range(ROUNDS):
            for replay, times in ((ours, calls[0]), (theirs, calls[1])):
                replay(*inputs)
                times.append(seconds(partial(repeat, replay, inputs)) / CALLS)
    for _ in range(5):
        records[0].append(seconds(partial(compile_graph, function, inputs)))
        records[1].append(seconds(partial(trace, function, inputs)))
    return [
        row("graph_call", calls[0], calls[1], "one call of the recorded step"),
        row("graph_record", records[0], records[1], "recording it"),
    ]
