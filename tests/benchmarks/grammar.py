"""How fast the grammar makes pairs: against 50,000 a second, and against making them one at a time."""

from __future__ import annotations

import statistics
import time
from typing import Any

import probeta.data.grammar.generator as generator
from probeta.data.grammar.generator import Grammar

TARGET = 50_000
"""Pairs a second on one core, alignments included."""


def run() -> list[dict[str, Any]]:
    """Processor time, since other work on the machine must not count; chunk 0 compiles the tables."""
    grammar = Grammar()
    grammar.chunk(0, 42)
    whole, single = [], []
    for repeat in range(1, 8):
        whole.append(_rate(grammar, repeat, generator.CHUNK, 1))
        single.append(_rate(grammar, repeat, 1, 50))
    fast, slow = statistics.median(whole), statistics.median(single)
    return [
        {
            "name": "grammar",
            "ratio": fast / TARGET,
            "a": fast,
            "b": TARGET,
            "unit": "pairs/s over the target",
            "target": 1.0,
            "note": "words as ids and gold links, one core, processor time, median of 7",
        },
        {
            "name": "grammar_vectorized",
            "ratio": fast / slow,
            "a": fast,
            "b": slow,
            "unit": "pairs/s",
            "target": 100.0,
            "note": f"chunks of {generator.CHUNK} derivations over the same code with one at a time",
        },
    ]


def _rate(grammar: Grammar, number: int, size: int, repeats: int) -> float:
    """Pairs a second of processor time in chunks of `size`."""
    usual, generator.CHUNK = generator.CHUNK, size
    try:
        start, pairs = time.process_time(), 0
        for repeat in range(repeats):
            pairs += len(grammar.chunk(number, repeat))
        return pairs / (time.process_time() - start)
    finally:
        generator.CHUNK = usual
