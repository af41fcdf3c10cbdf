"""A sweep or a study as an object: its table with intervals, its verdicts, its curves and its runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probeta.api.run import Run, inline
from probeta.errors import ConfigError
from probeta.report.charts import band
from probeta.report.language import Language
from probeta.report.markdown import summary_md
from probeta.report.summary import Summary, chosen_metrics, ranked, spread, summarise
from probeta.report.verdicts import verdict
from probeta.runs.frame import load_sweep
from probeta.runs.row import read_curves
from probeta.runs.table import read_sweep
from probeta.stats.comparisons import Comparison

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Verdict:
    """What the seeds that two variants share say of their difference."""

    comparison: Comparison
    text: str

    def __repr__(self) -> str:
        return self.text


class Sweep:
    """The sweep, search or study in the directory `path`. It is read anew whenever it is asked.

    Args:
        path: a sweep's directory.
        lang: language of what is said, `en` or `es`.

    Raises:
        RunDirectoryError: there are no runs in `path`.
    """

    def __init__(self, path: str | Path, lang: str = "en") -> None:
        self.path = read_sweep(path).directory
        self.lang = lang

    def __len__(self) -> int:
        return len(read_sweep(self.path).runs)

    @property
    def command(self) -> str:
        """The command that makes the same sweep."""
        return str(read_sweep(self.path).definition.get("command") or "")

    @property
    def page(self) -> Path:
        """The report, for a browser."""
        return self.path / ("report.html" if self.lang == "en" else f"report.{self.lang}.html")

    @property
    def variants(self) -> list[str]:
        """In the study's order, else by their settings."""
        return read_sweep(self.path).variants

    def summary(self, metric: str | None = None) -> Summary:
        """Everything that the page says; `metric` is what variants are compared by (the sweep's own by default)."""
        sweep = read_sweep(self.path)
        if metric is not None:
            if metric not in sweep.metric_names():
                raise ConfigError.unknown("metric", metric, sweep.metric_names())
            sweep = replace(sweep, definition={**sweep.definition, "metrics": [metric]})
        return summarise(sweep)

    def runs(self) -> pd.DataFrame:
        """A row for each run: variant, seeds, settings, status, metrics, seconds and path."""
        return load_sweep(self.path)

    def run(self, variant: str, seed: Any = None) -> Run:
        """The run of a variant with that seed (the first by default)."""
        group = [run for run in read_sweep(self.path).runs if run.variant == self._known(variant)]
        for run in group:
            if seed is None or str(seed) == run.seed_label:
                return Run(run.path, lang=self.lang)
        raise ConfigError.unknown(f"seed of {variant}", str(seed), [run.seed_label for run in group])

    def table(self, metric: str | None = None) -> pd.DataFrame:
        """A row for each variant, best first: n, and for each metric its mean, its deviation and its 95 % interval.

        Columns are `(metric, statistic)`; `low` and `high` are empty where all values are equal.
        """
        import pandas as pd

        summary = self.summary(metric)
        rows = {}
        for group in ranked(summary):
            row: dict[tuple[str, str], Any] = {}
            for name in chosen_metrics(summary):
                m = group.measured[name]
                ends = (None, None) if m.interval is None or m.interval.ends is None else m.interval.ends
                values = (m.n, m.mean, m.std, *ends)
                row |= {(name, key): v for key, v in zip(("n", "mean", "std", "low", "high"), values, strict=True)}
            rows[group.variant] = row
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["metric", ""])
        return frame.rename_axis("variant")

    def compare(self, a: str, b: str, metric: str | None = None) -> Verdict:
        """Whether `a` and `b` differ, by a paired test over the seeds that they share.

        Corrected for all comparisons of the sweep's page, and for this one where the page does not make it.
        """
        a, b = self._known(a), self._known(b)
        summary = self.summary(metric)
        language = Language(self.lang)
        for comparison in summary.comparisons:
            if {comparison.a, comparison.b} == {a, b}:
                return Verdict(comparison, verdict(comparison, summary.primary or "", language))
        raise ConfigError(f"{a} and {b} are not compared in this sweep: its comparisons are with its reference")

    def best(self, metric: str | None = None) -> pd.Series[Any]:
        """The row of `table` whose mean is best: which variant, not which lucky seed."""
        return self.table(metric).iloc[0]

    def figure(self, metric: str) -> Figure:
        """The mean of `metric` over seeds against the epoch, for each variant, from its lowest to its highest run."""
        from probeta.figures.curves import Curve, line_figure
        from probeta.report.figure_words import translate_figure

        curves, sweep, language = {}, read_sweep(self.path), Language(self.lang)
        for variant in sweep.variants:
            runs = [run for run in sweep.runs if run.variant == variant and run.completed]
            logged = [read_curves(run.path, [metric]).get(metric) for run in runs]
            if (drawn := band([curve for curve in logged if curve])) is not None:
                curves[language.say(variant)] = Curve(drawn["x"], drawn["mean"], drawn.get("low"), drawn.get("high"))
        if not curves:
            known = sorted({name for run in sweep.runs[:1] for name in read_curves(run.path)})
            raise ConfigError.unknown("curve", metric, known)
        picture = line_figure(metric, "epoch", metric, curves, log=None if "loss" in metric else False)
        return translate_figure(picture, language)

    def _known(self, variant: str) -> str:
        known = self.variants
        if variant not in known:
            raise ConfigError.unknown("variant", variant, known)
        return variant

    def __repr__(self) -> str:
        return summary_md(self.summary(), Language(self.lang)).rstrip()

    def _repr_html_(self) -> str:
        summary = self.summary()
        language = Language(self.lang)
        said = [verdict(c, summary.primary or "", language) for c in summary.comparisons if c.differs]
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
        table = html_table(summary, language)
        title = summary.sweep.definition.get("question") or summary.sweep.definition.get("name") or self.path.name
        monitored = [name for name in ("val/loss", "val/acc") if self._logged(name)]
        pictures = "".join(inline(self.figure(name), name) for name in monitored[:1])
        return f"<p>{escape(language.tell(title))}</p>{table}<ul>{items}</ul>{pictures}"

    def _logged(self, metric: str) -> bool:
        return any(read_curves(run.path, [metric]) for run in read_sweep(self.path).runs[:1])


def html_table(summary: Summary, language: Language) -> str:
    """The page's table of variants: mean ± standard deviation, and below it the 95 % interval."""
    names = chosen_metrics(summary)
    head = "".join(
        f"<th>{escape(word)}</th>" for word in ["", "n", *map(language.metric, names), language.say("failed")]
    )
    rows = []
    for group in ranked(summary):
        cells = [group.measured[name] for name in names]
        told = "".join(
            f"<td>{spread(cell, language)}<br><small>{language.interval(cell.interval)}</small></td>" for cell in cells
        )
        n = max((cell.n for cell in cells), default=0)
        rows.append(f"<tr><th>{escape(language.say(group.variant))}</th><td>{n}</td>{told}<td>{group.failed}</td></tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
