"""A sweep as its run directories tell it: no torch, no configuration composed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from hydra.errors import HydraException

from probeta.errors import RunDirectoryError
from probeta.runs.artifacts import Artifacts
from probeta.runs.directory import RunDirectory, is_locked
from probeta.runs.identity import Seeds, label_settings, parse
from probeta.runs.identity import is_switch as is_switch_key
from probeta.runs.reading import Damaged, check_kinds, kind_of, note, read_json, read_lines, read_table
from probeta.runs.record import read_result

DAMAGED = "damaged"
"""The status of a run whose record is not one."""

_NOT_DATA = ("attention", "callbacks", "decoding", "model", "optimizer", "recipe", "scheduler", "trainer")

REPLICATES = ("seed", *(f"seeds.{name}" for name in Seeds._fields), "data.seed")
"""Keys that repeat a variant instead of making another one."""

DEFINITION: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "command": str,
    "commands": list,
    "question": str,
    "metrics": list,
    "curves": list,
    "reference": str,
    "notes": list,
    "compare": bool,
    "title": str,
    "exercise": int,
    "until": str,
    "max_seeds": int,
    "equivalence_margin": (float, int),
    "jobs": dict,
}
"""What readers of a `sweep.json` rely on."""


@dataclass
class RunRow:
    """One job as its directory tells it."""

    name: str
    path: Path
    status: str
    overrides: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    """Key → value of what it overrides, replicates and switches aside."""
    seeds: dict[str, Any] = field(default_factory=dict)
    """Of `REPLICATES`, in their order, those that it overrides; `seed` where it overrides none."""
    variant: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    damage: list[Damaged] = field(default_factory=list, repr=False)
    """Of all runs that are read together: what is read of this one later adds its own."""
    absent: tuple[str, ...] = ()
    """Seeds that its study was to vary and that change nothing in it."""

    @property
    def completed(self) -> bool:
        return self.status == "completed"

    def count(self, metric: str) -> tuple[int, int] | None:
        """How many cases of how many, where the metric is a share and its record has the counts."""
        match (self.result.get("counts") or {}).get(metric):
            case [int(right), int(total)] if 0 <= right <= total > 0 and metric in self.metrics:
                return right, total
        return None

    def value(self, metric: str) -> float | None:
        """The metric; of a share with known counts the `Fraction`, which is exact where a quotient is rounded."""
        count = self.count(metric)
        return self.metrics.get(metric) if count is None else cast(float, Fraction(*count))

    def diverged_in(self, metric: str) -> bool:
        """Whether it was completed with the metric recorded as no number."""
        return self.completed and (self.result.get("metrics") or {}).get(metric, 0.0) is None

    @property
    def replicate(self) -> tuple[Any, ...]:
        """What tells it from the other runs of its variant."""
        return tuple(self.seeds.values())

    @property
    def seed_label(self) -> str:
        return " / ".join(map(str, self.replicate))

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(RunDirectory(self.path).artifacts.folder, self.damage)

    def curves(self, wanted: Iterable[str] | None = None) -> dict[str, dict[int, float]]:
        """`read_curves` of the run."""
        return read_curves(self.path, wanted, None if self.status == "running" else self.damage)

    @cached_property
    def measurements(self) -> list[dict[str, str]]:
        """The rows of a probe's `measurements.csv`, none where the run has not left any."""
        try:
            names, *rows = read_table(self.path / "measurements.csv", ("probe",)) or [[]]
        except Damaged as damaged:
            note(self.damage, damaged)
            return []
        return [dict(zip(names, row, strict=True)) for row in rows]


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
        return list(dict.fromkeys(run.variant for run in self.runs))

    def mixed_inputs(self) -> str:
        """One run for each input (data, own sources) that runs have whose settings promise the same; "" if all agree.

        What a model or an optimizer is set to leaves the data alone; `${…}` may make them follow anything.
        """
        first: dict[str, dict[tuple[Any, Any], str]] = {}
        for run in self.runs:
            chosen = {key: value for key, value in run.settings.items() if key.split(".")[0] not in _NOT_DATA}
            chosen["data.seed"] = run.seeds.get("data.seed")
            if run.completed and not any("${" in str(value) for value in chosen.values()):
                inputs = run.result.get("data_sha256"), run.result.get("sources_sha256")
                first.setdefault(json.dumps(chosen, sort_keys=True, default=str), {}).setdefault(inputs, run.name)
        return " / ".join(name for inputs in first.values() if len(inputs) > 1 for name in inputs.values())

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
        check_kinds(path, job, {"overrides": list, "variant": str, "by": int})
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
        runs = [_read_run(root, {}, {}, damage)]
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
    runs = [_read_run(root / name, listed.get(name) or {}, lost.get(name) or {}, damage) for name in names]
    axes = _label(runs, listed)
    # Named variants come in the study's order, the others by their settings' values.
    titles = [entry.get("variant") for entry in listed.values()]
    order = {title: i for i, title in enumerate(dict.fromkeys(filter(None, titles)))}
    runs.sort(key=lambda run: (_rank(run, order, axes), _sortable(run.replicate), run.name))
    return SweepRuns(root, runs, definition, axes, damage)


def read_pair(run_a: str | Path, run_b: str | Path) -> SweepRuns:
    """Two single runs as variants `A: …` and `B: …` of one page, named by the settings in which they differ."""
    runs: list[tuple[str, RunRow]] = []
    damage: list[Damaged] = []
    for letter, directory in zip("AB", (run_a, run_b), strict=True):
        found = read_sweep(directory, damage)
        if not _is_run(found.directory):
            raise RunDirectoryError(f"{directory} is no run but holds {len(found.runs)}: two runs are compared")
        runs.append((letter, found.runs[0]))
    axes = _label([run for _, run in runs], {})
    for letter, run in runs:
        run.variant = f"{letter}: {run.name if run.variant == 'all' else run.variant}"
    return SweepRuns(runs[1][1].path, [run for _, run in runs], {"compare": False}, axes, damage)


def _read_run(path: Path, listed: dict[str, Any], lost: dict[str, Any], damage: list[Damaged]) -> RunRow:
    result: dict[str, Any] = {}
    try:
        result = read_result(path) or {}
        overrides = result.get("overrides") or listed.get("overrides")
        overrides = tuple(overrides or read_lines(path / ".hydra" / "overrides.yaml") or ())
        settings, seeds = _settings(overrides)
    except (Damaged, HydraException) as refused:
        why = f"its overrides cannot be parsed ({' '.join(str(refused).split())[:160]})"
        damaged = refused if isinstance(refused, Damaged) else Damaged(RunDirectory(path).result, why)
        damage.append(damaged)
        result = {"status": DAMAGED, "error": {"type": "Damaged", "message": str(damaged)}}
        overrides, settings, seeds = tuple(map(str, listed.get("overrides") or ())), {}, {}
        with suppress(HydraException):
            settings, seeds = _settings(overrides)
    if not seeds and result.get("seed") is not None:
        seeds = {"seed": result["seed"]}
    status = result.get("status")
    error = result.get("error")
    if status is None and lost:
        status, error = "failed", lost.get("error") or {}
    if status is None:
        status = _unfinished(path)
    metrics = {name: value for name, value in (result.get("metrics") or {}).items() if _is_number(value)}
    absent = listed.get("absent")
    absent = tuple(map(str, absent)) if isinstance(absent, list) else ()
    return RunRow(path.name, path, status, overrides, settings, seeds, "", metrics, result, error, damage, absent)


def _settings(overrides: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    settings: dict[str, Any] = {}
    for line in overrides:
        key, value = _parsed(line)
        if not is_switch_key(key):
            settings[key] = value
    return settings, {key: settings.pop(key) for key in REPLICATES if key in settings}


@lru_cache(maxsize=65536)
def _parsed(line: str) -> tuple[str, Any]:
    override = parse([line])[0]
    return ("~" if override.is_delete() else "") + override.key_or_group, override.value()


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
    return tuple((0, float(v), "") if _is_number(v) else (1, 0.0, str(v)) for v in values)


def _unfinished(path: Path) -> str:
    if not path.is_dir():
        return "not started"
    if is_locked(path):
        return "running"
    return "not finished" if (path / ".hydra").is_dir() else "not started"


def _is_run(path: Path) -> bool:
    return (path / "result.json").exists() or (path / ".hydra").is_dir()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_curves(
    path: Path, wanted: Iterable[str] | None = None, damage: list[Damaged] | None = None
) -> dict[str, dict[int, float]]:
    """`metrics.csv` of a run: metric → epoch → the epoch's last value, for the metrics `wanted` (all).

    Of a file that is damaged there are none, and `damage` names it; without `damage`, what can be read of a file that
    is being written.
    """
    found: dict[str, dict[int, float]] = {}
    file = path / "metrics.csv"
    try:
        names, *rows = read_table(file, ("epoch",), growing=damage is None) or [["epoch"]]
        chosen = [
            (i, found.setdefault(name, {}))
            for i, name in enumerate(names)
            if name not in ("epoch", "step") and (wanted is None or name in wanted)
        ]
        at = names.index("epoch")
        for number, row in enumerate(rows):
            epoch = int(float(row[at])) if row[at] else number
            for i, curve in chosen:
                if row[i] and math.isfinite(value := float(row[i])):
                    curve[epoch] = value
    except (ValueError, OverflowError) as error:
        found = {}
        if damage is not None:
            note(damage, error if isinstance(error, Damaged) else Damaged(file, str(error)))
    return {name: curve for name, curve in found.items() if curve}
