"""`python -m tests.benchmarks [NAME …]`: run what is measured, print a table, write outputs/bench/<name>.json.

A benchmark is a module here with `run()`, which returns a dictionary or a list of them: `name`, `ratio`
(a over b, medians of alternating runs), `a`, `b`, `unit` and, where there is one, `target`.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
OUT = Path("outputs/bench")


def modules() -> list[str]:
    return sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    known = modules()
    if unknown := [name for name in wanted if name not in known]:
        print(f"unknown benchmark {unknown[0]!r}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    rows: list[dict[str, Any]] = []
    OUT.mkdir(parents=True, exist_ok=True)
    for name in wanted or known:
        found = importlib.import_module(f"tests.benchmarks.{name}").run()
        for row in found if isinstance(found, list) else [found]:
            (OUT / f"{row['name']}.json").write_text(json.dumps(row, indent=1) + "\n")
            rows.append(row)
    table = Table("benchmark", "ratio", "target", "a", "b", "unit", "what", header_style="bold")
    for row in rows:
        ratio = "–" if row.get("ratio") is None else f"{row['ratio']:.3g}"
        cells = [f"{row[k]:.4g}" if isinstance(row.get(k), float) else str(row.get(k, "")) for k in ("a", "b")]
        table.add_row(row["name"], ratio, str(row.get("target", "")), *cells, row.get("unit", ""), row.get("note", ""))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
