"""One run as its directory tells it: its settings, its record, its curves. No torch, no configuration composed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from probeta.errors import RunDirectoryError
from probeta.runs.artifacts import Artifacts
from probeta.runs.directory import RunDirectory, is_locked
from probeta.runs.identity import Seeds, flatten_settings, parse
from probeta.runs.identity import is_switch as is_switch_key
from probeta.runs.reading import Damaged, note, read_config, read_lines, read_raw, read_table
from probeta.runs.record import headline, read_result

DAMAGED = "damaged"
"""The status of a run whose record is not one."""

REPLICATES = ("seed", *(f"seeds.{name}" for name in Seeds._fields), "data.seed", "data.fold")
"""Keys that repeat a variant instead of making another one."""


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
        return read_count(self.result, metric) if metric in self.metrics else None

    def value(self, metric: str) -> float | None:
        """The metric; of a share with known counts the `Fraction`, which is exact where a quotient is rounded."""
        value = self.metrics.get(metric)
        return None if value is None else read_exactly(self.result, metric, value)

    def diverged_in(self, metric: str) -> bool:
        """Whether it was completed with the metric recorded as no number."""
        return self.completed and (self.result.get("metrics") or {}).get(metric, 0.0) is None

    @property
    def replicate(self) -> tuple[Any, ...]:
        """What tells it from the other runs of its variant."""
        return tuple(self.seeds.values())

    @property
    def inputs(self) -> tuple[Any, Any]:
        """The fingerprints of its data and of the user's own sources."""
        return self.result.get("data_sha256"), self.result.get("sources_sha256")

    @property
    def seed_of_data(self) -> Any:
        """The run's seed where its recorded configuration says `data.seed: ${seed}`; else None."""
        with suppress(Damaged):
            data = (read_raw(RunDirectory(self.path).config) or {}).get("data")
            if isinstance(data, dict) and data.get("seed") == "${seed}":
                return self.result.get("seed")
        return None

    @property
    def headline(self) -> str:
        """Why it failed, in a line; empty where it did not."""
        return headline(self.error) if self.error else ""

    @property
    def seed_label(self) -> str:
        return " / ".join(map(str, self.replicate))

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(RunDirectory(self.path).artifacts.folder, self.damage)

    def curves(self, wanted: Iterable[str] | None = None) -> dict[str, dict[int, float]]:
        """`read_curves` of the run."""
        return read_curves(self.path, wanted, None if self.status == "running" else self.damage)

    def rows(self) -> list[tuple[int, dict[str, float]]]:
        """Optimizer step → the metrics logged there; none where `metrics.csv` is damaged."""
        try:
            names, *rows = read_table(self.path / "metrics.csv", ("step",)) or [["step"]]
            cells = [dict(zip(names, row, strict=True)) for row in rows]
            return [
                (int(row["step"]), {k: float(v) for k, v in row.items() if v and k != "step"})
                for row in cells
                if row["step"]
            ]
        except Damaged as damaged:
            note(self.damage, damaged)
        except ValueError as error:
            note(self.damage, Damaged(self.path / "metrics.csv", str(error)))
        return []

    def flat_settings(self) -> dict[str, Any]:
        """Its recorded configuration as flat keys, resolved; what it overrides, where no configuration can be read."""
        try:
            tree: Any = OmegaConf.to_container(RunDirectory(self.path).load_config(), resolve=True)
        except (Damaged, RunDirectoryError, OmegaConfBaseException):
            return self.settings | self.seeds
        return flatten_settings(tree)

    @cached_property
    def hydra(self) -> dict[str, Any]:
        """What Hydra recorded of the command line: `choices`, `config_sources`; empty where nothing can be read."""
        try:
            recorded = read_config(self.path / ".hydra" / "hydra.yaml")
        except Damaged as damaged:
            note(self.damage, damaged)
            return {}
        # Nothing in it is resolved: a directory may come from elsewhere.
        tree: Any = {} if recorded is None else OmegaConf.to_container(recorded, resolve=False)
        match tree:
            case {"hydra": {"runtime": {"choices": dict(), "config_sources": list()} as runtime}}:
                return dict(runtime)
        return {}

    def recorded(self, key: str) -> Any:
        """What ran under a key or group that it does not override; None where that is not known."""
        if "." not in key and key in (chosen := self.hydra.get("choices") or {}):
            return chosen[key]
        with suppress(Damaged):
            node: Any = read_raw(RunDirectory(self.path).config)
            for part in key.split("."):
                node = node.get(part) if isinstance(node, dict) else None
            return None if isinstance(node, dict) else node
        return None

    @cached_property
    def measurements(self) -> list[dict[str, str]]:
        """The rows of a probe's `measurements.csv`, none where the run has not left any."""
        try:
            names, *rows = read_table(self.path / "measurements.csv", ("probe",)) or [[]]
        except Damaged as damaged:
            note(self.damage, damaged)
            return []
        return [dict(zip(names, row, strict=True)) for row in rows]


def read_row(path: Path, listed: dict[str, Any], lost: dict[str, Any], damage: list[Damaged]) -> RunRow:
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
    metrics = {name: value for name, value in (result.get("metrics") or {}).items() if is_number(value)}
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


def _unfinished(path: Path) -> str:
    if not path.is_dir():
        return "not started"
    if is_locked(path):
        return "running"
    return "not finished" if (path / ".hydra").is_dir() else "not started"


def read_count(result: Mapping[str, Any], metric: str) -> tuple[int, int] | None:
    match (result.get("counts") or {}).get(metric):
        case [int(right), int(total)] if 0 <= right <= total > 0:
            return right, total
    return None


def read_exactly(result: Mapping[str, Any], metric: str, value: float) -> float:
    """`value` of `metric`, or the `Fraction` that it stands for where the record `result` has the counts."""
    count = read_count(result, metric)
    return value if count is None else cast(float, Fraction(*count))


def is_number(value: object) -> bool:
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
