"""The page of one run: what ran, how large it is, how it scores on every split, and what it translated."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from probeta.report.answer import Cell, Table, text_cell
from probeta.report.language import Language
from probeta.runs.artifacts import join_tokens
from probeta.runs.command import choices, command, find_origin
from probeta.runs.identity import label_settings
from probeta.runs.row import RunRow
from probeta.runs.table import SweepRuns

SPLITS = ("train", "val", "test")
SCORES = ("loss", "loss_free", "acc", "bleu", "bleu_sentence", "chrf", "exact_match", "aer", "ece", "nll")
"""Metrics of a split, in the order of the table's columns."""

SENTENCES = 4
"""Of each split, whose translations are shown."""


def only_run(sweep: SweepRuns) -> RunRow | None:
    """The run whose directory this is; `None` where it is a sweep's."""
    [run, *others] = sweep.runs
    return run if not others and run.path == sweep.directory else None


def define_run(run: RunRow) -> dict[str, Any]:
    """What a sweep's definition would say: a title and the command."""
    chosen = choices(run)
    what = ", ".join(chosen[name] for name in ("probe", "data", "model") if name in chosen)
    return {"title": label_settings(run.settings) or what or run.name, "command": command(run)}


def explain_differences(origin: Mapping[str, Any], language: Language) -> list[str]:
    """Why a run that trained another further is not the one that its configuration makes at once; of most nothing."""
    say, n, told = language.say, origin["epochs"], []
    if origin.get("follows_length"):
        told.append(
            say("the schedule follows the length of the run; up to epoch {n} it was that of the shorter run", n=n)
        )
    if origin.get("measured_last"):
        told.append(say("epoch {n} was translated because it was the last", n=n))
    return told


def describe_run(run: RunRow, language: Language) -> list[tuple[str, str]]:
    """Name and value of what is known of the run beside its scores."""
    say, result = language.say, run.result
    told = [(say("configuration"), " ".join(f"{name}={option}" for name, option in choices(run).items()))]
    if (origin := find_origin(run)) is not None:
        where = say("{run}, after {n} epochs", run=origin["run"], n=origin["epochs"])
        told.append((say("trained further from"), where))
        told.append((say("not the run of all epochs at once"), "; ".join(explain_differences(origin, language))))
    if isinstance(result.get("parameters"), int):
        told.append((say("parameters"), language.whole(result["parameters"])))
    told.append((say("seed"), run.seed_label))
    if isinstance(result.get("duration_s"), int | float):
        told.append((say("seconds"), language.number(result["duration_s"])))
    own = {name: value for name, value in run.metrics.items() if name.partition("/")[0] not in SPLITS}
    told += [(language.metric(name), language.number(value)) for name, value in islice(own.items(), 40)]
    return [(name, value) for name, value in told if value]


def run_tables(run: RunRow, language: Language) -> list[Table]:
    """Scores by split, and translations."""
    return [table for table in (score_table(run, language), translation_table(run, language)) if table is not None]


def score_table(run: RunRow, language: Language) -> Table | None:
    """A row a split, a column a metric; `None` where the run has no splits."""
    names = [name for name in SCORES if any(f"{split}/{name}" in run.metrics for split in SPLITS)]
    if not names:
        return None
    rows = []
    for split in SPLITS:
        values = [run.metrics.get(f"{split}/{name}") for name in names]
        if any(value is not None for value in values):
            cells = [Cell("" if v is None else language.number(v), "" if v is None else v) for v in values]
            rows.append([text_cell(language.split(split)), *cells])
    return Table(language.say("Scores"), ["", *names], rows)


def translation_table(run: RunRow, language: Language) -> Table | None:
    """Sentences of each split, those that were trained on first; `None` where nothing was translated."""
    say, rows = language.say, []
    entries = run.artifacts.translations()
    for split in SPLITS:
        for entry in islice((e for e in entries if e["split"] == split), SENTENCES):
            texts = [join_tokens(entry[name]) for name in ("source", "reference", "hypothesis")]
            rows.append([text_cell(language.split(split)), *(text_cell(text, prose=True) for text in texts)])
    head = ["", say("source"), say("reference"), say("translation")]
    return Table(say("Translations"), head, rows) if rows else None
