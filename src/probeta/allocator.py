"""How this process's memory is handed back to the system: not at all, while it trains or translates."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""`mallopt(3)`."""
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc's malloc keep what is freed, for the next step's tensors; whether that can be had here.

    Otherwise it returns large blocks to the system at once, and every training step pays for thousands of new pages:
    a fifteenth of a translator's step on a CPU. The peak does not change.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, LARGEST))
