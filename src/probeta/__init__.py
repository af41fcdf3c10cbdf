"""probeta: a Hydra + PyTorch Lightning laboratory for the fundamentals of deep learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probeta.inference.load_run import load_run
    from probeta.runs.frame import load_sweep

__all__ = ["load_run", "load_sweep"]

_HOMES = {"load_run": "probeta.inference.load_run", "load_sweep": "probeta.runs.frame"}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `probeta --help` must not wait for torch.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'probeta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
