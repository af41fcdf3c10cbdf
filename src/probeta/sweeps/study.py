"""A study: a question, the variants that answer it, the seeds that make the answer trustworthy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from probeta.composition.grid import Grid, expand, join_groups, read_groups
from probeta.errors import ConfigError, check_whole
from probeta.metrics.direction import check_optimized, is_maximised
from probeta.runs.identity import identity, label_settings, parse
from probeta.runs.row import REPLICATES
from probeta.stats.sequential import FIRST_LOOK
from probeta.sweeps.naming import check_plain_name
from probeta.sweeps.question import Said, Wanted, phrase
from probeta.sweeps.session import Session


@dataclass(frozen=True)
class GridStage:
    """The first stage of a study: each variant's own best point of a grid, chosen on validation.

    Args:
        params: key → the values that are tried of it, in Hydra's sweep syntax.
        seeds: each point is run with each of these; its value is the mean over them.
        metric: what the best point is best by, as val/loss.
    """

    params: dict[str, str]
    seeds: str
    metric: str


@dataclass(frozen=True)
class Study:
    """`conf/study/<name>.yaml`, checked: variants × params × seeds, each in Hydra's sweep syntax.

    Args:
        name: of the study's folder; letters, digits and what a file name may hold besides.
        question: what the study asks, in a sentence.
        seeds: each variant is run with each of these: 1,2,3, a list, or range(1,6).
        metrics: what its page shows, the first of which decides; the most telling where it names none.
        variants: name → the overrides that make it.
        only: the names of the variants that are run; all where it names none.
        params: axes besides: key → values, each with every variant.
        zip: axes of params that move together: [a,b], or several such groups.
        curves: the metrics whose curves its page shows.
        reference: the variant that the others are compared with; null: each with each.
        search: a first stage, which chooses each variant's own best settings: params, seeds, metric.
        notes: sentences that its page adds.
        title: the heading of its page; the name where there is none.
        exercise: the number of the exercise that it answers: its page gets an answer in words.
        may_diverge: whether a loss that stops being a number is a finding, not a failure.
        until: decided: seeds are added until every comparison of the first metric is decided (`stats.sequential`).
        max_seeds: where until=decided ends in any case, from 3.
        equivalence_margin: a difference of the first metric, above 0, that does not matter: what lies within it is
            decided as none.
    """

    name: str
    question: str
    seeds: str
    metrics: tuple[str, ...] = ()
    variants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    params: dict[str, str] = field(default_factory=dict)
    zip: tuple[tuple[str, ...], ...] = ()
    curves: tuple[str, ...] = ()
    reference: str | None = None
    search: GridStage | None = None
    notes: tuple[Said, ...] = ()
    title: str = ""
    exercise: int | None = None
    may_diverge: bool = False
    until: str | None = None
    max_seeds: int = 100
    equivalence_margin: float | None = None

    @classmethod
    def read(cls, node: DictConfig) -> Study:
        """Raises `ConfigError` for a key that a study does not have, or lacks, or whose value is of another kind."""
        tree = OmegaConf.to_container(node, resolve=True)
        assert isinstance(tree, dict)
        _check_keys("study", tree, cls)
        study = cls(
            name=check_plain_name("study.name", str(tree["name"])),
            question=str(tree["question"]),
            seeds=_values(tree["seeds"]),
            metrics=_names(tree, "metrics"),
            variants={
                str(label): _texts(f"study.variants.{label}", overrides, "overrides, such as [model.depth=3]")
                for label, overrides in _mapping("study.variants", tree.get("variants")).items()
            },
            only=_names(tree, "only", "variants' names"),
            params=_plain(_mapping("study.params", tree.get("params"))),
            zip=tuple(read_groups("study.zip", tree.get("zip") or [])),
            curves=_names(tree, "curves"),
            reference=tree.get("reference"),
            search=_search(tree.get("search")),
            notes=_texts("study.notes", tree.get("notes"), "sentences"),
            title=str(tree.get("title") or ""),
            exercise=tree.get("exercise"),
            may_diverge=bool(tree.get("may_diverge")),
            until=tree.get("until"),
            max_seeds=tree.get("max_seeds", cls.max_seeds),
            equivalence_margin=tree.get("equivalence_margin"),
        )
        study._check_stopping()
        study._check_axes()
        if study.reference is not None and study.reference not in study.variants:
            raise ConfigError.unknown("variant", study.reference, study.variants)
        return study._select() if study.only else study

    def _select(self) -> Study:
        """The study of the variants in `only`, with its reference where that is one of them."""
        for name in self.only:
            if name not in self.variants:
                raise ConfigError.unknown("variant", name, self.variants)
        variants = {name: overrides for name, overrides in self.variants.items() if name in self.only}
        return replace(self, variants=variants, reference=self.reference if self.reference in variants else None)

    def _check_axes(self) -> None:
        """A key has its values in one place: a variant that sets an axis would leave the axis without a meaning."""
        stages = {"study.params": self.params, "study.search.params": self.search.params if self.search else {}}
        axes = {"seed": "study.seeds", **{k.lstrip("+"): place for place, keys in stages.items() for k in keys}}
        for label, overrides in self.variants.items():
            for line in overrides:
                key = line.partition("=")[0].lstrip("+")
                if key in axes:
                    raise ConfigError(f"study.variants.{label} sets {key}, and so does {axes[key]}: one of them alone")

    def _check_stopping(self) -> None:
        if self.until not in (None, "decided"):
            raise ConfigError.value("study.until", self.until, "decided, or null for the study's own seeds")
        check_whole("study.max_seeds", self.max_seeds, FIRST_LOOK)
        margin = self.equivalence_margin
        if margin is not None and not (isinstance(margin, int | float) and 0 < margin < math.inf):
            raise ConfigError.value("study.equivalence_margin", margin, "a difference of the metric, above 0, or null")
        if self.until is not None and not self.metrics:
            raise ConfigError("study.until=decided needs study.metrics: the first of them is what is compared")


def apply_arguments(node: DictConfig, arguments: Sequence[str]) -> DictConfig:
    """`node` with what the command says of the study itself: `study.seeds=range(3)` is its seeds, no axis.

    Values that stand for one are in `node` already; those of a sweep Hydra leaves to the sweeper.
    """
    changed = node.copy()
    with open_dict(changed):
        for line in arguments:
            key, _, values = line.lstrip("+").partition("=")
            *path, name = key.split(".")[1:]
            if path and path[-1] != "search":
                raise ConfigError(f"{line} is not accepted: an axis stands alone, as in optimizer.lr={values}")
            if name == "seeds" and values.isdecimal():
                raise ConfigError(
                    f"{key}={values} is not accepted, since it would be one seed, number {values}: "
                    f"range(1,{int(values) + 1}) are {values} seeds, [{values}] is that one"
                )
            if values and parse([line])[0].is_sweep_override():
                OmegaConf.update(changed, ".".join([*path, name]), values)
    return changed


def _check_keys(path: str, tree: Mapping[Any, Any], kind: type[Study | GridStage]) -> None:
    """The keys at `path` are fields of `kind`, and those that have no default are said."""
    known = fields(kind)
    for key in map(str, tree):
        if key not in [item.name for item in known]:
            raise ConfigError.unknown("key of a study", f"{path}.{key}", [f"{path}.{item.name}" for item in known])
    *first, last = [item.name for item in known if item.default is MISSING and item.default_factory is MISSING]
    for key in (*first, last):
        if not tree.get(key):
            what = kind.__name__.lower()
            raise ConfigError(f"{path}.{key} is missing: a {what} says its {', '.join(first)} and {last}")


def _texts(key: str, value: Any, of: str) -> tuple[str, ...]:
    """A list of strings; a lone string is refused, of which a tuple would be its letters."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError.value(key, value, f"a list of {of}")
    return tuple(value)


def _names(tree: Mapping[Any, Any], key: str, of: str = "metrics, such as [test/loss]") -> tuple[str, ...]:
    """A list, or as the command says several: `study.metrics=test/acc,test/loss`."""
    value = tree.get(key)
    listed = value.split(",") if isinstance(value, str) else value
    return _texts(f"study.{key}", listed, of)


def _mapping(key: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict | None):
        raise ConfigError.value(key, value, "a mapping, name: values")
    return value or {}


def _search(value: Any) -> GridStage | None:
    tree = _mapping("study.search", value)
    if not tree:
        return None
    _check_keys("study.search", tree, GridStage)
    params = _plain(_mapping("study.search.params", tree["params"]))
    check_optimized("study.search.metric", str(tree["metric"]))
    return GridStage(params, _values(tree["seeds"]), str(tree["metric"]))


def _plain(axes: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): _values(values) for key, values in axes.items()}


def _values(values: Any) -> str:
    """A list and a number mean what they would in Hydra's sweep syntax."""
    return ",".join(map(str, values)) if isinstance(values, list) else str(values)


def list_lines(study: Study, arguments: Sequence[str], seeds: str | None, params: Mapping[str, str]) -> list[Wanted]:
    """Every job of `study` with the command's own overrides, which win over the study's.

    Where there are named variants, axes besides the seed add to their names: `adam, lr=0.01`.
    """
    given = expand(arguments)
    keys = {line.partition("=")[0].lstrip("+") for line in given.fixed} | {k.lstrip("+") for k in given.axes}
    grid = {k: v for k, v in params.items() if k.lstrip("+") not in keys}
    extra = [f"{key}={values}" for key, values in grid.items()]
    if seeds is not None and "seed" not in keys:
        extra.append(f"seed={seeds}")
    every = _zip_axes(study, expand([*arguments, *extra]))
    varied = {key for key in every.axes if key.lstrip("+") not in REPLICATES}
    variants = study.variants or {"": ()}
    wanted = []
    for (label, overrides), point in itertools.product(variants.items(), every.points()):
        own = [o for o in overrides if o.partition("=")[0].lstrip("+") not in keys]
        along = label_settings(identity([o for o in point if o.partition("=")[0] in varied]))
        name = ", ".join(filter(None, (label, along)))
        wanted.append(Wanted((*point, *own), name if label else None, label))
    refuse_equal_variants(wanted, keys)
    return wanted


def _zip_axes(study: Study, every: Grid) -> Grid:
    """`every` with the study's groups of axes; one that the command holds fixed leaves its group. A group of the
    command's is left out where all of it belongs to another stage of the study (its search, or what follows).
    """
    here = {key.lstrip("+") for key in every.axes}
    stages = {*study.params, *(study.search.params if study.search else ())}
    given = [group for group in every.zipped if here & set(group) or not stages.issuperset(group)]
    own = [tuple(key for key in group if key in here) for group in study.zip]
    return replace(every, zipped=join_groups([*given, *(group for group in own if len(group) > 1)]))


def refuse_equal_variants(wanted: Sequence[Wanted], keys: set[str]) -> None:
    """What the command says wins over the variants; two that it makes the same would be one row without a word."""
    seen: dict[frozenset[str], Wanted] = {}
    for want in wanted:
        other = seen.setdefault(frozenset(want.overrides), want)
        if other.group != want.group:
            raise ConfigError(
                f"{', '.join(sorted(keys))} given here: {other.group!r} and {want.group!r} are the same run"
            )


def choose_settings(study: Study, session: Session) -> dict[str, tuple[str, ...]]:
    """Variant → the overrides with the best mean of the search's metric over its seeds.

    A point counts only when all its seeds completed: a mean over the lucky ones would be no mean. Raises
    `ConfigError` for a metric that no run recorded.
    """
    assert study.search is not None
    metric, best = study.search.metric, {}
    recorded = {name for ended in session.ended.values() for name in ended.result.get("metrics") or ()}
    if recorded and metric not in recorded:
        raise ConfigError.unknown("metric", metric, recorded)
    sign = 1.0 if is_maximised(metric) else -1.0
    for label in study.variants:
        points: dict[tuple[str, ...], list[float]] = {}
        for ended in session.ended.values():
            if ended.job.group != label:
                continue
            key = tuple(o for o in ended.job.overrides if o.partition("=")[0] in study.search.params)
            value = (ended.result.get("metrics") or {}).get(metric)
            points.setdefault(key, []).append(math.nan if value is None or not ended.completed else float(value))
        means = {key: sign * sum(values) / len(values) for key, values in points.items()}
        means = {key: mean for key, mean in means.items() if math.isfinite(mean)}
        if means:
            best[label] = max(means, key=lambda key: means[key])
    return best


def extend_with_points(study: Study, points: Mapping[str, tuple[str, ...]]) -> Study:
    """The second stage: the variants at their chosen points, without those that found none."""
    assert study.search is not None
    metric = study.search.metric
    told = tuple(
        phrase("{variant}: {point} (best {metric})", variant=label, point=", ".join(point), metric=metric)
        for label, point in points.items()
    )
    lost = tuple(
        phrase("{variant}: no point of its search completed", variant=label)
        for label in study.variants
        if label not in points
    )
    variants: dict[str, tuple[str, ...]] = {k: (*study.variants[k], *point) for k, point in points.items()}
    # An exercise's page says which points were chosen, in its own language.
    notes = (*study.notes, *(told if study.exercise is None else ()), *lost)
    reference = study.reference if study.reference in variants else None
    return replace(study, variants=variants, notes=notes, reference=reference)
