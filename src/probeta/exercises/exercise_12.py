"""Exercise 12: SGD with momentum, Adam and AdamW, each at its own best learning rate."""

from __future__ import annotations

from probeta.errors import RunDirectoryError
from probeta.exercises.quantities import epochs_to_target
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Chart, Table, text_cell
from probeta.report.charts import lines, points
from probeta.report.claims import Expectation
from probeta.runs.table import read_sweep

SGD, ADAM, ADAMW = "SGD, momentum 0.9", "Adam", "AdamW"
RATE = "optimizer.lr"

NAMES = {
    "epochs_to_target": "epochs to 95 % validation accuracy",
    RATE: "learning rate",
}


derive = epochs_to_target


def answer(results: Results) -> Answer:
    say, of = results.say, results.of
    claims = results.judge(
        *(
            Expectation(
                say("{name} reaches 95 % validation accuracy sooner than SGD with momentum.", name=say(name)),
                of(SGD, "epochs_to_target"), of(name, "epochs_to_target"),
            )
            for name in (ADAM, ADAMW)
        ),
        *(
            Expectation(
                say("SGD with momentum has a higher test accuracy than {name}.", name=say(name)),
                of(SGD, "test/acc"), of(name, "test/acc"),
            )
            for name in (ADAM, ADAMW)
        ),
    )  # fmt: skip
    searched = search(results)
    curves = [results.epochs("train/loss", log_y=True), results.epochs("val/acc")]
    chosen = [
        say("{name}: the search chose the learning rate {rate}.", name=say(name),
            rate=results.language.list(sorted({results.number(run.settings.get(RATE)) for run in runs})))
        for name, runs in results.by_variant.items()
    ]  # fmt: skip
    sentences = [results.lead("epochs_to_target"), results.lead("test/acc"), *chosen]
    if not searched:
        return Answer(sentences, claims, charts=curves)
    return Answer(sentences, claims, [table(results, searched)], [*curves, chart(results, searched)])


Searched = dict[str, dict[float, list[float]]]


def search(results: Results) -> Searched:
    """Variant → learning rate → validation loss of each run of the search, which lies in a folder of its own."""
    try:
        sweep = read_sweep(results.summary.sweep.directory / "search")
    except RunDirectoryError:
        return {}
    found: Searched = {}
    for run in sweep.runs:
        value = run.metrics.get("val/loss")
        if run.completed and value is not None and RATE in run.settings:
            name = run.variant.rsplit(", ", 1)[0]
            found.setdefault(name, {}).setdefault(float(run.settings[RATE]), []).append(float(value))
    return {name: dict(sorted(rates.items())) for name, rates in found.items()}


def table(results: Results, searched: Searched) -> Table:
    say = results.say
    rates = sorted({rate for found in searched.values() for rate in found})
    rows = [
        [text_cell(say(name)), *(results.mean_cell(found.get(rate, [])) for rate in rates)]
        for name, found in searched.items()
    ]
    title = say("The search: validation loss by learning rate, over seeds of its own")
    return Table(title, [say("variant"), *(results.number(rate) for rate in rates)], rows)


def chart(results: Results, searched: Searched) -> Chart:
    say = results.say
    series = {say(name): points(list(found), list(found.values())) for name, found in searched.items()}
    title = say("The search: validation loss by learning rate")
    y = results.metric("val/loss")
    return lines(title, results.metric(RATE), y, series, log_x=True, log_y=True, markers=True)
