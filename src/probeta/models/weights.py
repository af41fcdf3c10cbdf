"""Weights in files: written whole or not at all, and read only where every byte is what was written."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probeta.runs.atomic import atomic
from probeta.runs.reading import Damaged

ERRORS = (RuntimeError, EOFError, KeyError, ValueError, OSError, pickle.UnpicklingError, zipfile.BadZipFile)
"""What reading a file that is no archive, or a cut one, raises."""


def save_archive(content: Mapping[str, Any], path: Path) -> None:
    """`content` (tensors and plain containers) as torch's zip archive."""
    with atomic(path) as file:
        torch.save(content, file)


def load_archive(path: Path, key: str = "state_dict", whole: bool = True) -> dict[str, Any]:
    """A checkpoint, which is to have a `key`, as plain tensors and containers: nothing in it is executed.

    `Damaged` where it is none, or where a checksum fails: torch looks at none, and takes other weights for these.
    Without `whole` tensors stay on the disk, neither read nor checked: for what is kept beside them.
    """
    if not path.stat().st_size:
        raise Damaged(path, "it is empty")
    try:
        with zipfile.ZipFile(path) as archive:
            for name in () if whole else archive.namelist():
                if name.endswith("/data.pkl"):
                    archive.read(name)  # which checks it
            other = archive.testzip() if whole else None
        content = None if other else torch.load(path, map_location="cpu", weights_only=True, mmap=not whole)
    except ERRORS as error:
        raise Damaged(path, f"it cannot be read as a checkpoint ({str(error).splitlines()[0][:160]})") from None
    if other:
        raise Damaged(path, f"{other} in it is not what was written")
    if not isinstance(content, dict) or key not in content:
        raise Damaged(path, f"it holds no {key}")
    return content


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and values, the same wherever the tensors lie."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
