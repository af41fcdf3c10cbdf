"""Memory of `data=parallel_text` on a large corpus over a small one: a generated text, one process each."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

LARGE, SMALL = 3_000_000, 30_000


def generate(folder: Path, lines: int) -> None:
    """Two files of `lines` lines, 12 words on average from 30,000, with a Zipf-like distribution."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(30_000)])
    for side in ("aa", "bb"):
        with (folder / f"train.{side}").open("w", encoding="utf-8") as stream:
            for start in range(0, lines, 50_000):
                lengths = rng.integers(4, 21, min(50_000, lines - start))
                ids = (len(words) * rng.random(int(lengths.sum())) ** 3).astype(int)
                ends = np.cumsum(lengths)
                tokens = words[ids].tolist()
                rows = (" ".join(tokens[end - n : end]) for end, n in zip(ends, lengths, strict=True))
                stream.write("\n".join(rows) + "\n")


def measure(root: str, tokens: str, batches: int) -> None:
    """Build, open and iterate; print what it took. Run in a process of its own."""
    import resource
    import time

    from probeta.data.parallel_text import ParallelTextData

    start = time.perf_counter()
    data = ParallelTextData(root, "aa", "bb", tokens=tokens, batch_tokens=4096, cache=f"{root}/cache")  # type: ignore[arg-type]
    data.setup()
    built = time.perf_counter() - start
    words, start = 0, time.perf_counter()
    for number, batch in enumerate(data.train_dataloader()):
        words += int((batch.target != 0).sum())
        if number == batches:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "peak_mb": peak,
                "build_s": built,
                "iterate_s": time.perf_counter() - start,
                "words": words,
                "pairs": len(data.pairs["train"]),
            }
        )
    )


def peak(lines: int, tokens: str = "whitespace", batches: int = 10_000_000) -> dict[str, Any]:
    """What building and one epoch over a generated corpus of `lines` pairs take."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), lines)
        command = [sys.executable, __file__, folder, tokens, str(batches)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def run() -> list[dict[str, Any]]:
    large, small = peak(LARGE), peak(SMALL)
    return [
        {
            "name": "text_memory",
            "ratio": large["peak_mb"] / small["peak_mb"],
            "a": large["peak_mb"],
            "b": small["peak_mb"],
            "unit": "MB, peak resident (mapped pages included)",
            "target": "a below 1000",
            "note": f"{LARGE:,} against {SMALL:,} pairs, built in {large['build_s']:.0f} s, "
            f"an epoch of batches in {large['iterate_s']:.0f} s",
        }
    ]


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
