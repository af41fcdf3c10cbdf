"""64 members of the notebook's moons net trained as ensembles, over 64 fits of a bare torch loop.

Both sides train 200 epochs, full batch, and measure loss and accuracy on validation after each; neither logs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from probeta.vectorized.chunk_size import choose_chunk_size
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.processes import processes, run_in_processes, share_out
from probeta.vectorized.program import Program
from probeta.vectorized.train_jobs import MemberBuilder
from tests.vectorized.runs import changed, tree_of

RUNS, EPOCHS, REPEATS = 64, 200, 3
PLAIN = 4
"""Plain loops a round: they cost the same each, so a few stand for all 64."""
RATES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)


def trees(runs: int, epochs: int = EPOCHS) -> list[dict[str, Any]]:
    """Eight learning rates by as many seeds as it takes; nothing stops early."""
    base = changed(
        tree_of("experiment=moons_mlp"),
        {"trainer.max_epochs": epochs, "callbacks": {"learning_rate": None, "gradient_norm": None}},
    )
    base["callbacks"] = None
    return [changed(base, {"seed": i // 8, "optimizer.lr": RATES[i % 8]}) for i in range(runs)]


def members(settings: list[dict[str, Any]]) -> list[Any]:
    build = MemberBuilder()
    return [build.make(tree) for tree in settings]


def fit_together(settings: list[dict[str, Any]]) -> tuple[float, int]:
    """Seconds of the fit (building left out; starting processes and measuring the chunk included), and the chunk."""
    built = members(settings)
    device = torch.device("cpu")
    sizes: list[int] = []

    def work(share: list[list[Any]], tell: Callable[[int], None], check: Callable[[], None]) -> None:
        for group in share:
            size = choose_chunk_size(group, device)
            program = Program()
            for start in range(0, len(group), size):
                Ensemble(group[start : start + size], device, program).fit(check)
            tell(size)

    started = time.perf_counter()
    run_in_processes(share_out([built], processes()), work, sizes.append)
    return time.perf_counter() - started, max(sizes)


def plain_loop(splits: Any, lr: float, epochs: int = EPOCHS) -> float:
    """Seconds of the loop that anyone would write."""
    (x, y), (x_val, y_val) = splits["train"], splits["val"]
    net = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    started = time.perf_counter()
    for _ in range(epochs):
        net.train()
        logits = net(x)
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        (logits.argmax(1) == y).float().mean().item()
        net.eval()
        with torch.no_grad():
            logits = net(x_val)
            F.cross_entropy(logits, y_val).item()
            (logits.argmax(1) == y_val).float().mean().item()
    return time.perf_counter() - started


def run() -> dict[str, Any]:
    settings = trees(RUNS)
    splits = members(settings[:1])[0].data.splits
    together, alone, sizes = [], [], []
    plain_loop(splits, 0.1, 20)
    fit_together(trees(8, 20))
    for _ in range(REPEATS):
        seconds, size = fit_together(settings)
        together.append(seconds)
        sizes.append(size)
        alone.append(RUNS / PLAIN * sum(plain_loop(splits, RATES[i]) for i in range(PLAIN)))
    a, b = statistics.median(together), statistics.median(alone)
    return {
        "name": "vectorized_fit",
        "ratio": a / b,
        "a": a,
        "b": b,
        "unit": "s",
        "target": "<= 0.5",
        "note": f"{RUNS} runs in {processes()} processes, chunks of {sizes}",
    }
