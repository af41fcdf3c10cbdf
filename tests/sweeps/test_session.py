from __future__ import annotations

import pytest

from probeta.report.language import Language
from probeta.sweeps.session import describe_time_left


@pytest.mark.parametrize(
    ("seconds", "ended", "jobs", "told"),
    [
        (4.0, 2, 6, ""),
        (20.0, 2, 6, " (about 40 s left)"),
        (60.0, 1, 4, " (about 3 min left)"),
        (3600.0, 1, 4, " (about 3.0 h left)"),
        (60.0, 4, 4, ""),
        (60.0, 5, 4, ""),
    ],
)
def test_what_is_left_goes_on_at_the_pace_so_far(seconds: float, ended: int, jobs: int, told: str) -> None:
    assert describe_time_left(seconds, ended, jobs, Language()) == told


def test_what_is_left_is_told_in_the_reader_s_language() -> None:
    assert describe_time_left(3600.0, 1, 4, Language("es")) == " (quedan unos 3,0 h)"
