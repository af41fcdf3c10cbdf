"""Exercise 3: a rare class, plain against class-weighted loss."""

from __future__ import annotations

from probeta.exercises.results import Results
from probeta.report.answer import Answer, Table, text_cell
from probeta.report.claims import Expectation

PLAIN, WEIGHTED = "plain loss", "weighted loss"

NAMES = {
    "test/f1/1": "F1 of the rare class",
    "test/recall/1": "recall of the rare class",
    "test/precision/1": "precision of the rare class",
    "test/f1/0": "F1 of the frequent class",
    "test/f1_macro": "mean F1 of both classes",
}


def answer(results: Results) -> Answer:
    say, of = results.say, results.of
    claims = results.judge(
        Expectation(
            say("The weighted loss finds more of the rare class (recall)."),
            of(WEIGHTED, "test/recall/1"), of(PLAIN, "test/recall/1"),
            say("Each of its points counts for as many as it is rarer, so that missing the class costs as much as "
                "missing the other."),
        ),
        Expectation(
            say("The weighted loss is less often right when it says the rare class (precision)."),
            of(PLAIN, "test/precision/1"), of(WEIGHTED, "test/precision/1"),
            say("The boundary moves into the frequent class, and takes points of it along."),
        ),
        Expectation(
            say("The weighted loss is less accurate over all points."), of(PLAIN, "test/acc"), of(WEIGHTED, "test/acc")
        ),
        Expectation(
            say("The weighted loss has the better F1 of the rare class."),
            of(WEIGHTED, "test/f1/1"), of(PLAIN, "test/f1/1"),
        ),
    )  # fmt: skip
    sentences = [results.lead(metric) for metric in ("test/recall/1", "test/precision/1", "test/f1/1", "test/acc")]
    return Answer(sentences, claims, [by_class(results)], results.boundaries())


def by_class(results: Results) -> Table:
    """Precision, recall and F1 of each class."""
    say = results.say
    classes = (say("frequent class"), say("rare class"))
    rows = [
        [
            text_cell(f"{say(variant)}, {name}"),
            *(
                results.mean_cell(results.of(variant, f"test/{metric}/{c}"), most=1.0)
                for metric in ("precision", "recall", "f1")
            ),
        ]
        for variant in results.by_variant
        for c, name in enumerate(classes)
    ]
    return Table(say("Each class by itself, test set"), ["", say("precision"), say("recall"), "F1"], rows)
