"""`probeta report DIR`: the tables and the page of a sweep (or of one run), at any time, from files only."""

from __future__ import annotations

from probeta.errors import ConfigError

USAGE = """usage: probeta report DIR

Writes summary.csv, groups.csv, summary.md and report.html into the sweep's folder DIR (or one run's),
from what its runs have written so far, and prints the summary.
"""


def main(argv: list[str]) -> int:
    """Returns the exit status. Raises `UserError` where DIR holds no runs."""
    if not argv or {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        if argv:
            return 0
        raise ConfigError("DIR is missing: probeta report DIR")
    if len(argv) > 1:
        raise ConfigError(f"{argv[1]} is not accepted: probeta report takes one folder")
    from probeta.report import write_report

    written = write_report(argv[0])
    print(written.text)
    print(f"page: {written.page}")
    return 0
