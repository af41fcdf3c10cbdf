"""How this process's memory is handed back to the system: after building data, never while training or translating."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""`mallopt(3)`."""
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc's malloc keep what is freed, for the next step's tensors; whether that can be had here.

    Otherwise it returns large blocks to the system at once, and every training step pays for thousands of new pages:
    a fifteenth of a translator's step on a CPU. The peak does not change.
    """
    mallopt = _of_glibc("mallopt")
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, LARGEST))


def give_back_freed_memory() -> bool:
    """Return what glibc's malloc holds free to the system; whether there was any."""
    malloc_trim = _of_glibc("malloc_trim")
    return malloc_trim is not None and bool(malloc_trim(0))


def _of_glibc(name: str) -> Any:
    """The function, or `None` with another allocator (musl has neither)."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
