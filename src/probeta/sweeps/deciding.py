"""Studies that stop when they know: seeds in rounds, through whichever launcher, until each comparison is decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from probeta.composition.grid import expand
from probeta.errors import ConfigError
from probeta.runs.row import REPLICATES, read_exactly
from probeta.stats.sequential import Outcomes, schedule_looks, settle
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.naming import name_variant
from probeta.sweeps.session import Session
from probeta.sweeps.study import Study, list_lines


def run_until_decided(study: Study, given: Sequence[str], session: Session) -> None:
    """Carry out rounds of seeds; after each, variants whose comparisons are all settled get no more.

    The rounds are the same on every launcher and after every interruption: so are the decisions.
    """
    refuse_replicates(given, study.params)
    seeds = seed_order(study)
    metric = study.metrics[0]
    done: list[SweepJob] = []
    active: set[str] | None = None
    at = schedule_looks(study.max_seeds)
    for look in at:
        listed = ",".join(str(seed) for seed in seeds[:look])
        wanted = list_lines(study, given, listed, study.params)
        if active is not None:
            wanted = [w for w in wanted if name_variant(w.variant, w.overrides) in active]
        known = {job.name for job in done}
        jobs = [job for job in session.compose(wanted) if job.name not in known]
        session.carry_out(jobs)
        done += jobs
        outcomes = read_outcomes(session, done, metric)
        if session.stopped or not outcomes:
            return
        decisions = settle(outcomes, study.reference, at, study.equivalence_margin, look)
        left = [d for d in decisions if d.is_open and not d.withheld]
        session.tell(
            "after {look} seeds: {settled} of {n} comparisons of {metric} settled",
            look=look, settled=len(decisions) - len(left), n=len(decisions), metric=metric,
        )  # fmt: skip
        active = {name for d in left for name in (d.a, d.b)}
        if not active:
            return


def refuse_replicates(given: Sequence[str], params: Collection[str] = ()) -> None:
    """The study adds the seeds itself, and each comparison pairs them: none may be varied beside."""
    grid = expand(given)
    fixed = {line.partition("=")[0].lstrip("+") for line in grid.fixed}
    varied = [key for key in REPLICATES if key in grid.axes or key in params]
    if "seed" in fixed or varied:
        key = varied[0] if varied else "seed"
        raise ConfigError(
            f"{key} is not accepted with study.until=decided: it adds seeds itself, up to study.max_seeds"
        )


def seed_order(study: Study) -> list[int]:
    """The study's own seeds first, then the whole numbers from 0 that are not among them."""
    own = [line.partition("=")[2] for line in expand([f"seed={study.seeds}"]).axes.get("seed", ())]
    first = list(dict.fromkeys(int(seed) for seed in own or [study.seeds]))
    more = (seed for seed in range(study.max_seeds + len(first)) if seed not in first)
    return [*first, *more][: study.max_seeds]


def read_outcomes(session: Session, jobs: Sequence[SweepJob], metric: str) -> Outcomes:
    """Variant → seed → the metric, `None` for a run without one. `ConfigError` for a metric that no run has."""
    found: Outcomes = {}
    names: set[str] = set()
    for job in jobs:
        ended = session.ended.get(job.name)
        if ended is None:
            continue
        metrics = ended.result.get("metrics") or {}
        names |= set(metrics)
        value = metrics.get(metric) if ended.completed else None
        exact = None if value is None else read_exactly(ended.result, metric, value)
        found.setdefault(name_variant(job.variant, job.overrides), {})[int(job.resolved["seed"])] = exact
    if names and metric not in names:
        raise ConfigError.unknown("metric", metric, names)
    return found
