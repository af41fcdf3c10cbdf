r"""A sweep's table for a paper: LaTeX with `\usepackage{booktabs}`, intervals, and marks for what differs."""

from __future__ import annotations

import re

from probeta.metrics.direction import direction, is_maximised
from probeta.report.language import Language
from probeta.report.summary import MetricSummary, Summary, chosen_metrics, ranked
from probeta.report.verdicts import interval_subject

SPECIAL = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "±": r"$\pm$", "−": r"$-$", "–": "--",
}  # fmt: skip
ARROWS = {True: r" $\uparrow$", False: r" $\downarrow$", None: ""}
WORSE = r"$^{\dagger}$"


def escape(text: str) -> str:
    """`text` as LaTeX prints it: nothing in it is a command."""
    return re.sub("|".join(map(re.escape, SPECIAL)), lambda match: SPECIAL[match[0]], text)


def summary_tex(summary: Summary, language: Language) -> str:
    """Variants by their primary metric, best first: mean and interval of every metric, and n.

    Where all values are equal there is no interval. A dagger marks a variant that differs from the first, after the
    page's correction. The caption says what the interval is about.
    """
    say, names = language.say, chosen_metrics(summary)
    groups = ranked(summary)
    differing = {name for c in summary.comparisons if c.differs for name in (c.a, c.b)
                 if groups and groups[0].variant in (c.a, c.b)}  # fmt: skip
    arrows = [ARROWS[None if direction(name) is None else is_maximised(name)] for name in names]
    heads = [escape(say("variant")), *(f"{escape(language.metric(n))}{a}" for n, a in zip(names, arrows, strict=True))]
    rows = []
    for place, group in enumerate(groups):
        mark = WORSE if place and group.variant in differing else ""
        cells = [_cell(group.measured[name], language) for name in names]
        rows.append(" & ".join([escape(say(group.variant)) + mark, *cells, str(group.n(names))]) + r" \\")
    caption = [escape(sentence) for sentence in interval_subject(summary, names, language)]
    if differing:
        told = say("differs from the first in {metric} (paired t-test, Holm's correction over all comparisons: {k})",
                   metric=language.metric(names[0]), k=len(summary.family))  # fmt: skip
        caption.append(f"{WORSE} {escape(told)}.")
    if failed := [f"{say(group.variant)} {group.failed}" for group in groups if group.failed]:
        caption.append(escape(say("Runs that failed, and are not in these means: {failed}.", failed=", ".join(failed))))
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{' '.join(caption)}}}",
            rf"  \begin{{tabular}}{{l{'l' * len(names)}r}}",
            r"    \toprule",
            f"    {' & '.join([*heads, 'n'])} " + r"\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _cell(measured: MetricSummary, language: Language) -> str:
    """`0.9958 [0.9940, 0.9976]`: mean and interval."""
    if measured.mean is None:
        return "--"
    mean = escape(language.number(measured.mean, 4))
    ends = ", ".join(escape(language.number(end, 4)) for end in measured.ends or ())
    return f"{mean} [{ends}]" if ends else mean
