"""probeta: a Hydra + PyTorch Lightning laboratory for the fundamentals of deep learning.

>>> import probeta
>>> run = probeta.train("experiment=moons_mlp", "optimizer.lr=0.1")
>>> sweep = probeta.sweep("experiment=moons_mlp", "optimizer.lr=0.05,0.1", seeds=range(20))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probeta.api.calls import exercise, load_run, probe, resume, study, sweep, train
    from probeta.api.run import Run
    from probeta.api.sweep import Sweep
    from probeta.runs.frame import load_sweep

__all__ = ["Run", "Sweep", "exercise", "load_run", "load_sweep", "probe", "resume", "study", "sweep", "train"]

_HOMES = dict.fromkeys(("train", "sweep", "study", "probe", "exercise", "resume", "load_run"), "probeta.api.calls")
_HOMES |= {"Run": "probeta.api.run", "Sweep": "probeta.api.sweep", "load_sweep": "probeta.runs.frame"}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `probeta --help` must not wait for torch.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'probeta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
