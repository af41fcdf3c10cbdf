"""What a sweep prints while it runs: how long it takes, and a line for each job, or a table at a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from probeta.runs.record import headline
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.progress import (
    Progress,
    State,
    add_seconds,
    count_workers,
    describe_duration,
    describe_time_left,
    expect,
)
from probeta.sweeps.question import Definition, phrase
from probeta.sweeps.retries import Ended

if TYPE_CHECKING:
    from probeta.report.language import Language

FIRST_SECONDS = 5.0
"""Of training, after which it is told how long the rest takes."""


class Teller:
    """Says in the language `lang` how the sweep of `definition` goes on."""

    def __init__(self, lang: str, definition: Definition, progress: Progress) -> None:
        self.lang, self.definition, self.progress = lang, definition, progress
        self.has_table = False
        self.told_length = False
        self.ended = 0
        """Jobs since the last launch."""

    @cached_property
    def language(self) -> Language:
        from probeta.report.language import Language

        return Language(self.lang)

    def tell(self, message: str, **parts: Any) -> None:
        """A line in the reader's language."""
        print(self.language.tell(phrase(message, **parts)), flush=True)

    @contextmanager
    def watch(self, jobs: Sequence[SweepJob]) -> Iterator[None]:
        """Inside, `jobs` are launched: a table shows it where the output is a terminal."""
        self.progress.begin(jobs)
        self.ended = 0
        if not is_terminal():
            yield
            return
        from probeta.sweeps.live import show  # rich

        self.has_table = True
        try:
            with show(self.progress, self.language):
                yield
        finally:
            self.has_table = False

    def tell_length(self, jobs: Sequence[SweepJob], earlier: dict[str, list[float]], launcher: Any) -> None:
        """How long `jobs` take, once, as far as it is known before they start.

        Args:
            earlier: variant → seconds of its runs that are repeated; those that are kept are added.
            launcher: that they go to.
        """
        if self.told_length:
            return
        for ended in list(self.progress.ended.values()):
            add_seconds(earlier, ended.job, ended.result)
        workers = count_workers(launcher)
        seconds = None if workers is None else expect(jobs, earlier, workers)
        self.told_length = seconds is not None
        if seconds is not None:
            told = describe_duration(seconds, self.language)
            self.tell("about {time} by the runs that are here, {n} at a time", time=told, n=workers)
        elif self.definition.question and len(jobs) > 1:
            self.tell("how long it takes is told once the first have run for a while")

    def hear(self, states: Sequence[State]) -> None:
        """What a launcher tells of jobs that run."""
        self.progress.hear(states)
        spent = self.progress.clock() - self.progress.began
        if self.has_table or self.told_length or spent < FIRST_SECONDS or all(state.epochs < 1 for state in states):
            return
        self.told_length = True
        if (left := self.progress.left()) is not None and left >= FIRST_SECONDS:
            self.tell("about {time} left by the first epochs", time=describe_duration(left, self.language))

    def tell_ended(self, ended: Ended) -> None:
        """A line for a job that has ended; of one that is completed not where the table counts it."""
        self.ended += 1
        if self.has_table and ended.completed:
            return
        say, number = self.language.say, self.language.number
        if ended.completed:
            from probeta.metrics.direction import choose_leading

            metrics = ended.result.get("metrics") or {}
            names = [m for m in self.definition.metrics if m in metrics] or choose_leading(metrics)
            told = ", ".join(f"{name} {number(metrics[name])}" for name in names[:3])
            seconds = self.language.decimals(ended.result.get("duration_s", 0), 1)
            text = f"{say('completed')} {ended.job.name}: {seconds} s  {told}"
        else:
            text = f"{say(str(ended.result.get('status'))).upper()} {ended.job.name}: {headline(ended.error)}"
        progress = self.progress
        spent = progress.clock() - progress.began
        left = describe_time_left(spent, self.ended, len(progress.launched), self.language)
        print(f"{len(progress.ended)}/{len(progress.jobs)} {text}{left}", flush=True)


def is_terminal() -> bool:
    """Whether this process writes to a terminal on which lines can be taken back."""
    try:
        ours = sys.stdout.fileno() == 1 and os.isatty(1)
    except (AttributeError, OSError, ValueError):
        return False  # a notebook's, or none
    return ours and os.name == "posix" and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
