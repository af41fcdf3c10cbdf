"""`probeta exercise N`: run the study of an exercise, or of all, and write their pages and the index."""

from __future__ import annotations

import sys
from pathlib import Path

from probeta.errors import ConfigError

USAGE = """usage: probeta exercise N [N …] [lang=es] [key=value …]
       probeta exercise all [lang=es]

Runs the study of exercise N (what is done already is skipped), and writes its page, report.html and
report.es.html, into outputs/exercises/, and index.html beside it. lang says in which language the summary is
printed. Every key of the study can be set, but then its page is about another experiment.
"""


def main(argv: list[str]) -> int:
    """Returns the exit status: 1 where jobs failed. Raises `ConfigError` for an exercise that does not exist."""
    if not argv or {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        if argv:
            return 0
        raise ConfigError("N is missing: probeta exercise N, or probeta exercise all")
    asked, overrides = [a for a in argv if "=" not in a], [a for a in argv if "=" in a]
    from probeta.exercises import commands

    known = commands()
    numbers = list(known) if asked == ["all"] else [parse_number(a, known) for a in asked]
    failed = [n for n in numbers if run_study(known[n], [f"study=exercise_{n:02d}", *overrides])]
    from probeta.composition.app import find_value
    from probeta.exercises.index import write_index

    print(f"index: {write_index(Path(find_value(overrides, 'output_dir') or 'outputs/exercises'))}")
    if failed:
        print(f"jobs failed in: {', '.join(map(str, failed))}; the same command tries them again", file=sys.stderr)
    return int(bool(failed))


def parse_number(text: str, known: dict[int, str]) -> int:
    if not text.isdigit() or int(text) not in known:
        raise ConfigError.value("N", text, f"all, or one of {', '.join(map(str, known))}")
    return int(text)


def run_study(command: str, argv: list[str]) -> bool:
    """Run a study in this process; whether some of its jobs failed."""
    import importlib

    from probeta.sweeps.errors import SweepFailed

    try:
        return bool(importlib.import_module(f"probeta.commands.{command}").main(argv))
    except SweepFailed:
        return True
