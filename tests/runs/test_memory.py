"""Memory that was freed is used again without new pages from the system, or given back to it when asked."""

from __future__ import annotations

import subprocess
import sys

import pytest

KEEP = """
import resource, torch
from probeta.runs.memory import keep_freed_memory
kept = keep_freed_memory()
for _ in range(30):
    torch.ones(1_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(1_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


GIVE_BACK = """
from probeta.runs.memory import give_back_freed_memory

def resident():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(lines["VmRSS"].split()[0])

blocks = [bytearray(1000) for _ in range(100_000)]  # above 512 bytes Python asks malloc
kept = blocks[::1000]  # scattered: the heap cannot shrink from its end
del blocks
before = resident()
print(give_back_freed_memory(), before - resident())
"""


def printed(program: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_freed_memory_is_used_again() -> None:
    kept, faults = printed(KEEP)
    if kept == "False":
        pytest.skip("not glibc")
    assert int(faults) < 2000  # ten times 4 MB are 10,000 pages


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_freed_memory_is_given_back() -> None:
    given, kilobytes = printed(GIVE_BACK)
    if given == "False":
        pytest.skip("not glibc")
    assert int(kilobytes) > 10_000
