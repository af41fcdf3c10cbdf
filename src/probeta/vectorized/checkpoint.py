"""What a chunk keeps of its members while it trains, in `<sweep>/.members-<digest of its jobs>.ckpt`.

Each state stands by itself: a member's bits do not depend on who shares its batch, so it goes on in whatever company
and process the next command puts it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from probeta.errors import ConfigError, TrainingDiverged
from probeta.models.weights import load_archive, save_archive
from probeta.report.language import Language
from probeta.runs.identity import digest
from probeta.runs.reading import Damaged
from probeta.runs.record import COMPLETED, FAILED, read_sound_result
from probeta.runs.signals import Interrupted
from probeta.vectorized.job import Job, State
from probeta.vectorized.loop import Ensemble, PartialEpoch
from probeta.vectorized.member import Member
from probeta.vectorized.optimizers import StackedAdam

log = logging.getLogger(__name__)

ERRORS = {error.__name__: error for error in (TrainingDiverged, ConfigError, KeyError)}
"""What a member fails with."""


class ChunkCheckpoint:
    """Writes the states of an ensemble's members, when it is time or a signal asks to end.

    Args:
        jobs: of the members, in their order.
        inputs: the hashes of what each member reads, its data and classes.
        request: raises `Interrupted` where a signal asks to end.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        ensemble: Ensemble,
        inputs: Sequence[Mapping[str, str | None]],
        request: Callable[[], None],
    ) -> None:
        self.path = jobs[0].path.parent / f".members-{digest(sorted(job.path.name for job in jobs))}.ckpt"
        self.labels = [{"config_sha256": job.sha256, "inputs": read} for job, read in zip(jobs, inputs, strict=True)]
        self.names = [job.path.name for job in jobs]
        self.ensemble, self.request = ensemble, request
        self.every_minutes = min((m.checkpoint_minutes for m in ensemble.members), default=math.inf)
        self.saved = time.monotonic()

    def check(self) -> None:
        """To be called between steps, where all that is kept is in order."""
        try:
            self.request()
        except Interrupted:
            if self.every_minutes < math.inf:
                self.save()
            raise
        if time.monotonic() - self.saved > 60 * self.every_minutes:
            self.save()

    def save(self) -> None:
        self.saved = time.monotonic()
        states = [label | state for label, state in zip(self.labels, get_states(self.ensemble), strict=True)]
        try:
            save_archive({"members": dict(zip(self.names, states, strict=True))}, self.path)
        except OSError as error:
            log.warning("The ensemble trains on without a checkpoint: %s", error)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


# --- states -----------------------------------------------------------------------------------------------


def get_states(ensemble: Ensemble) -> list[State]:
    """The state of each member: plain containers, and views of the stacked tensors."""
    book = ensemble.bookkeeping
    ends = [m.epochs if not on else ensemble.max_epochs for m, on in zip(book.members, book.training, strict=True)]
    rows = book.curves.rows(dict(enumerate(ends)))
    slots = {book.slots[slot]: slot for slot in book.active_slots()}
    own = [
        get_training(ensemble, k, slots[k]) if k in slots else get_ended(member)
        for k, member in enumerate(ensemble.members)
    ]
    paths = [None if m.path is None else m.path.state_dict() for m in ensemble.members]
    return [
        {**state, "rows": rows[k], "notes": ensemble.members[k].notes, "path": paths[k]} for k, state in enumerate(own)
    ]


def get_training(ensemble: Ensemble, k: int, slot: int) -> State:
    def pick(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor[slot] for name, tensor in tensors.items()}

    stack, epoch, early = ensemble.stack, ensemble.epoch, ensemble.members[k].early
    plateau = ensemble.rates.plateaus.get(slot)
    return {
        "steps": ensemble.steps,
        "parameters": pick(stack.parameters),
        "buffers": pick(stack.buffers),
        "optimizer": [pick(ensemble.optimizer.state[p]) for p in stack.parameters.values()],
        "rate": ensemble.rates.current[slot],
        "plateau": None if plateau is None else plateau.state_dict(),
        "sums": pick(epoch.sums or {}),
        "losses": [loss[slot] for loss in epoch.losses],
        "norms": pick(epoch.norms),
        "early": None if early is None else early.state_dict(),
        "best": {name: w[k] for name, w in ensemble.bookkeeping.best.items()},
    }


def get_ended(member: Member) -> State:
    error = None if member.error is None else [type(member.error).__name__, *member.error.args]
    names = ("weights", "epochs", "best_epoch")
    return {"steps": math.inf, "error": error} | {name: getattr(member, name) for name in names}


def restore(ensemble: Ensemble, states: Sequence[State]) -> None:
    """Put the members of an ensemble that has not begun where `states` left them: all at one step, or all ended.

    Raises an exception of some kind, and leaves the members as they were, where the states are not theirs.
    """
    (steps,) = {state["steps"] for state in states}
    rows, notes = ([list(state[name]) for state in states] for name in ("rows", "notes"))
    if steps == math.inf:
        restore_ended(ensemble, states)
    elif 0 < steps < ensemble.max_steps:
        ensemble.steps = steps
        restore_training(ensemble, [states[k] for k in ensemble.bookkeeping.slots])
        restore_best(ensemble, states)
    else:
        raise ValueError(f"{steps} steps of {ensemble.max_steps}")
    ensemble.bookkeeping.curves.earlier = dict(enumerate(rows))
    for member, own, state in zip(ensemble.members, notes, states, strict=True):
        member.notes = own
        if member.path is not None:
            member.path.load_state_dict(state["path"])


def restore_training(ensemble: Ensemble, states: Sequence[State]) -> None:
    """From the state of each slot (of a lone member, which has two, the same one twice)."""
    stack, optimizer, rates = ensemble.stack, ensemble.optimizer, ensemble.rates
    for kind, tensors in (("parameters", stack.parameters), ("buffers", stack.buffers)):
        for name, like in tensors.items():
            like.copy_(join([state[kind][name] for state in states], like))
    for i, p in enumerate(stack.parameters.values()):
        for name in {name for state in states for name in state["optimizer"][i]}:
            # Without momentum, a member has a buffer only in the company of others that have.
            values = [state["optimizer"][i].get(name, torch.zeros(p.shape[1:], dtype=p.dtype)) for state in states]
            optimizer.state[p][name] = join(values, p)
    if isinstance(optimizer, StackedAdam):
        optimizer.count = ensemble.steps
    one = torch.empty(len(states), device=ensemble.device)

    def gather(kind: str) -> dict[str, Tensor]:
        return {name: join([s[kind][name] for s in states], one.to(v.dtype)) for name, v in states[0][kind].items()}

    losses = [
        join(list(values), one.to(values[0].dtype)) for values in zip(*(s["losses"] for s in states), strict=True)
    ]
    ensemble.epoch = PartialEpoch(gather("sums") or None, losses, gather("norms"))
    rates.current = [float(state["rate"]) for state in states]
    for slot, plateau in rates.plateaus.items():
        plateau.load_state_dict(states[slot]["plateau"])
        plateau.optimizer.param_groups[0]["lr"] = rates.current[slot]


def restore_best(ensemble: Ensemble, states: Sequence[State]) -> None:
    book = ensemble.bookkeeping
    for k, (member, state) in enumerate(zip(ensemble.members, states, strict=True)):
        for name, weights in state["best"].items():
            book.make_room()
            row = book.best[name][k : k + 1]
            row.copy_(join([weights], row))
        if member.early is not None:
            member.early.load_state_dict(state["early"])


def restore_ended(ensemble: Ensemble, states: Sequence[State]) -> None:
    stack = ensemble.stack.weights()
    errors = [state["error"] and ERRORS[state["error"][0]](*state["error"][1:]) for state in states]
    weights = [{n: join([w], stack[n][:1])[0] for n, w in state["weights"].items()} for state in states]
    for k, (member, state) in enumerate(zip(ensemble.members, states, strict=True)):
        member.weights, member.error = weights[k], errors[k]
        member.epochs, member.best_epoch = int(state["epochs"]), int(state["best_epoch"])
        ensemble.bookkeeping.training[k] = False


def join(values: Sequence[Tensor], like: Tensor) -> Tensor:
    """`values` stacked, which is to have the shape and type of `like`."""
    stacked = torch.stack(list(values)).to(like.device)
    if stacked.shape != like.shape or stacked.dtype != like.dtype:
        raise ValueError(f"{stacked.dtype} {tuple(stacked.shape)} where {like.dtype} {tuple(like.shape)} is expected")
    return stacked


# --- files ------------------------------------------------------------------------------------------------


def take_up(jobs: Sequence[Job], rerun: bool, language: Language | None = None) -> list[tuple[Path, set[str]]]:
    """Give each job the furthest state that a chunk kept of it; returns the files, each with the names of its jobs.

    With `rerun` they are removed instead.
    """
    files: list[tuple[Path, set[str]]] = []
    changed: set[str] = set()
    for sweep in {job.path.parent for job in jobs}:
        # What a killed process had begun to write: if it is still there in the end, nobody writes it.
        files += [(path, set()) for path in sweep.glob("..members-*.ckpt.*")]
        here = {job.path.name: job for job in jobs if job.path.parent == sweep}
        for path in sorted(sweep.glob(".members-*.ckpt")):
            try:
                states = read(path)
            except FileNotFoundError:
                continue  # another process was done with it
            except Damaged as damage:
                print(f"{damage}; what it kept is begun anew", flush=True)
                path.unlink(missing_ok=True)
                continue
            files.append((path, set(states)))
            if rerun and states.keys() & here.keys():
                path.unlink(missing_ok=True)
                continue
            for name in states.keys() & here.keys():
                job, state = here[name], states[name]
                if state.get("config_sha256") != job.sha256:
                    changed.add(name)
                elif state["steps"] > job.steps:
                    job.kept = state
    if changed:
        print(f"{len(changed)} runs begin anew: their checkpoint is of another configuration", flush=True)
    if count := sum(job.kept is not None for job in jobs):
        say = (language or Language()).say
        print(say("{n} of {all} runs go on from the checkpoint of an ensemble", n=count, all=len(jobs)), flush=True)
    return files


def read(path: Path) -> dict[str, State]:
    members = load_archive(path, "members")["members"]
    if not isinstance(members, dict) or not all(
        isinstance(name, str) and isinstance(state, dict) and isinstance(state.get("steps"), (int, float))
        for name, state in members.items()
    ):
        raise Damaged(path, "it is no checkpoint of an ensemble")
    return members


def remove_spent(files: Sequence[tuple[Path, set[str]]]) -> None:
    """Remove the files all of whose jobs have ended."""
    for path, names in files:
        results = [read_sound_result(path.parent / name) or {} for name in names]
        if all(result.get("status") in (COMPLETED, FAILED) for result in results):
            path.unlink(missing_ok=True)
