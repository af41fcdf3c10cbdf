"""A sweep as its run directories tell it: no torch, no configuration composed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probeta.errors import ConfigError, RunDirectoryError
from probeta.runs.identity import label_settings
from probeta.runs.reading import Damaged, check_kinds, kind_of, read_json
from probeta.runs.row import RunRow, is_number, read_row

_NOT_DATA = ("attention", "callbacks", "decoding", "model", "optimizer", "recipe", "scheduler", "trainer")


DEFINITION: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "command": str,
    "commands": list,
    "question": (str, dict),
    "metrics": list,
    "curves": list,
    "reference": str,
    "notes": list,
    "compare": bool,
    "space": dict,
    "title": (str, dict),
    "exercise": int,
    "until": str,
    "max_seeds": int,
    "equivalence_margin": (float, int),
    "jobs": dict,
}
"""What readers of a `sweep.json` rely on."""


@dataclass
class SweepRuns:
    """All jobs of a sweep's directory, and what its `sweep.json` says about them."""

    directory: Path
    runs: list[RunRow]
    definition: dict[str, Any]
    axes: list[str]
    """Keys whose values differ between runs, in the order of their names."""
    damage: list[Damaged] = field(default_factory=list)
    """The files that are not what they should be: what they would say is left out."""

    @property
    def variants(self) -> list[str]:
        """In the study's order, else by their settings."""
        return list(self.by_variant)

    @property
    def by_variant(self) -> dict[str, list[RunRow]]:
        """The runs of each of `variants`."""
        found: dict[str, list[RunRow]] = {}
        for run in self.runs:
            found.setdefault(run.variant, []).append(run)
        return found

    def mixed_inputs(self) -> str:
        """One run for each input (data, own sources) that runs have whose settings promise the same; "" if all agree.

        What a model or an optimizer is set to leaves the data alone; `${…}` may make them follow anything. Where the
        data follow the seed, other seeds promise other data.
        """
        alike: dict[str, list[RunRow]] = {}
        for run in self.runs:
            chosen = {key: value for key, value in run.settings.items() if key.split(".")[0] not in _NOT_DATA}
            chosen |= {key: run.seeds.get(key) for key in ("data.seed", "data.fold")}
            if run.completed and not any("${" in str(value) for value in chosen.values()):
                alike.setdefault(json.dumps(chosen, sort_keys=True, default=str), []).append(run)
        mixed = [runs for runs in alike.values() if len({run.inputs for run in runs}) > 1]
        first: dict[tuple[int, Any], dict[tuple[Any, Any], str]] = {}
        for i, runs in enumerate(mixed):
            for run in runs:
                first.setdefault((i, run.seed_of_data), {}).setdefault(run.inputs, run.name)
        return " / ".join(name for inputs in first.values() if len(inputs) > 1 for name in inputs.values())

    def confounded(self) -> list[tuple[str, ...]]:
        """Axes that change together and never apart: what one of them does cannot be told from what another does."""
        groups: dict[tuple[int, ...], list[str]] = {}
        for key in () if self.definition.get("space") else self.axes:  # no two points of a search share a value
            values = [json.dumps(run.settings.get(key), default=str) for run in self.runs if key in run.settings]
            if len(values) == len(self.runs):
                groups.setdefault(tuple(values.index(value) for value in values), []).append(key)
        return [tuple(keys) for keys in groups.values() if len(keys) > 1]

    def metric_names(self) -> list[str]:
        return sorted({name for run in self.runs for name in run.metrics})


def read_definition(sweep: Path) -> dict[str, Any]:
    """What the `sweep.json` of a sweep's directory says; nothing of a folder of runs that no sweep has made."""
    path = sweep / "sweep.json"
    definition = read_json(path, dict)
    if definition is None and (sweep / "multirun.yaml").exists():
        raise Damaged(path, "it is missing")
    definition = check_kinds(path, definition or {}, DEFINITION)
    for name, job in (definition.get("jobs") or {}).items():
        if not isinstance(job, dict):
            raise Damaged(path, f"jobs.{name} is {kind_of(job)} where a mapping is expected")
        check_kinds(path, job, {"overrides": list, "variant": str, "by": int, "trial": int})
    return definition


def read_sweep(directory: str | Path, damage: list[Damaged] | None = None) -> SweepRuns:
    """The sweep (or the single run) in `directory`. `RunDirectoryError` where there is neither.

    A folder in it may be a link to a run elsewhere, so that runs can be gathered on a page: what is read goes through
    links, what is written never does.
    Damaged files are left out, and named in `damage` (a new list, where none is given).
    """
    root = Path(directory).absolute()
    if not root.is_dir():
        raise RunDirectoryError(f"no sweep or run at {directory}: the folder does not exist")
    damage = [] if damage is None else damage
    try:
        definition = read_definition(root)
    except Damaged as damaged:
        damage.append(damaged)
        # Without its question and reference other pairs would be compared: then none are.
        definition = {"compare": False}
    if (root / "result.json").exists() or (root / ".hydra").is_dir():
        runs = [read_row(root, {}, {}, damage)]
        runs[0].variant = root.name
        return SweepRuns(root, runs, definition, [], damage)
    # A sweep's directory may come from elsewhere: its jobs lie in it, whatever its list says.
    listed: dict[str, Any] = {n: job for n, job in (definition.get("jobs") or {}).items() if Path(n).name == n}
    try:
        path = root / "failures.json"
        lost = read_json(path, dict) or {}
        check_kinds(path, lost, dict.fromkeys(lost, dict))
    except Damaged as damaged:
        damage.append(damaged)
        lost = {}
    names = [p.name for p in root.iterdir() if p.is_dir() and (p.name in listed or _is_run(p))]
    names += [name for name in listed if name not in names]
    if not names:
        raise RunDirectoryError(f"no runs in {directory}: no folder in it has a result.json or a .hydra/")
    runs = [read_row(root / name, listed.get(name) or {}, lost.get(name) or {}, damage) for name in names]
    axes = _label(runs, listed)
    # Named variants come in the study's order, the others by their settings' values.
    titles = [entry.get("variant") for entry in listed.values()]
    order = {title: i for i, title in enumerate(dict.fromkeys(filter(None, titles)))}
    runs.sort(key=lambda run: (_rank(run, order, axes), _sortable(run.replicate), run.name))
    return SweepRuns(root, runs, definition, axes, damage)


def choose_metrics(sweep: SweepRuns, metrics: Sequence[str]) -> None:
    """Have `sweep` compared by the first of `metrics` and tables show them all; `ConfigError` for one of no run."""
    for metric in metrics:
        if metric not in sweep.metric_names():
            raise ConfigError.unknown("metric", metric, sweep.metric_names())
    if metrics:
        sweep.definition["metrics"] = list(metrics)


def read_together(directories: Sequence[str | Path]) -> SweepRuns:
    """The runs of several sweeps and single runs as one sweep, in the order given. Variants are named by their studies,
    or by the settings in which any of the runs differ; one that several directories have, by its directory too.
    """
    damage: list[Damaged] = []
    sweeps = [read_sweep(directory, damage) for directory in directories]
    listed: dict[str, Any] = {}
    for sweep in sweeps:
        listed |= sweep.definition.get("jobs") or {}
    runs = [run for sweep in sweeps for run in sweep.runs]
    _complete(runs)
    axes = _label(runs, listed)
    homes = [(sweep.directory.name, {run.variant for run in sweep.runs}) for sweep in sweeps]
    for sweep in sweeps:
        for run in sweep.runs:
            if sum(run.variant in variants for _, variants in homes) > 1:
                run.variant = sweep.directory.name if run.variant == "all" else f"{sweep.directory.name}: {run.variant}"
    return SweepRuns(sweeps[-1].directory, runs, {}, axes, damage)


def read_pair(run_a: str | Path, run_b: str | Path) -> SweepRuns:
    """Two single runs as variants `A: …` and `B: …` of one page, named by the settings in which they differ."""
    runs: list[tuple[str, RunRow]] = []
    damage: list[Damaged] = []
    for letter, directory in zip("AB", (run_a, run_b), strict=True):
        found = read_sweep(directory, damage)
        if not _is_run(found.directory):
            raise RunDirectoryError(f"{directory} is no run but holds {len(found.runs)}: two runs are compared")
        runs.append((letter, found.runs[0]))
    _complete([run for _, run in runs])
    axes = _label([run for _, run in runs], {})
    for letter, run in runs:
        run.variant = f"{letter}: {run.name if run.variant == 'all' else run.variant}"
    return SweepRuns(runs[1][1].path, [run for _, run in runs], {"compare": False}, axes, damage)


def _complete(runs: Sequence[RunRow]) -> None:
    """Give each run what it ran with under the keys that another one overrides."""
    keys = {key for run in runs for key in run.settings}
    for run in runs:
        own = {key: run.recorded(key) for key in keys - run.settings.keys()}
        run.settings |= {key: value for key, value in own.items() if value is not None}


def _label(runs: Sequence[RunRow], listed: dict[str, Any]) -> list[str]:
    """Name each run's variant, by the study or by what differs; return the keys that differ."""
    keys = sorted({key for run in runs for key in run.settings})
    missing = object()
    axes = [
        key for key in keys if len({json.dumps(run.settings.get(key, str(missing)), default=str) for run in runs}) > 1
    ]
    for run in runs:
        own = {key: run.settings[key] for key in axes if key in run.settings}
        run.variant = (listed.get(run.name) or {}).get("variant") or label_settings(own) or "all"
    return axes


def _rank(run: RunRow, order: dict[str, int], axes: Sequence[str]) -> tuple[Any, ...]:
    if run.variant in order:
        return (0, order[run.variant])
    return (1, *_sortable(tuple(run.settings.get(key, "") for key in axes)))


def _sortable(values: Sequence[Any]) -> tuple[Any, ...]:
    """Numbers by size, before words by the alphabet."""
    return tuple((0, float(v), "") if is_number(v) else (1, 0.0, str(v)) for v in values)


def _is_run(path: Path) -> bool:
    return (path / "result.json").exists() or (path / ".hydra").is_dir()
