"""What a page says beyond its tables of variants: an answer in words, decided by the results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from probeta.report.language import Language
from probeta.report.summary import measured, spread


class Verdict(Enum):
    """What the results say to a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    """The opposite is more than noise."""
    OPEN = "open"
    """The results do not tell it from noise."""


@dataclass(frozen=True)
class Claim:
    """Something that theory expects, and what these results say to it."""

    statement: str
    verdict: Verdict
    evidence: str
    because: str = ""
    """Why theory expects it: shown where the claim holds, and nowhere else."""


@dataclass(frozen=True)
class Cell:
    text: str
    sort: float | str = ""
    small: str = ""
    """Below the text: an interval."""
    prose: bool = False
    """A sentence, which wraps and stands to the left."""


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    hint: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart in words that the page's script draws (`probeta.report.charts` makes them)."""

    title: str
    data: dict[str, Any]
    hint: str = ""


@dataclass(frozen=True)
class Answer:
    sentences: Sequence[str]
    claims: Sequence[Claim] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()


def text_cell(text: str, prose: bool = False) -> Cell:
    return Cell(text, text, prose=prose)


def mean_cell(values: Sequence[float], language: Language, digits: int = 4, most: float = math.inf) -> Cell:
    """Mean ± standard deviation, and below it the 95 % interval of the mean, of what lies between 0 and `most`."""
    m = measured(values, limits=(0.0, most))
    return Cell(spread(m, language, digits), "" if m.mean is None else m.mean, language.interval(m.interval))
