"""What each word of a translation looked at, for the page that puts two translators side by side.

Read from what runs of translators leave: `translations` (with the weights that the model calls its attention) and,
of a Transformer, `attention_maps` (those of every layer and head).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from probeta.report.explained_tables import INTERVENTIONS
from probeta.report.language import Language
from probeta.runs.artifacts import Artifacts, rests_on_end
from probeta.runs.reading import Damaged
from probeta.runs.row import RunRow

SENTENCES = {"test": 8, "val": 4, "train": 4}
"""Sentences of each split that can be picked."""

MODELS = 12
"""Runs that can be picked: the first of every variant, then the second ones, until there are so many."""

ROWS = 30
"""Words of a translation that are shown: one that never stops says nothing new."""

CHARACTERS = 8_000_000
"""Of JSON, all models together (compressed about a fifth): a page that is mailed has to stay small."""

EVERYWHERE = ("temperature 0.5", "temperature 2", "uniform", "all cut")
"""Changes of all weights that can be picked."""

Key = tuple[str, str]
"""Split and running text of a sentence."""


@dataclass
class Translated:
    """One run's translations."""

    name: str
    variant: str
    sentences: dict[Key, dict[str, Any]] = field(default_factory=dict)
    references: dict[Key, str] = field(default_factory=dict)


def collect_attention(runs: Sequence[RunRow]) -> dict[str, Any] | None:
    """What the page needs to show sentences of `runs`; `None` where none of them has attention.

    `models` are names, `variants` what they are runs of; `sentences` have a `split`, `text`, `reference` and `by`, one
    entry per model or `null`: `source` and `target` tokens, `gold` links `[source, target, sure]` or `null`, and
    `weights`, by layer, head, target and source token, in thousandths (`null` without attention), `cuts`, what is
    written without a word, a link, a head or a layer (`interventions.panel`; `null` where that is not known). Where a
    net has several heads the mean of its last layer's is its attention.
    """
    read = list(islice(_translations(_in_turn(runs)), MODELS))
    keys = _chosen(read)
    shown: list[Translated] = []
    columns: list[list[dict[str, Any] | None]] = []
    size = 0
    for one in read:
        column = [one.sentences.get(key) for key in keys]
        size += len(json.dumps(column, separators=(",", ":")))
        if shown and size > CHARACTERS:
            break
        shown.append(one)
        columns.append(column)
    if not any(entry and entry["weights"] for column in columns for entry in column):
        return None
    references = {key: text for one in reversed(read) for key, text in one.references.items()}
    return {
        "models": [one.name for one in shown],
        "variants": [one.variant for one in shown],
        "sentences": [
            {"split": key[0], "text": key[1], "reference": references[key], "by": list(by)}
            for key, by in zip(keys, zip(*columns, strict=True), strict=True)
        ],
    }


def panel(sentence: dict[str, Any], language: Language | None = None) -> str:
    """A page of one sentence, as those of `collect_attention`, for one model."""
    from probeta.report.page import as_json, pack, render_template

    language = language or Language()
    content = {"models": ["model"], "variants": ["model"], "sentences": [sentence]}
    return render_template(
        "attention_panel.html",
        language,
        ["attention_panel.js", "attention.js"],
        attention=pack(as_json(content).encode()),
        words=as_json({"attention": words(language)}),
    )


def words(language: Language) -> dict[str, Any]:
    """What the page's script says beside the weights."""
    say = language.say
    return {
        **{split: language.split(split) for split in SENTENCES},
        "last": say("last"),
        "mean": say("mean"),
        "gold": say("Gold:"),
        "absent": say("This model did not translate the sentence, or did not keep its translation."),
        "blind": say("This model has no attention: the source reaches it as one vector."),
        "missing": say("This translation does not have the word."),
        "removed": say("Without {what}:"),
        "changed": say("With {what}:"),
        "head": say("this head"),
        "layer": say("this layer"),
        "everywhere": {name: say(INTERVENTIONS[name]) for name in EVERYWHERE},
        "same": say("the same translation"),
        "greedy": say("what greedy search writes with nothing changed, {text}"),
        "empty": say("This translation has no words."),
        "rests": say(
            "Each word looked most at <eos>, where the encoder has read the whole sentence: it aligned with no word."
        ),
    }


def _in_turn(runs: Iterable[RunRow]) -> list[tuple[RunRow, bool]]:
    """The first run of every variant, the second of every variant, and so on; and whether a variant has several."""
    seen: Counter[str] = Counter()
    turns = []
    for run in runs:
        if run.completed:
            turns.append((seen[run.variant], run))
            seen[run.variant] += 1
    return [(run, seen[run.variant] > 1) for _, run in sorted(turns, key=lambda turn: turn[0])]


def _translations(runs: Iterable[tuple[RunRow, bool]]) -> Iterator[Translated]:
    for run, several in runs:
        name = run.variant + (f", seed {run.seed_label}" if several and run.replicate else "")
        if (found := read_run(run.artifacts, name, run.variant)) is not None:
            yield found


def read_run(artifacts: Artifacts, name: str, variant: str) -> Translated | None:
    """The kept translations of one run; `None` where it left none (no translator, or not finished)."""
    if not (entries := artifacts.translations()):
        return None
    found = Translated(name, variant)
    maps = {(row["split"], row["number"]): row["cross"] for row in artifacts.read("attention_maps") or []}
    cuts = {(row.pop("split"), row.pop("number")): row for row in artifacts.read("interventions") or []}
    for split in dict.fromkeys(entry["split"] for entry in entries):
        own = [entry for entry in entries if entry["split"] == split]
        # A line for each translated sentence, in the order of the entries, which are the first of them.
        texts = artifacts.read(f"sources.{split}") or []
        if len(texts) < len(own):
            why = f"it has {len(texts)} lines for {len(own)} translations"
            artifacts.leave_out(Damaged(artifacts.path(f"sources.{split}"), why))
            continue
        try:
            for i, (entry, text) in enumerate(zip(own, texts, strict=False)):
                key = split, text
                place = split, entry.get("number", i)
                found.sentences[key] = _sentence(entry, maps.get(place), cuts.get(place))
                found.references[key] = " ".join(entry["reference"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = f"an entry is no translation ({type(error).__name__}: {error})"
            artifacts.leave_out(Damaged(artifacts.path("translations"), why))
    return found


def _sentence(entry: dict[str, Any], cross: Any, cuts: dict[str, Any] | None = None) -> dict[str, Any]:
    target = entry["hypothesis"][:ROWS]
    # A map has a row more, for <eos>.
    layers = cross or ([[entry["attention"]]] if entry["attention"] is not None else None)
    gold = entry.get("gold")
    return {
        "source": entry["source"],
        "target": target,
        "gold": gold and [link for link in gold if link[1] < len(target)],
        "cuts": cuts,
        "rests": rests_on_end(entry["source"], entry["attention"]),
        "weights": layers and [[_thousandths(head[: len(target)]) for head in layer] for layer in layers],
    }


def _thousandths(rows: Iterable[Iterable[float]]) -> list[list[int]]:
    return [[round(1000 * weight) for weight in row] for row in rows]


def _chosen(read: Sequence[Translated]) -> list[Key]:
    """Of each split the sentences that most models have translated, in their order, those with maps first."""
    known = Counter(key for one in read for key in one.sentences)
    several = {
        key for one in read for key, entry in one.sentences.items() if entry["weights"] and len(entry["weights"]) > 1
    }
    chosen = []
    for split, most in SENTENCES.items():
        keys = [key for key in known if key[0] == split]
        chosen += sorted(keys, key=lambda key: (-known[key], key not in several))[:most]
    return chosen
