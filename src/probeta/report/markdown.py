"""`summary.md`: the sweep's answer as a page of text, which terminals and repositories show."""

from __future__ import annotations

from collections.abc import Sequence

from probeta.report.answer import Answer, Claim, Verdict
from probeta.report.decisions import Decided
from probeta.report.language import Language
from probeta.report.single import describe_run, only_run, score_table
from probeta.report.summary import MANY, Summary, chosen_metrics, megabytes, ranked, spread, states
from probeta.report.verdicts import failing_more, interval_subject, say_tested, verdict


def summary_md(summary: Summary, language: Language, answer: Answer | None = None) -> str:
    """Question, answer, table of variants, differences, failures, and how it came about."""
    say, definition = language.say, summary.sweep.definition
    parts = [f"# {language.tell(definition.get('title') or definition.get('name') or summary.sweep.directory.name)}"]
    if definition.get("question"):
        parts.append(language.tell(definition["question"]))
    size = megabytes(summary.bytes_kept, language)
    parts.append(say("{states}; {size} on disk.", states=states(summary.sweep.runs, language), size=size))
    if answer is not None:
        parts.append("\n\n".join([f"## {say('Answer')}", *answer.sentences]))
        if answer.claims and len(summary.family):
            parts.append(say("A difference above 0, or a factor above 1, goes as claimed."))
        parts += ["\n".join(_claim(claim, language) for claim in answer.claims)]
    single = only_run(summary.sweep)
    scores = score_table(single, language) if single else None
    if scores is None:
        parts.append(groups_table(summary, language))
    else:
        parts.append(_table([scores.head, *([cell.text for cell in row] for row in scores.rows)]))
    if single is not None:
        parts.append("\n".join(f"- {name}: {value}" for name, value in describe_run(single, language)))
    parts.append(" ".join(interval_subject(summary, chosen_metrics(summary), language)))
    parts += [f"- {note}" for note in summary.notes(language)]
    parts += verdicts(summary, language)
    if summary.failures:
        failed = "\n".join(f"- `{run.name}`: {run.headline}" for run in summary.failures)
        parts.append(f"## {say('Failed')}\n\n{failed}")
    if definition.get("command"):
        parts.append(f"## {say('Command')}\n\n```\n{definition['command']}\n```")
    return "\n\n".join(filter(None, parts)) + "\n"


def verdicts(summary: Summary, language: Language) -> list[str]:
    """What the tests say: of differences, of failures, and of a study that stopped by its decisions."""
    say = language.say
    parts = []
    if summary.comparisons and summary.primary:
        hint = say("Paired t-test over shared seeds, Holm's correction over all comparisons of this page ({k}).",
                   k=len(summary.family))  # fmt: skip
        hint = say_tested(summary, language) or hint
        parts += [f"## {say('Differences')}", hint, _differences(summary, language)]
        parts.append("\n".join(f"- {failing_more(c, language)}" for c in summary.failures_compared[:MANY]))
    if (decided := decisions_of(summary)) is not None:
        told = "\n".join(f"- {sentence}" for sentence in decided.sentences(language))
        parts += [f"## {say('Decisions')}", decided.table(language).hint, told]
    return [part for part in parts if part]


def decisions_of(summary: Summary) -> Decided | None:
    """The decisions of a study that stopped by them."""
    if not summary.sweep.definition.get("until") or summary.primary is None:
        return None
    return Decided(summary.sweep, summary.primary)


def _claim(claim: Claim, language: Language) -> str:
    because = f" {claim.because}" if claim.because and claim.verdict is Verdict.HOLDS else ""
    return f"- **{language.say(claim.verdict.value)}**: {claim.statement} ({claim.evidence}).{because}"


def _differences(summary: Summary, language: Language, most: int = 12) -> str:
    """Every pair where they are few; of many only those that differ."""
    comparisons = summary.comparisons
    real = [c for c in comparisons if c.differs]
    listed = comparisons if len(comparisons) <= most else real[:MANY]
    told = [f"- {verdict(c, summary.primary or '', language)}" for c in listed]
    if rest := len(comparisons) - len(listed):
        differ = len(real) - sum(c.differs for c in listed)
        told.append("- " + language.say("{n} other pairs, {k} of which differ: report.html", n=rest, k=differ))
    return "\n".join(told)


def groups_table(summary: Summary, language: Language, most: int = 60) -> str:
    """Variants by their primary metric, mean ± standard deviation over seeds."""
    names = chosen_metrics(summary)
    header = [language.say("variant"), "n", *(language.metric(name) for name in names), language.say("failed")]
    rows = []
    for group in ranked(summary)[:most]:
        n = group.n(names)
        means = [(spread(m, language), m.n) for m in (group.measured[name] for name in names)]
        cells = [text if of in (0, n) else f"{text} (n = {of})" for text, of in means]
        rows.append([language.say(group.variant), str(n), *cells, str(group.failed)])
    table = _table([header, *rows])
    if rest := len(summary.groups) - most:
        table += f"\n\n({language.say('{n} more in groups.csv', n=rest)})" if rest > 0 else ""
    return table


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up in a terminal."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
